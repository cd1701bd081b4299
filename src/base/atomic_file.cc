// AtomicFile: all of a file or nothing.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/path_name.h"
#include "base/strings.h"
#include "base/write_target.h"

namespace lfm {
namespace {

constexpr int kMostNames = 1000;  // that are tried where others are taken

std::string BaseOf(const std::string& path) { return std::filesystem::path(path).filename().string(); }

bool IsTaken(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

// The i-th name of a temporary file beside `path`.
std::string TemporaryName(const std::string& path, int i) {
  return StrCat(path, ".partial.", getpid(), i == 0 ? "" : StrCat(".", i));
}

// Whether a folder refuses what the file in it would allow.
bool FolderRefuses(int reason) { return reason == EACCES || reason == EPERM || reason == EROFS; }

// Gives `from` the name of `target`, or, where a name cannot be replaced because it is a mount point, on another file system or
// in a folder that may not be written, writes its content there. What came to stand at the name since it was looked at is no file of ours.
Status PutInPlace(const std::string& from, const WriteTarget& target) {
  struct stat now {};
  const bool there = lstat(target.path.c_str(), &now) == 0;
  if (there && !S_ISREG(now.st_mode)) {
    return Error{ErrorCode::kIo, StrCat("cannot write ", Plain(target.path), ": it is no longer a regular file")};
  }
  if (rename(from.c_str(), target.path.c_str()) == 0) return Ok();
  if (errno != EBUSY && errno != EXDEV && !(there && FolderRefuses(errno))) return WriteError(target.path, "write", errno);
  const int source = open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (source < 0) return WriteError(from, "read", errno);
  const int out = open(target.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  Status status = out < 0 ? Status(WriteError(target.path, "write", errno)) : CopyDescriptor(source, out, target.path);
  if (status.ok()) status = FlushFile(out, target.path);
  close(source);
  if (out >= 0 && close(out) != 0 && status.ok()) status = WriteError(target.path, "write", errno);
  if (status.ok()) unlink(from.c_str());
  return status;
}

}  // namespace

Result<AtomicFile> AtomicFile::Create(const std::string& path, unsigned mode) {
  LFM_TRY(WriteTarget target, FindWriteTarget(path));
  AtomicFile file;
  file.target_ = std::make_unique<WriteTarget>(std::move(target));
  if (file.target_->swallows) {
    file.fd_ = std::exchange(file.target_->stream, -1);
    return file;
  }
  const std::string spool = StrCat(SpoolFolder(), "/lfm");
  file.beside_ = file.target_->is_file() ? file.target_->path : spool;
  if (!file.OpenBeside(mode)) {
    // A file that is mounted into a container may be written, and the folder around it not.
    const int reason = errno;
    file.beside_ = spool;
    if (!FolderRefuses(reason) || file.target_->replaced.st_nlink == 0 || !file.OpenBeside(mode)) {
      return WriteError(path, "create", reason);
    }
  }
  return file;
}

bool AtomicFile::OpenBeside(unsigned mode) {
#ifdef O_TMPFILE
  if (FileExists("/proc/self/fd")) fd_ = open(FolderOfPath(beside_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  nameless_ = fd_ >= 0;
#endif
  for (int i = 0; fd_ < 0 && i < kMostNames; ++i) {
    const std::string name = TemporaryName(beside_, i);
    fd_ = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd_ < 0 && errno != EEXIST) break;
    if (fd_ >= 0) temporary_ = std::make_unique<UnfinishedFile>(name);
  }
  return fd_ >= 0;
}

AtomicFile::AtomicFile() = default;

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_), nameless_(other.nameless_),
      mapped_(std::exchange(other.mapped_, {})), target_(std::move(other.target_)), beside_(std::move(other.beside_)),
      temporary_(std::move(other.temporary_)) {}

void AtomicFile::Unmap() {
  if (!mapped_.empty()) munmap(mapped_.data(), mapped_.size());
  mapped_ = {};
}

AtomicFile::~AtomicFile() {
  Unmap();
  if (target_ && target_->stream >= 0) close(target_->stream);
  if (fd_ < 0) return;
  close(fd_);
}

Status AtomicFile::Expect(uint64_t n_bytes) const {
  if (target_->swallows) return Ok();
  std::error_code failed;
  const std::string folder = FolderOfPath(beside_);
  const auto space = std::filesystem::space(folder, failed);
  if (failed || space.available >= n_bytes) return Ok();  // what cannot be asked shows when writing
  return Error{ErrorCode::kIo, StrCat("cannot write ", Plain(target_->path), ": it needs ", HumanBytes(n_bytes), ", but only ",
                                      HumanBytes(space.available), " are free in ", Plain(folder))};
}

Status AtomicFile::Append(std::span<const std::byte> bytes) {
  LFM_RETURN_IF_ERROR(WriteFully(fd_, bytes, -1, target_->path));
  size_ += bytes.size();
  return Ok();
}

Status AtomicFile::Pad(size_t alignment) {
  const std::vector<std::byte> zeros((alignment - size_ % alignment) % alignment);
  return Append(zeros);
}

Status AtomicFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  return WriteFully(fd_, bytes, static_cast<int64_t>(offset), target_->path);
}

Result<std::span<std::byte>> AtomicFile::AppendMapped(size_t size) {
  LFM_RETURN_IF_ERROR(Pad(static_cast<size_t>(sysconf(_SC_PAGESIZE))));
  const bool is_real = !target_->swallows;
  if (is_real) {
    const int reason = posix_fallocate(fd_, static_cast<off_t>(size_), static_cast<off_t>(size));
    if (reason != 0) return WriteError(target_->path, "reserve space for", reason);
  }
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, is_real ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    is_real ? fd_ : -1, is_real ? static_cast<off_t>(size_) : 0);
  if (data == MAP_FAILED) return WriteError(target_->path, "map", errno);
  madvise(data, size, MADV_HUGEPAGE);  // what stays in the page cache is then read by huge pages
  mapped_ = {static_cast<std::byte*>(data), size};
  size_ += size;
  if (is_real && lseek(fd_, static_cast<off_t>(size_), SEEK_SET) < 0) return WriteError(target_->path, "seek in", errno);
  return mapped_;
}

Status AtomicFile::GiveTemporaryName() {
  if (!nameless_) return Ok();
  const std::string self = StrCat("/proc/self/fd/", fd_);
  for (int i = 0; i < kMostNames; ++i) {
    const std::string name = TemporaryName(beside_, i);
    if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = std::make_unique<UnfinishedFile>(name);
      nameless_ = false;
      return Ok();
    }
    if (errno != EEXIST) break;
  }
  return WriteError(target_->path, "write", errno);
}

Status AtomicFile::Commit() {
  Unmap();
  if (target_->swallows) return Ok();
  if (!target_->is_file()) return CopyDescriptor(fd_, target_->stream, target_->path);
  LFM_RETURN_IF_ERROR(FlushFile(fd_, target_->path));
  if (const struct stat& old = target_->replaced; old.st_nlink > 0) {
    // The new content keeps the old one's owner, where that may be, and permissions.
    [[maybe_unused]] const int owned = fchown(fd_, old.st_uid, old.st_gid);
    fchmod(fd_, old.st_mode & 0777);
  }
  LFM_RETURN_IF_ERROR(GiveTemporaryName());
  if (close(std::exchange(fd_, -1)) != 0) return WriteError(target_->path, "write", errno);
  const Status status = PutInPlace(temporary_->path(), *target_);
  temporary_.reset();  // removes what failed; what went well has another name now
  return status;
}

namespace {

// Names that a signal handler can read: each is complete before it is shown.
constexpr size_t kMostUnfinished = 64;
std::array<std::atomic<const char*>, kMostUnfinished> unfinished{};
static_assert(std::atomic<const char*>::is_always_lock_free);

}  // namespace

UnfinishedFile::UnfinishedFile(std::string path) : path_(std::move(path)) {
  char* const copy = strdup(path_.c_str());
  for (size_t i = 0; copy != nullptr && i < kMostUnfinished; ++i) {
    const char* empty = nullptr;
    if (!unfinished[i].compare_exchange_strong(empty, copy)) continue;
    slot_ = static_cast<int>(i);
    return;
  }
  std::free(copy);
}

UnfinishedFile::UnfinishedFile(UnfinishedFile&& other) noexcept
    : path_(std::exchange(other.path_, "")), slot_(std::exchange(other.slot_, -1)) {}

UnfinishedFile::~UnfinishedFile() {
  if (!path_.empty()) unlink(path_.c_str());
  if (slot_ >= 0) std::free(const_cast<char*>(unfinished[static_cast<size_t>(slot_)].exchange(nullptr)));
}

void RemoveUnfinishedFiles() noexcept {
  for (const auto& name : unfinished) {
    if (const char* const path = name.load()) unlink(path);
  }
}

Status MoveFile(const std::string& from, const std::string& to) {
  LFM_TRY(const WriteTarget target, FindWriteTarget(to));
  if (target.is_file()) return PutInPlace(from, target);
  const int source = open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  Status status = source < 0        ? Status(WriteError(from, "read", errno))
                  : target.swallows ? Ok()
                                    : CopyDescriptor(source, target.stream, to);
  if (source >= 0) close(source);
  close(target.stream);
  if (status.ok()) unlink(from.c_str());
  return status;
}

Result<std::string> NameBeside(const std::string& path, std::string_view suffix) {
  std::string beside = path;
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) beside = StrCat(SpoolFolder(), "/", BaseOf(path));
  for (int i = 0; i < kMostNames; ++i) {
    std::string name = StrCat(beside, suffix, ".", getpid(), i == 0 ? "" : StrCat(".", i));
    if (!IsTaken(name)) return name;
  }
  return Error{ErrorCode::kIo, StrCat("too many files are beside ", Plain(path))};
}

}  // namespace lfm
