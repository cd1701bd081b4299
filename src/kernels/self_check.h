// The check at start: a kernel that no host of ours could run must not hurt the first user who has that CPU.
#pragma once

#include "kernels/kernels.h"

namespace lfm::kernels {

// Compares each kernel of `table` with `scalar` on a small input (a few milliseconds in all). One that differs is
// replaced by the scalar kernel, in `chosen` too, and a warning is logged. Returns how many were replaced.
int ReplaceDiffering(const Table& scalar, Table& table);

}  // namespace lfm::kernels
