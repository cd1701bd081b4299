// Random numbers by counter: draw i of a seed is a pure function of both, so a sequence can be rewound,
// branched or moved to another machine and draws the same.
#pragma once

#include <array>
#include <cstdint>

namespace lfm::engine {

// Philox4x32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The draw `index` of `seed`, uniform in [0, 1): a multiple of 2^-53.
double UniformDraw(uint64_t seed, uint64_t index);

}  // namespace lfm::engine
