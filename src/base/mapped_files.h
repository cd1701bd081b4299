// Which files this process has mapped.
#pragma once

#include <cstdint>

namespace lfm {

// Whether a MappedFile of this device and inode is open in this process: what reads it would lose it, were it replaced.
// Thread-safe.
bool IsMapped(uint64_t device, uint64_t inode);

}  // namespace lfm
