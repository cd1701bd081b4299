#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/mapped_files.h"
#include "base/strings.h"

namespace lfm {
namespace {

// The files that are mapped now, each with how many mappings it has.
class MappedFiles {
 public:
  using Id = std::pair<uint64_t, uint64_t>;  // device, inode

  static MappedFiles& Get() {
    static MappedFiles* const files = new MappedFiles;  // lives on: mappings may end after all else
    return *files;
  }
  void Add(const Id& id) {
    const std::lock_guard lock(mutex_);
    ++counts_[id];
  }
  void Remove(const Id& id) {
    const std::lock_guard lock(mutex_);
    if (--counts_[id] == 0) counts_.erase(id);
  }
  bool Has(const Id& id) {
    const std::lock_guard lock(mutex_);
    return counts_.contains(id);
  }

 private:
  std::mutex mutex_;
  std::map<Id, int> counts_;
};

Error ReadError(const std::string& path, const char* action) {
  const int reason = errno;
  const std::string name = Plain(path);
  char target[4096];
  const ssize_t n = reason == ENOENT ? readlink(path.c_str(), target, sizeof target) : -1;
  if (n >= 0) {
    return {ErrorCode::kNotFound,
            StrCat("cannot ", action, " ", name, ": it is a link to ", Plain({target, static_cast<size_t>(n)}),
                   ", which is not there; fetch or copy that file again, or remove the link")};
  }
  return {reason == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
          StrCat("cannot ", action, " ", name, ": ", std::strerror(reason),
                 reason == EMFILE ? "; a limit (ulimit -n) allows no more open files" : "")};
}

// The whole pages inside `part`, or an empty range.
std::span<const std::byte> WholePages(std::span<const std::byte> part) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (end <= begin) return {};
  return {part.data() + (begin - reinterpret_cast<uintptr_t>(part.data())), end - begin};
}

}  // namespace

void CountAsMapped(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0) MappedFiles::Get().Add({info.st_dev, info.st_ino});
}

bool IsMapped(uint64_t device, uint64_t inode) { return MappedFiles::Get().Has({device, inode}); }

Result<MappedFile> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe without a writer is no reason to wait
  if (fd < 0) return ReadError(path, "open");
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Error{ErrorCode::kInvalidArgument, StrCat(Plain(path), " is not a regular file")};
  }
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<size_t>(info.st_size);
  if (file.size_ > 0) {
    void* data = mmap(nullptr, file.size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) {
      Error error = ReadError(path, "map");
      if (errno == ENOMEM) {
        error = {ErrorCode::kOutOfMemory,
                 StrCat("cannot map ", Plain(path), ": its ", HumanBytes(file.size_), " do not fit into this process's ",
                        "address space; raise the limit (ulimit -v), or take a smaller file")};
      }
      file.size_ = 0;
      close(fd);
      return error;
    }
    const MappedFiles::Id id{info.st_dev, info.st_ino};
    MappedFiles::Get().Add(id);
    file.data_ = {static_cast<const std::byte*>(data), [n = file.size_, id](const std::byte* p) {
                    munmap(const_cast<std::byte*>(p), n);
                    MappedFiles::Get().Remove(id);
                  }};
  }
  close(fd);
  return file;
}

void MappedFile::Release(std::span<const std::byte> part) const {
  const auto pages = WholePages(part);
  if (!pages.empty()) madvise(const_cast<std::byte*>(pages.data()), pages.size(), MADV_DONTNEED);
}

void MappedFile::PreferHugePages() const {
  if (data_) madvise(const_cast<std::byte*>(data_.get()), size_, MADV_HUGEPAGE);
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
  if (fd < 0) return ReadError(path, "open");
  std::string text;
  struct stat info {};
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) text.reserve(std::min(max_bytes, static_cast<size_t>(info.st_size)));
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Error error = ReadError(path, "read");
      close(fd);
      return error;
    }
    if (n == 0) break;
    text.append(buffer.data(), static_cast<size_t>(n));
    if (text.size() > max_bytes) {
      close(fd);
      return Error{ErrorCode::kLimit, StrCat(Plain(path), " is larger than the limit of ", HumanBytes(max_bytes))};
    }
  }
  close(fd);
  return text;
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
