// Files: read-only mappings, whole small files, and writing that never leaves half a file under its final name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lfm {

// A whole file mapped read-only. Copies share the mapping; the last one unmaps it. Thread-safe to read.
class MappedFile {
 public:
  static Result<MappedFile> Open(const std::string& path);

  std::span<const std::byte> bytes() const { return {data_.get(), data_ ? size_ : 0}; }
  const std::string& path() const { return path_; }
  // Tells the kernel that these bytes are no longer needed in memory (they can be read again from the file).
  void Release(std::span<const std::byte> part) const;
  // Asks the kernel to read the file by huge pages from now on, and to map it by them, which takes a tenth of the time. It can
  // where the file system has such pages in its cache (ext4 since Linux 6.16, xfs, btrfs); elsewhere nothing changes.
  void PreferHugePages() const;
  // Asks the kernel to read these bytes ahead.
  void WillNeed(std::span<const std::byte> part) const;
  // Brings these bytes into this process's memory map now, in one call; does nothing where the kernel cannot.
  void Populate(std::span<const std::byte> part) const;

 private:
  std::shared_ptr<const std::byte> data_;
  size_t size_ = 0;
  std::string path_;
};

// The whole content of a file of at most max_bytes.
Result<std::string> ReadWholeFile(const std::string& path, size_t max_bytes = size_t{256} << 20);

struct WriteTarget;
class UnfinishedFile;

// Writes `path` through a temporary file in the same folder that gets its name by Commit(). Without Commit() nothing
// remains; where the file system knows files without a name (O_TMPFILE), not even after SIGKILL.
// A link is followed and stays a link; only regular files are replaced. A device, a pipe or an inherited descriptor
// (/dev/null, /dev/stdout, a FIFO) gets all bytes by Commit(), and so does a file that is a mount point.
class AtomicFile {
 public:
  // `mode`: the file's permissions, before the umask.
  static Result<AtomicFile> Create(const std::string& path, unsigned mode = 0644);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  // An error where the disk has less left than the file is going to need.
  Status Expect(uint64_t n_bytes) const;

  Status Append(std::span<const std::byte> bytes);
  Status Append(std::string_view text) { return Append(std::as_bytes(std::span(text.data(), text.size()))); }
  // Appends zero bytes up to the next multiple of `alignment`.
  Status Pad(size_t alignment);
  // Overwrites bytes that were already appended (headers whose content is known last).
  Status WriteAt(uint64_t offset, std::span<const std::byte> bytes);
  // Appends `size` bytes of disk space, mapped for writing until Commit(). The space is really taken, so a full disk is
  // an error here and never a signal later.
  Result<std::span<std::byte>> AppendMapped(size_t size);
  uint64_t size() const { return size_; }
  // Flushes to disk and gives the file its final name.
  Status Commit();

 private:
  AtomicFile();
  void Unmap();
  bool OpenBeside(unsigned mode);  // a temporary file; false: errno tells why not
  Status GiveTemporaryName();

  int fd_ = -1;
  uint64_t size_ = 0;
  bool nameless_ = false;
  std::span<std::byte> mapped_;
  std::unique_ptr<WriteTarget> target_;
  std::string beside_;                         // the file whose folder holds the temporary one
  std::unique_ptr<UnfinishedFile> temporary_;  // where it has a name
};

// A file of ours that is needed while something else is made, and gone at the end of this object.
class UnfinishedFile {
 public:
  explicit UnfinishedFile(std::string path);
  UnfinishedFile(UnfinishedFile&& other) noexcept;
  UnfinishedFile& operator=(UnfinishedFile&&) = delete;
  ~UnfinishedFile();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int slot_ = -1;
};
// Removes every unfinished file that has a name, of AtomicFile too: for the way out of a process that is told to end now.
// May be called from a signal handler.
void RemoveUnfinishedFiles() noexcept;

// Gives a file of ours the name `to`, by the rules of AtomicFile; it is gone from `from` then.
Status MoveFile(const std::string& from, const std::string& to);
// A name that nothing has, for a file that is needed while `path` is made: in its folder, or where temporary files lie
// when `path` is a device or a pipe.
Result<std::string> NameBeside(const std::string& path, std::string_view suffix);

bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);

}  // namespace lfm
