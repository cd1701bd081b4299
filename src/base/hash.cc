#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lfm {

uint64_t Hash64(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace lfm
