#include "base/write_target.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/mapped_files.h"
#include "base/strings.h"

namespace lfm {
namespace {

// The descriptor that a name such as /dev/stdout or /dev/fd/3 stands for. Opened anew it would begin at the front of the
// file behind it; as a copy it goes on where that file's other writers are.
std::optional<int> InheritedDescriptor(std::string_view path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    int fd = -1;
    const char* const end = path.data() + path.size();
    const auto parsed = std::from_chars(path.data() + folder.size(), end, fd);
    if (parsed.ec == std::errc() && parsed.ptr == end && fd >= 0) return fd;
  }
  return std::nullopt;
}

Result<WriteTarget> OpenStream(const std::string& path, int fd, const struct stat& info) {
  if (fd < 0) {
    if (errno == EINTR) return Error{ErrorCode::kCancelled, StrCat("interrupted while waiting for a reader of ", Plain(path))};
    return WriteError(path, "open", errno);
  }
  WriteTarget target;
  target.path = path;
  target.stream = fd;
  target.swallows = S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
  return target;
}

}  // namespace

Error WriteError(const std::string& path, const char* action, int reason) {
  const char* advice = "";
  if (reason == ENOSPC || reason == EDQUOT) advice = "; free some space, or write to another disk";
  if (reason == EFBIG) advice = "; a limit (ulimit -f) or the file system allows no file of this size";
  if (reason == EMFILE) advice = "; a limit (ulimit -n) allows no more open files";
  if (reason == ENOENT) advice = "; make the folder first";
  if (reason == EACCES || reason == EPERM || reason == EROFS) advice = "; write to a folder of yours";
  return {ErrorCode::kIo, StrCat("cannot ", action, " ", Plain(path), ": ", std::strerror(reason), advice)};
}

Status CheckNoLinkToNothing(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 || errno != ENOENT || lstat(path.c_str(), &info) != 0) return Ok();
  return Error{ErrorCode::kIo, StrCat("cannot write ", Plain(path), ": it is a link to something that is not there; ",
                                      "remove the link, or name the file itself")};
}

Result<WriteTarget> FindWriteTarget(const std::string& path) {
  if (path.empty()) return Error{ErrorCode::kInvalidArgument, "the name of the output is empty"};
  struct stat info {};
  if (const auto fd = InheritedDescriptor(path)) {
    if (fstat(*fd, &info) != 0) return WriteError(path, "write", errno);
    return OpenStream(path, fcntl(*fd, F_DUPFD_CLOEXEC, 0), info);
  }
  WriteTarget target;
  if (stat(path.c_str(), &info) != 0) {
    const int reason = errno;
    LFM_RETURN_IF_ERROR(CheckNoLinkToNothing(path));
    if (reason != ENOENT) return WriteError(path, "write", reason);
    target.path = path;
    return target;
  }
  if (S_ISDIR(info.st_mode)) return WriteError(path, "write", EISDIR);
  if (S_ISBLK(info.st_mode) || S_ISSOCK(info.st_mode)) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("cannot write ", Plain(path), ": it is a ", S_ISBLK(info.st_mode) ? "disk" : "socket", "; name a file")};
  }
  if (!S_ISREG(info.st_mode)) return OpenStream(path, open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY), info);
  if (IsMapped(info.st_dev, info.st_ino)) {
    return Error{
        ErrorCode::kInvalidArgument,
        StrCat("cannot write ", Plain(path), ": it is what is being read; name another file, so that the original stays")};
  }
  if (access(path.c_str(), W_OK) != 0) return WriteError(path, "write", errno);
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  if (!real) return WriteError(path, "write", errno);
  target.path = real.get();
  target.replaced = info;
  return target;
}

Status WriteFully(int fd, std::span<const std::byte> bytes, int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = offset < 0 ? WriteSome(fd, bytes) : pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return WriteError(path, "write", errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
    if (offset >= 0) offset += n;
  }
  return Ok();
}

Status FlushFile(int fd, const std::string& path) {
  constexpr off_t kPiece = off_t{16} << 20;
  struct stat info {};
  if (fstat(fd, &info) != 0) return WriteError(path, "flush", errno);
  for (off_t at = 0; S_ISREG(info.st_mode) && at < info.st_size; at += kPiece) {
    constexpr unsigned kAndWait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (sync_file_range(fd, at, kPiece, kAndWait) != 0) break;  // fsync says what is wrong
  }
  return fsync(fd) == 0 ? Ok() : Status(WriteError(path, "flush", errno));
}

Status CopyDescriptor(int from, int to, const std::string& path) {
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (off_t at = 0;;) {
    const ssize_t n = pread(from, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return WriteError(path, "read back what goes to", errno);
    if (n == 0) return Ok();
    LFM_RETURN_IF_ERROR(WriteFully(to, std::span(buffer).first(static_cast<size_t>(n)), -1, path));
    at += n;
  }
}

std::string SpoolFolder() {
  std::error_code failed;
  const std::string folder = std::filesystem::temp_directory_path(failed).string();
  if (failed) return ".";
  // /tmp may be memory; what was asked for by name is taken.
  return folder == "/tmp" && IsDirectory("/var/tmp") && access("/var/tmp", W_OK) == 0 ? "/var/tmp" : folder;
}

}  // namespace lfm
