#include "report/disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/strings.h"
#include "base/threads.h"

namespace lfm::report {
namespace {

constexpr size_t kReadBlock = size_t{4} << 20;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;
constexpr double kMostSeconds = 1;
constexpr int kReaders = 4;          // one reader does not keep a solid-state disk busy
constexpr size_t kAlignment = 4096;  // what O_DIRECT may ask for

struct FreeBytes {
  void operator()(std::byte* p) const { std::free(p); }
};
using Buffer = std::unique_ptr<std::byte, FreeBytes>;

class ReadOnlyFile {
 public:
  ReadOnlyFile(const std::string& path, int flags) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {}
  ~ReadOnlyFile() {
    if (fd_ >= 0) close(fd_);
  }
  ReadOnlyFile(const ReadOnlyFile&) = delete;
  ReadOnlyFile& operator=(const ReadOnlyFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Reads the first n_bytes block by block; nothing where a read fails.
std::optional<DiskSpeed> ReadBlocks(int fd, uint64_t n_bytes, DiskMethod method) {
  Threads readers(kReaders);
  std::vector<Buffer> buffers;
  for (int i = 0; i < kReaders; ++i) {
    buffers.emplace_back(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kReadBlock)));
    if (!buffers.back()) return std::nullopt;
  }
  std::atomic<uint64_t> n_read{0};
  std::atomic<bool> failed{false};
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  readers.For(static_cast<int64_t>((n_bytes + kReadBlock - 1) / kReadBlock), 1, [&](int64_t first, int64_t last, int i_thread) {
    for (int64_t i = first; i < last && !failed && elapsed() < kMostSeconds; ++i) {
      const ssize_t n = pread(fd, buffers[static_cast<size_t>(i_thread)].get(), kReadBlock, i * static_cast<off_t>(kReadBlock));
      if (n <= 0) failed = true;
      n_read += static_cast<uint64_t>(std::max<ssize_t>(n, 0));
    }
  });
  if (failed || n_read == 0) return std::nullopt;
  return DiskSpeed{static_cast<double>(n_read.load()) / elapsed(), n_read, method};
}

// Whether any of the file's first n_bytes is in memory now.
bool IsCached(int fd, size_t n_bytes) {
  void* memory = mmap(nullptr, n_bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return true;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident((n_bytes + page - 1) / page);
  const bool known = mincore(memory, n_bytes, resident.data()) == 0;
  munmap(memory, n_bytes);
  return !known || std::any_of(resident.begin(), resident.end(), [](unsigned char r) { return (r & 1) != 0; });
}

}  // namespace

std::string_view DiskMethodName(DiskMethod method) {
  switch (method) {
    case DiskMethod::kDirect: return "direct";
    case DiskMethod::kDropped: return "dropped from the cache";
    case DiskMethod::kCached: return "from the cache";
  }
  return "";
}

Result<DiskSpeed> MeasureDiskSpeed(const std::string& path) {
  const ReadOnlyFile plain(path, 0);
  struct stat info {};
  if (plain.fd() < 0 || fstat(plain.fd(), &info) != 0) {
    return Error{ErrorCode::kIo, StrCat("cannot read ", path, ": ", std::strerror(errno))};
  }
  const uint64_t n_bytes = std::min(static_cast<uint64_t>(info.st_size), kMostBytes);
  if (!S_ISREG(info.st_mode) || n_bytes == 0) {
    return Error{ErrorCode::kIo, StrCat(path, " is no file with content; its speed cannot be measured")};
  }
  if (const ReadOnlyFile direct(path, O_DIRECT); direct.fd() >= 0) {
    if (const auto speed = ReadBlocks(direct.fd(), n_bytes, DiskMethod::kDirect)) return *speed;
  }
  posix_fadvise(plain.fd(), 0, 0, POSIX_FADV_DONTNEED);
  const bool cached = IsCached(plain.fd(), static_cast<size_t>(n_bytes));
  if (const auto speed = ReadBlocks(plain.fd(), n_bytes, cached ? DiskMethod::kCached : DiskMethod::kDropped)) {
    return *speed;
  }
  return Error{ErrorCode::kIo, StrCat("cannot read ", path, " to its end")};
}

}  // namespace lfm::report
