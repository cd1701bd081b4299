// Which files this process has mapped.
#pragma once

#include <cstdint>
#include <string>

namespace lfm {

// Whether a MappedFile of this device and inode is open in this process: what reads it would lose it, were it replaced.
// Thread-safe.
bool IsMapped(uint64_t device, uint64_t inode);
// IsMapped holds for this file from now on, until the process ends: for a source whose mapping ends before the output is
// written. Does nothing where the file is not there. Thread-safe.
void CountAsMapped(const std::string& path);

}  // namespace lfm
