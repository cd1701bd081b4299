#include "quant/base_logits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "base/write_target.h"

namespace lfm::quant {
namespace {

constexpr char kMagic[8] = {'L', 'F', 'M', 'B', 'A', 'S', 'E', '1'};
constexpr float kRange = 30;  // nats below the best token: what is less likely counts as that

struct Header {
  char magic[8];
  uint64_t n_vocab, n_passages, n_rows, fingerprint;
};
constexpr size_t kHeaderBytes = sizeof(Header);

size_t RowSize(int64_t n_vocab) { return 12 + 2 * static_cast<size_t>(n_vocab); }

Header MakeHeader(std::span<const Passage> passages, int64_t n_vocab) {
  Header header{};
  std::memcpy(header.magic, kMagic, 8);
  header.n_vocab = static_cast<uint64_t>(n_vocab);
  header.n_passages = passages.size();
  for (const Passage& passage : passages) header.n_rows += static_cast<uint64_t>(passage.n_counted());
  header.fingerprint = Fingerprint(passages);
  return header;
}

// Beside the file, so that what was interrupted is found again; for a device or a pipe there is no such place.
Result<std::string> PartialPath(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode))) return NameBeside(path, "");
  // Hours of work have no place to go otherwise: a folder, a link that leads nowhere.
  LFM_TRY(const WriteTarget target, FindWriteTarget(path));
  if (target.is_file()) return path + ".partial";
  close(target.stream);
  return NameBeside(path, "");
}

}  // namespace

void BaseRow::Decode(std::span<float> out) const {
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t code;
    std::memcpy(&code, codes.data() + 2 * i, 2);
    out[i] = top - static_cast<float>(code) * step;
  }
}

BaseWriter::BaseWriter(BaseWriter&& other) noexcept
    : path_(std::move(other.path_)), partial_(std::move(other.partial_)), fd_(std::exchange(other.fd_, -1)),
      n_vocab_(other.n_vocab_), n_done_(other.n_done_), n_passages_(other.n_passages_),
      rows_before_(std::move(other.rows_before_)), buffer_(std::move(other.buffer_)) {}

BaseWriter::~BaseWriter() {
  if (fd_ >= 0) close(fd_);
}

Result<BaseWriter> BaseWriter::Open(const std::string& path, std::span<const Passage> passages, int64_t n_vocab) {
  BaseWriter writer;
  writer.path_ = path;
  writer.n_vocab_ = n_vocab;
  writer.n_passages_ = static_cast<int64_t>(passages.size());
  writer.rows_before_.push_back(0);
  for (const Passage& passage : passages) {
    writer.rows_before_.push_back(writer.rows_before_.back() + static_cast<uint64_t>(passage.n_counted()));
  }
  LFM_TRY(writer.partial_, PartialPath(path));
  const std::string& partial = writer.partial_;
  writer.fd_ = open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
  if (writer.fd_ < 0) return WriteError(partial, "create", errno);
  const Header header = MakeHeader(passages, n_vocab);
  Header present{};
  struct stat info {};
  uint64_t n_rows = 0;
  const bool is_file = fstat(writer.fd_, &info) == 0 && S_ISREG(info.st_mode);
  const bool is_ours =
      is_file &&
      (info.st_size == 0 || (pread(writer.fd_, &present, kHeaderBytes, 0) > 0 && std::memcmp(present.magic, kMagic, 8) == 0));
  if (!is_ours) {
    return Error{ErrorCode::kInvalidArgument, StrCat(Plain(partial),
                                                     " is there and holds no predictions that could be gone on "
                                                     "with; move it away, or name another file")};
  }
  if (pread(writer.fd_, &present, kHeaderBytes, 0) == static_cast<ssize_t>(kHeaderBytes) &&
      std::memcmp(&present, &header, kHeaderBytes) == 0 && fstat(writer.fd_, &info) == 0) {
    n_rows = (static_cast<uint64_t>(info.st_size) - kHeaderBytes) / RowSize(n_vocab);
  }
  while (writer.n_done_ < writer.n_passages_ && writer.rows_before_[static_cast<size_t>(writer.n_done_) + 1] <= n_rows) {
    ++writer.n_done_;
  }
  const uint64_t keep = writer.rows_before_[static_cast<size_t>(writer.n_done_)];
  const auto size = static_cast<off_t>(kHeaderBytes + keep * RowSize(n_vocab));
  Status begun = WriteFully(writer.fd_, std::as_bytes(std::span(&header, 1)), 0, partial);
  if (begun.ok() && (ftruncate(writer.fd_, size) != 0 || lseek(writer.fd_, size, SEEK_SET) < 0)) {
    begun = WriteError(partial, "write", errno);
  }
  if (begun.ok()) return writer;
  // Without a whole header nobody could go on with it, and the next one would take it for another program's file.
  if (writer.n_done_ == 0) unlink(partial.c_str());
  return begun.error();
}

Result<std::vector<float>> BaseWriter::Logprobs(int64_t i_passage) const {
  const auto i = static_cast<size_t>(i_passage);
  std::vector<float> values;
  for (uint64_t row = rows_before_[i]; row < rows_before_[i + 1]; ++row) {
    float value = 0;
    const auto at = static_cast<off_t>(kHeaderBytes + row * RowSize(n_vocab_));
    if (pread(fd_, &value, sizeof value, at) != static_cast<ssize_t>(sizeof value)) return WriteError(partial_, "read", errno);
    values.push_back(value);
  }
  return values;
}

void BaseWriter::Add(std::span<const float> logprobs, int32_t token) {
  const auto [least, top] = std::minmax_element(logprobs.begin(), logprobs.end());
  const float range = std::min(kRange, *top - *least);
  const float step = range > 0 ? range / 65535.0f : 1.0f;
  const float values[3] = {logprobs[static_cast<size_t>(token)], *top, step};
  const size_t at = buffer_.size();
  buffer_.resize(at + RowSize(n_vocab_));
  std::memcpy(buffer_.data() + at, values, 12);
  for (size_t i = 0; i < logprobs.size(); ++i) {
    const float steps = std::min((*top - logprobs[i]) / step + 0.5f, 65535.0f);
    const auto code = static_cast<uint16_t>(steps);
    std::memcpy(buffer_.data() + at + 12 + 2 * i, &code, 2);
  }
}

Status BaseWriter::EndPassage() {
  LFM_RETURN_IF_ERROR(WriteFully(fd_, std::as_bytes(std::span(buffer_)), -1, partial_));
  buffer_.clear();
  ++n_done_;
  return Ok();
}

Status BaseWriter::Finish() {
  LFM_RETURN_IF_ERROR(FlushFile(fd_, path_));
  return MoveFile(partial_, path_);
}

Result<BaseReader> BaseReader::Open(const std::string& path, std::span<const Passage> passages, int64_t n_vocab) {
  BaseReader reader;
  LFM_TRY(reader.file_, MappedFile::Open(path));
  const auto bytes = reader.file_.bytes();
  Header header{};
  if (bytes.size() >= kHeaderBytes) std::memcpy(&header, bytes.data(), kHeaderBytes);
  if (std::memcmp(header.magic, kMagic, 8) != 0) {
    return Error{ErrorCode::kCorrupt, path + " holds no saved predictions; save those of the model to compare with first"};
  }
  const Header wanted = MakeHeader(passages, n_vocab);
  if (std::memcmp(&header, &wanted, kHeaderBytes) != 0) {
    return Error{ErrorCode::kInvalidArgument, path +
                                                  " was made from another text, context or vocabulary; use the same "
                                                  "ones, or save it again"};
  }
  reader.row_bytes_ = RowSize(n_vocab);
  if (bytes.size() != kHeaderBytes + wanted.n_rows * reader.row_bytes_) {
    return Error{ErrorCode::kCorrupt, StrCat(path, " has ", bytes.size(), " bytes, expected ",
                                             kHeaderBytes + wanted.n_rows * reader.row_bytes_, "; make it again")};
  }
  return reader;
}

BaseRow BaseReader::Row(uint64_t i_row) const {
  const auto row = file_.bytes().subspan(kHeaderBytes + i_row * row_bytes_, row_bytes_);
  float values[3];
  std::memcpy(values, row.data(), 12);
  return {values[0], values[1], values[2], row.subspan(12)};
}

}  // namespace lfm::quant
