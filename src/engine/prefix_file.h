// The file of a prefix cache (docs/saved-state.md): pages that a server had read, for its next start.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/prefix_cache.h"
#include "model/model.h"

namespace lfm::engine {

// What a file must agree with to be of use: else it is stale.
struct PrefixFileKey {
  uint64_t layout = 0;  // StateLayout::fingerprint
  uint64_t model = 0;   // of sizes and samples of the weights
  uint64_t page_bytes = 0;
  int vocab_size = 0;
};
PrefixFileKey MakePrefixFileKey(const model::Model& model, const model::StateLayout& layout);

// Writes all pages of the cache; the file gets its name when it is whole, and is readable by its owner only, since it
// holds what people wrote.
Status WritePrefixFile(const std::string& path, const PrefixFileKey& key, const PrefixCache& cache);

// One page of a file; its parent is the place of an earlier one, or -1.
struct PrefixFilePage {
  std::string_view tenant;
  int64_t parent = -1;
  std::span<const int32_t> ids;     // [64]
  std::span<const std::byte> data;  // [page_bytes]
};
// Calls `take` for each page, parents first, until it returns false. `bytes` are untrusted: kInvalidArgument where they are
// of another model, version or KV type, kCorrupt where they are damaged, kUnsupported where they are something else; all
// before the first call.
Status ReadPrefixFile(std::span<const std::byte> bytes, const PrefixFileKey& key,
                      const std::function<bool(const PrefixFilePage&)>& take);

}  // namespace lfm::engine
