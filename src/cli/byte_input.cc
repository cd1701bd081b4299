#include "cli/byte_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/strings.h"

namespace lfm::cli {
namespace {

constexpr size_t kPackedBytes = size_t{1} << 16;

// The descriptor's bytes as they are.
class PlainInput : public ByteInput {
 public:
  PlainInput(int fd, bool owns, std::string name, uint64_t size) : fd_(fd), owns_(owns), name_(std::move(name)), size_(size) {}
  ~PlainInput() override {
    if (owns_) close(fd_);
  }
  PlainInput(const PlainInput&) = delete;
  PlainInput& operator=(const PlainInput&) = delete;

  Result<size_t> Read(char* buffer, size_t size) override {
    if (!ahead_.empty()) {  // what was looked at before
      const size_t n = std::min(size, ahead_.size());
      std::memcpy(buffer, ahead_.data(), n);
      ahead_.erase(0, n);
      return n;
    }
    const ssize_t n = ReadSome(fd_, std::as_writable_bytes(std::span(buffer, size)));
    if (n < 0) return Error{ErrorCode::kIo, StrCat("cannot read ", Plain(name_), ": ", std::strerror(errno))};
    n_read_ += static_cast<uint64_t>(n);
    return static_cast<size_t>(n);
  }
  uint64_t size() const override { return size_; }
  uint64_t n_read() const override { return n_read_; }
  const std::string& name() const { return name_; }

  Result<bool> BeginsLikeGzip() {
    char bytes[2];
    size_t n = 0;
    while (n < sizeof bytes) {
      LFM_TRY(const size_t more, Read(bytes + n, sizeof bytes - n));
      if (more == 0) break;
      n += more;
    }
    ahead_.assign(bytes, n);
    return n == 2 && static_cast<unsigned char>(bytes[0]) == 0x1F && static_cast<unsigned char>(bytes[1]) == 0x8B;
  }

 private:
  const int fd_;
  const bool owns_;
  const std::string name_;
  const uint64_t size_;
  uint64_t n_read_ = 0;
  std::string ahead_;
};

// The same, unpacked: one or more gzip members behind each other (RFC 1952).
class GzipInput : public ByteInput {
 public:
  explicit GzipInput(std::unique_ptr<PlainInput> packed) : packed_(std::move(packed)), buffer_(kPackedBytes) {}
  ~GzipInput() override { inflateEnd(&stream_); }
  GzipInput(const GzipInput&) = delete;
  GzipInput& operator=(const GzipInput&) = delete;

  Status Begin() {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK) return Ok();
    return Error{ErrorCode::kOutOfMemory, "no memory to unpack gzip"};
  }

  Result<size_t> Read(char* buffer, size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(size, size_t{1} << 30));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (stream_.avail_in == 0) {
        LFM_TRY(const size_t n, packed_->Read(buffer_.data(), buffer_.size()));
        stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
        stream_.avail_in = static_cast<uInt>(n);
        if (n == 0 && !within_) return size_t{0};
        if (n == 0) return Damaged("it ends in the middle");
      }
      if (!within_ && inflateReset(&stream_) != Z_OK) return Damaged("it cannot be unpacked");
      within_ = true;
      const int code = inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_STREAM_END) {
        within_ = false;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return Damaged(stream_.msg ? stream_.msg : "it cannot be unpacked");
      }
    }
    return static_cast<size_t>(wanted - stream_.avail_out);
  }
  uint64_t size() const override { return packed_->size(); }
  uint64_t n_read() const override { return packed_->n_read(); }

 private:
  Error Damaged(std::string_view why) const {
    return {ErrorCode::kCorrupt, StrCat(Plain(packed_->name()), " is no sound gzip file: ", why)};
  }

  std::unique_ptr<PlainInput> packed_;
  std::vector<char> buffer_;
  z_stream stream_{};
  bool within_ = true;  // a member has begun
};

}  // namespace

Result<std::unique_ptr<ByteInput>> ByteInput::Open(const std::string& path) {
  const bool is_input = path == "-";
  const std::string name = is_input ? "standard input" : path;
  const int fd = is_input ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 StrCat("cannot open ", Plain(name), ": ", std::strerror(errno))};
  }
  struct stat info {};
  const bool known = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  auto plain = std::make_unique<PlainInput>(fd, !is_input, name, known ? static_cast<uint64_t>(info.st_size) : 0);
  LFM_TRY(const bool packed, plain->BeginsLikeGzip());
  if (!packed) return std::unique_ptr<ByteInput>(std::move(plain));
  auto gzip = std::make_unique<GzipInput>(std::move(plain));
  LFM_RETURN_IF_ERROR(gzip->Begin());
  return std::unique_ptr<ByteInput>(std::move(gzip));
}

}  // namespace lfm::cli
