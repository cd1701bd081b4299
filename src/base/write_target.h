// What a name means as an output: a file to replace, or a device or pipe to write into. Nothing but regular files is
// ever replaced, and a link is never taken for the file that it leads to.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace lfm {

// One of two things: a regular file, there or not, by its own name; or something that is open already.
struct WriteTarget {
  std::string path;         // of the regular file, links followed; else the name as given
  struct stat replaced {};  // of the file that is there; st_nlink is 0 where there is none
  int stream = -1;          // a character device, a pipe or an inherited descriptor, open for writing; the caller closes it
  bool swallows = false;    // the stream is the null device

  bool is_file() const { return stream < 0; }
};

// Opens devices and pipes; a pipe without a reader is waited for. Refuses folders, disks, sockets and links that lead
// nowhere. Errors are kIo, or kInvalidArgument for what no output can be.
Result<WriteTarget> FindWriteTarget(const std::string& path);

// Ok but for a link that leads nowhere, in words that say so: opening it would make what it leads to.
Status CheckNoLinkToNothing(const std::string& path);

// What ends writing, in words and with what to do.
Error WriteError(const std::string& path, const char* action, int reason);

// Writes all of it at the descriptor's own position (offset < 0) or at an offset.
Status WriteFully(int fd, std::span<const std::byte> bytes, int64_t offset, const std::string& path);

// fsync, piece by piece: while the system flushes a piece, no signal ends the process, so none may be gigabytes.
Status FlushFile(int fd, const std::string& path);

// All of a file, from its beginning, to the position of another descriptor.
Status CopyDescriptor(int from, int to, const std::string& path);

// Where bytes wait that cannot be written in place: $TMPDIR, or the system's folder for large temporary files.
std::string SpoolFolder();

}  // namespace lfm
