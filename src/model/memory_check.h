// Whether memory will do, before it is taken: the kernel ends programs without a word for what they learn too late.
#pragma once

#include <cstdint>
#include <string>

#include "base/host.h"
#include "base/result.h"
#include "model/state.h"

namespace lfm::model {

// What a program can still get: the free memory, and where no cgroup limits this process, free swap space. 0: not known.
uint64_t ObtainableBytes(const MemoryState& memory);

// "1.20 GiB are free" of a message; "none is left" of next to nothing.
std::string FreeWords(uint64_t n_bytes);

// kOutOfMemory where n_bytes of weights (n_elements of them) cannot be had: how much is missing, and what fits.
Status CheckWeightMemory(uint64_t n_bytes, uint64_t n_elements, const std::string& path,
                         const MemoryState& memory = ReadMemory());

// The same for n_bytes of anything else: `what` is the subject of "... needs 90 MiB of memory".
Status CheckMemoryFor(const std::string& what, uint64_t n_bytes, const MemoryState& memory = ReadMemory());

// The positions of one sequence for which there is memory, in whole pages and at most n_wanted; n_wanted where the memory
// is not known.
int64_t PositionsThatFit(const StateLayout& layout, int64_t n_wanted, const MemoryState& memory = ReadMemory());

// kOutOfMemory where n_sequences of n_positions cannot be held together: how much is missing, and what fits.
Status CheckContextMemory(const StateLayout& layout, int64_t n_positions, int64_t n_sequences = 1,
                          const MemoryState& memory = ReadMemory());

// The same for n more pages of a pool, asked for by work that has begun: looked at often, so it says less.
Status CheckPageMemory(const StateLayout& layout, int64_t n, const MemoryState& memory = ReadMemory());

}  // namespace lfm::model
