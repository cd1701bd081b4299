// POSIX helpers of the cache.
#include "hub/posix.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/path_name.h"
#include "base/strings.h"

namespace lfm::hub {

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

bool IsFull(int reason) { return reason == ENOSPC || reason == EDQUOT || reason == EFBIG; }

Error SystemError(std::string_view action, const std::string& path, int reason) {
  if (reason == 0) reason = errno;
  std::string message = StrCat("cannot ", action, " ", path, ": ", std::strerror(reason));
  if (reason == ENOSPC || reason == EDQUOT) message += "; free some space, or set HF_HUB_CACHE to another disk";
  if (reason == EFBIG) message += "; this file system or a limit (ulimit -f) does not allow a file of this size";
  if (reason == EACCES || reason == EPERM || reason == EROFS) {
    message += "; check the folder's owner, or set HF_HUB_CACHE to a folder of yours";
  }
  return {reason == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, message};
}

Status MakeFolders(const std::string& path) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0777) == 0 || errno == EEXIST) continue;
    const int reason = errno;
    struct stat info {};
    if (stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;  // e.g. read-only, but there
    return SystemError("create the folder", part, reason);
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return SystemError("create the folder", path, ENOTDIR);
  }
  return Ok();
}

void SyncFolder(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) fsync(fd.get());
}

namespace {

bool IsMountPoint(const std::string& path) {
#ifdef STATX_ATTR_MOUNT_ROOT
  struct statx info {};
  return statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &info) == 0 && (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
  struct stat here {
  }, parent{};
  return lstat(path.c_str(), &here) == 0 && stat(FolderOfPath(path).c_str(), &parent) == 0 && here.st_dev != parent.st_dev;
#endif
}

// What renaming onto this name would destroy.
bool IsForeign(const std::string& path, bool links_are_ours) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return false;
  return !S_ISREG(info.st_mode) && !(links_are_ours && S_ISLNK(info.st_mode));
}

Error ForeignError(const std::string& path) {
  return {ErrorCode::kIo, StrCat("cannot write ", path, ": something that is no file of lfm is there; move it away")};
}

}  // namespace

std::string MountPointBelow(const std::string& folder) {
  if (IsMountPoint(folder)) return folder;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (IsMountPoint(it->path().string())) return it->path().string();
  }
  return "";
}

Result<Fd> OpenOwnFile(const std::string& path, mode_t mode) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode));
  struct stat info {};
  if (fd.get() < 0 && errno != ELOOP && errno != ENXIO) return SystemError("create", path);
  if (fd.get() >= 0 && fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) return fd;
  return ForeignError(path);
}

Status WriteSmallFile(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";  // one fixed name: what a killed process left is overwritten
  {
    LFM_TRY(const Fd fd, OpenOwnFile(temporary, 0666));
    if (ftruncate(fd.get(), 0) != 0) return SystemError("empty", temporary);
    while (!text.empty()) {
      const ssize_t n = write(fd.get(), text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        const Error error = SystemError("write", temporary);
        unlink(temporary.c_str());
        return error;
      }
      text.remove_prefix(static_cast<size_t>(n));
    }
    fsync(fd.get());
  }
  if (IsForeign(path, false)) {
    unlink(temporary.c_str());
    return ForeignError(path);
  }
  if (rename(temporary.c_str(), path.c_str()) == 0) return Ok();
  const Error error = SystemError("rename", temporary);
  unlink(temporary.c_str());
  return error;
}

Status ReplaceLink(const std::string& target, const std::string& link) {
  char now[4096];
  const ssize_t n = readlink(link.c_str(), now, sizeof now);
  if (n >= 0 && std::string_view(now, static_cast<size_t>(n)) == target) return Ok();
  if (IsForeign(link, true)) {
    errno = 0;
    return ForeignError(link);
  }
  const std::string temporary = StrCat(link, ".", getpid(), ".link");
  unlink(temporary.c_str());
  int reason = 0;
  if (symlink(target.c_str(), temporary.c_str()) == 0) {
    if (rename(temporary.c_str(), link.c_str()) == 0) return Ok();
    reason = errno;
    unlink(temporary.c_str());
  } else {
    reason = errno;
  }
  const Error error = SystemError("link", link, reason);
  errno = reason;
  return error;
}

std::optional<uint64_t> FileSize(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

Result<uint64_t> FreeDiskBytes(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return SystemError("ask for the free space of", path);
  return uint64_t{info.f_bavail} * info.f_frsize;
}

Result<std::optional<FileLock>> FileLock::TryAcquire(const std::string& path) {
  LFM_TRY(Fd fd, OpenOwnFile(path, 0664));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) return std::optional<FileLock>();
    // Some network file systems have no locks. The hash still keeps two writers from a wrong result.
    const bool without_locks = errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP;
    if (!without_locks) return SystemError("lock", path);
  }
  struct stat ours {
  }, named{};
  // Somebody may have removed the name between open and flock; a lock on it would then protect nothing.
  const bool same = fstat(fd.get(), &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
                    ours.st_dev == named.st_dev;
  if (!same) return std::optional<FileLock>();
  return std::optional<FileLock>(FileLock(std::move(fd)));
}

Result<FileLock> FileLock::Acquire(const std::string& path, const std::atomic<bool>* cancel,
                                   const std::function<void()>& on_wait) {
  for (bool told = false;;) {
    LFM_TRY(std::optional<FileLock> lock, TryAcquire(path));
    if (lock) return std::move(*lock);
    if (!told && on_wait) on_wait();
    told = true;
    if (cancel && *cancel) return Error{ErrorCode::kCancelled, "interrupted while waiting for another download"};
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace lfm::hub
