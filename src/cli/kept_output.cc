#include "cli/kept_output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "base/write_target.h"

namespace lfm::cli {
namespace {

constexpr size_t kMaxNoteBytes = size_t{1} << 20;

}  // namespace

KeptOutputs::KeptOutputs(KeptOutputs&& other) noexcept
    : files_(std::exchange(other.files_, {})), settings_(std::move(other.settings_)), note_path_(std::move(other.note_path_)),
      kept_(std::move(other.kept_)) {}

KeptOutputs::~KeptOutputs() {
  for (const File& file : files_) {
    if (file.fd > STDERR_FILENO) close(file.fd);
  }
}

Result<KeptOutputs> KeptOutputs::Open(const std::vector<std::string>& paths, const std::string& settings) {
  KeptOutputs outputs;
  outputs.settings_ = settings;
  for (const std::string& path : paths) LFM_RETURN_IF_ERROR(outputs.OpenFile(path));
  if (outputs.files_.front().part.empty()) {
    LFM_RETURN_IF_ERROR(outputs.Restart());
    return outputs;
  }
  outputs.note_path_ = StrCat(paths.front(), ".lfm-resume");
  LFM_RETURN_IF_ERROR(outputs.ReadKept());
  if (outputs.kept_.is_null()) LFM_RETURN_IF_ERROR(outputs.Restart());
  return outputs;
}

Status KeptOutputs::OpenFile(const std::string& path) {
  File file;
  file.path = path;
  if (path == "-") {
    file.fd = STDOUT_FILENO;
    files_.push_back(std::move(file));
    return Ok();
  }
  LFM_TRY(const WriteTarget target, FindWriteTarget(path));
  if (!target.is_file()) {
    file.fd = target.stream;
    files_.push_back(std::move(file));
    return Ok();
  }
  file.part = StrCat(target.path, ".lfm-part");
  file.fd = open(file.part.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file.fd < 0) return WriteError(path, "create", errno);
  files_.push_back(file);
  struct stat info {};
  if (fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kInvalidArgument, StrCat(Plain(file.part), " is no regular file; remove it")};
  }
  if (flock(file.fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::kIo, StrCat("another run is writing ", Plain(path), "; wait for it, or choose another output")};
  }
  return Ok();
}

// Takes up what an interrupted run with the same settings left, and cuts the files to what is sure.
Status KeptOutputs::ReadKept() {
  const auto text = ReadWholeFile(note_path_, kMaxNoteBytes);
  if (!text.ok()) return Ok();
  const auto json = ParseJson(*text);
  if (!json.ok() || (*json)["settings"].AsString() != settings_) return Ok();
  const Json::Array& sizes = (*json)["sizes"].items();
  if (sizes.size() != files_.size()) return Ok();
  for (size_t i = 0; i < files_.size(); ++i) {
    struct stat info {};
    const int64_t size = sizes[i].AsInt(-1);
    if (files_[i].part.empty() && size >= 0) continue;
    if (fstat(files_[i].fd, &info) != 0 || size < 0 || info.st_size < size) return Ok();
    files_[i].size = static_cast<uint64_t>(size);
  }
  for (const File& file : files_) {
    if (file.part.empty()) continue;
    const auto size = static_cast<off_t>(file.size);
    if (ftruncate(file.fd, size) != 0 || lseek(file.fd, size, SEEK_SET) < 0) return WriteError(file.path, "write", errno);
  }
  kept_ = (*json)["note"];
  return Ok();
}

Status KeptOutputs::Restart() {
  kept_ = Json();
  if (!note_path_.empty()) unlink(note_path_.c_str());
  for (File& file : files_) {
    file.size = 0;
    if (file.part.empty()) continue;
    if (ftruncate(file.fd, 0) != 0 || lseek(file.fd, 0, SEEK_SET) < 0) return WriteError(file.path, "write", errno);
  }
  return Ok();
}

Status KeptOutputs::Append(size_t file, std::string_view bytes) {
  File& to = files_[file];
  // As WriteData(): exact bytes into a file or a pipe, nothing that a terminal would obey onto one.
  const std::string shown = to.part.empty() && isatty(to.fd) != 0 ? PlainLines(bytes) : std::string();
  LFM_RETURN_IF_ERROR(WriteFully(to.fd, std::as_bytes(std::span(shown.empty() ? bytes : std::string_view(shown))), -1, to.path));
  to.size += bytes.size();
  return Ok();
}

Status KeptOutputs::Keep(const Json& note) {
  if (note_path_.empty()) return Ok();
  Json sizes = Json::MakeArray();
  for (const File& file : files_) sizes.Append(file.size);
  const std::string text = Json::MakeObject({{"settings", settings_}, {"sizes", std::move(sizes)}, {"note", note}}).Dump() + "\n";
  // The bytes are with the system before the note is: what ends this process alone loses neither.
  const std::string beside = note_path_ + ".new";
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return WriteError(beside, "create", errno);
  Status written = WriteFully(fd, std::as_bytes(std::span(text)), -1, beside);
  if (close(fd) != 0 && written.ok()) written = WriteError(beside, "write", errno);
  if (!written.ok()) return written.error();
  if (rename(beside.c_str(), note_path_.c_str()) != 0) return WriteError(note_path_, "write", errno);
  return Ok();
}

Status KeptOutputs::Finish() {
  // The main file last: while it has not its name, a new run finds the note and is at its end at once.
  for (size_t i = files_.size(); i-- > 0;) {
    File& file = files_[i];
    if (file.part.empty()) continue;
    LFM_RETURN_IF_ERROR(FlushFile(file.fd, file.path));
    LFM_RETURN_IF_ERROR(MoveFile(file.part, file.path));
  }
  if (!note_path_.empty()) unlink(note_path_.c_str());
  return Ok();
}

}  // namespace lfm::cli
