// Thin helpers over POSIX files for the cache: descriptors that close themselves, errors with their reason,
// folders, small atomic files, relative links, and the lock that huggingface_hub takes for the same blob.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace lfm::hub {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// "cannot ACTION PATH: reason", with what to do for a full disk. Uses `reason`, or errno when it is 0.
Error SystemError(std::string_view action, const std::string& path, int reason = 0);
// Whether this errno means that the disk, the quota or the file system's largest file is exhausted.
bool IsFull(int reason);

// Opens or creates a file of ours for reading and writing. A link, device or pipe at that name is somebody else's: an error.
Result<Fd> OpenOwnFile(const std::string& path, mode_t mode);
// The first mount point at or below a folder, which a removal would empty; "" when there is none. Links are not followed.
std::string MountPointBelow(const std::string& folder);
Status MakeFolders(const std::string& path);
// Flushes a folder, so that names made in it survive a power cut.
void SyncFolder(const std::string& path);
// Writes a small file under a temporary name (PATH.new, so hold a lock where others may write it) and renames
// it.
Status WriteSmallFile(const std::string& path, std::string_view text);
// Makes `link` a symbolic link to `target` (kept relative), replacing what was there in one step. An error
// leaves its reason in errno.
Status ReplaceLink(const std::string& target, const std::string& link);
// The file's size (following links), if it is a regular file.
std::optional<uint64_t> FileSize(const std::string& path);
// Bytes that a user without privileges may still write on the file system of `path`.
Result<uint64_t> FreeDiskBytes(const std::string& path);

// An exclusive flock on a file that stays in place (as huggingface_hub's filelock does). Unlocks at its end.
class FileLock {
 public:
  // Waits until the lock is free; `on_wait` is called once when it is not. kCancelled when `cancel` becomes
  // true.
  static Result<FileLock> Acquire(const std::string& path, const std::atomic<bool>* cancel, const std::function<void()>& on_wait);
  // The lock, or nothing when somebody holds it.
  static Result<std::optional<FileLock>> TryAcquire(const std::string& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace lfm::hub
