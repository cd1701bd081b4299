// Comparing kernels with the scalar ones on the CPU that they run on: shortly at every start, because a kernel that no host
// of ours could run must not hurt the first user who has that CPU; at length for `lfm doctor`.
#pragma once

#include <memory>
#include <string>

#include "kernels/kernels.h"

namespace lfm::kernels {

// Compares each kernel of `table` with `scalar` on a small input (a few milliseconds in all). One that differs is
// replaced by the scalar kernel, in `chosen` too, and a warning is logged. Returns how many were replaced.
int ReplaceDiffering(const Table& scalar, Table& table);

// The long form for one operation (a name of Table::chosen; one that no table has gives no cases): many sizes, odd
// ones too. Nothing is replaced. Tens of milliseconds; thread-safe, so that a caller with threads can share the work.
struct KernelCheck {
  std::string operation;
  int n_cases = 0, n_differing = 0;
};
KernelCheck CheckOperation(const Table& scalar, const Table& table, const std::string& operation);

// The kernels of an ISA that this host has, before the check at start has replaced any.
std::unique_ptr<Table> BuildUnchecked(Isa isa);

}  // namespace lfm::kernels
