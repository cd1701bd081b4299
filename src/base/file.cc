#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace lfm {
namespace {

Error IoError(const std::string& path, const char* action) {
  const int reason = errno;
  return {reason == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
          StrCat("cannot ", action, " ", path, ": ", std::strerror(reason))};
}

// The whole pages inside `part`, or an empty range.
std::span<const std::byte> WholePages(std::span<const std::byte> part) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (end <= begin) return {};
  return {part.data() + (begin - reinterpret_cast<uintptr_t>(part.data())), end - begin};
}

Status WriteFully(int fd, std::span<const std::byte> bytes, int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = offset < 0 ? write(fd, bytes.data(), bytes.size())
                                 : pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return IoError(path, "write");
    bytes = bytes.subspan(static_cast<size_t>(n));
    if (offset >= 0) offset += n;
  }
  return Ok();
}

}  // namespace

Result<MappedFile> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError(path, "open");
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Error{ErrorCode::kInvalidArgument, StrCat(path, " is not a regular file")};
  }
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<size_t>(info.st_size);
  if (file.size_ > 0) {
    void* data = mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      const Error error = IoError(path, "map");
      file.size_ = 0;
      close(fd);
      return error;
    }
    file.data_ = {static_cast<const std::byte*>(data),
                  [n = file.size_](const std::byte* p) { munmap(const_cast<std::byte*>(p), n); }};
  }
  close(fd);
  return file;
}

void MappedFile::Release(std::span<const std::byte> part) const {
  const auto pages = WholePages(part);
  if (!pages.empty()) madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_DONTNEED);
}

void MappedFile::WillNeed(std::span<const std::byte> part) const {
  const auto pages = WholePages(part);
  if (!pages.empty()) madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_WILLNEED);
}

void MappedFile::Populate(std::span<const std::byte> part) const {
#ifdef MADV_POPULATE_READ
  const auto pages = WholePages(part);
  if (!pages.empty()) madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_POPULATE_READ);
#else
  WillNeed(part);
#endif
}

Result<std::string> ReadWholeFile(const std::string& path, size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError(path, "open");
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Error error = IoError(path, "read");
      close(fd);
      return error;
    }
    if (n == 0) break;
    text.append(buffer.data(), static_cast<size_t>(n));
    if (text.size() > max_bytes) {
      close(fd);
      return Error{ErrorCode::kLimit, StrCat(path, " is larger than the limit of ", HumanBytes(max_bytes))};
    }
  }
  close(fd);
  return text;
}

Result<AtomicFile> AtomicFile::Create(const std::string& path, unsigned mode) {
  AtomicFile file;
  file.path_ = path;
  file.temporary_ = StrCat(path, ".partial.", getpid());
#ifdef O_TMPFILE
  const size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (FileExists("/proc/self/fd")) file.fd_ = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  file.nameless_ = file.fd_ >= 0;
  if (file.nameless_) return file;
#endif
  file.fd_ = open(file.temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file.fd_ < 0) return IoError(path, "create");
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      nameless_(other.nameless_),
      mapped_(std::exchange(other.mapped_, {})),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)) {}

void AtomicFile::Unmap() {
  if (!mapped_.empty()) munmap(mapped_.data(), mapped_.size());
  mapped_ = {};
}

AtomicFile::~AtomicFile() {
  Unmap();
  if (fd_ < 0) return;
  close(fd_);
  if (!nameless_) unlink(temporary_.c_str());
}

Status AtomicFile::Append(std::span<const std::byte> bytes) {
  LFM_RETURN_IF_ERROR(WriteFully(fd_, bytes, -1, path_));
  size_ += bytes.size();
  return Ok();
}

Status AtomicFile::Pad(size_t alignment) {
  const std::vector<std::byte> zeros((alignment - size_ % alignment) % alignment);
  return Append(zeros);
}

Status AtomicFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  return WriteFully(fd_, bytes, static_cast<int64_t>(offset), path_);
}

Result<std::span<std::byte>> AtomicFile::AppendMapped(size_t size) {
  LFM_RETURN_IF_ERROR(Pad(static_cast<size_t>(sysconf(_SC_PAGESIZE))));
  errno = posix_fallocate(fd_, static_cast<off_t>(size_), static_cast<off_t>(size));
  if (errno != 0) return IoError(path_, "reserve space for");
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, static_cast<off_t>(size_));
  if (data == MAP_FAILED) return IoError(path_, "map");
  mapped_ = {static_cast<std::byte*>(data), size};
  size_ += size;
  if (lseek(fd_, static_cast<off_t>(size_), SEEK_SET) < 0) return IoError(path_, "seek in");
  return mapped_;
}

Status AtomicFile::GiveTemporaryName() {
  if (!nameless_) return Ok();
  unlink(temporary_.c_str());  // of a dead process that had our number
  const std::string self = StrCat("/proc/self/fd/", fd_);
  if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return IoError(path_, "write");
  }
  nameless_ = false;
  return Ok();
}

Status AtomicFile::Commit() {
  Unmap();
  if (fsync(fd_) != 0) return IoError(path_, "flush");
  LFM_RETURN_IF_ERROR(GiveTemporaryName());
  const int closed = close(std::exchange(fd_, -1));
  if (closed != 0 || rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Error error = IoError(path_, "write");
    unlink(temporary_.c_str());
    return error;
  }
  return Ok();
}

bool FileExists(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0;
}

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace lfm
