// A fast hash against damage by accident: not against forgers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lfm {

// XXH3 (64 bits) of the bytes, at about the speed of memory. The same on every machine. Parts are chained by passing the
// hash of the first as the seed of the next. Thread-safe.
uint64_t Hash64(std::span<const std::byte> bytes, uint64_t seed = 0);

}  // namespace lfm
