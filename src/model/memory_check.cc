#include "model/memory_check.h"

#include <algorithm>

#include "base/strings.h"

namespace lfm::model {
namespace {

constexpr uint64_t kReserve = uint64_t{64} << 20;  // for buffers of a step and the rest of the program

// Bits of a weight in whole files, embedding and norms included; best first.
struct TypeBits {
  const char* name;
  double bits;
};
constexpr TypeBits kTypeBits[] = {{"Q8_0", 8.6}, {"Q6_K", 6.7},   {"Q5_K_M", 5.8}, {"Q4_K_M", 5.0},
                                  {"Q4_0", 4.7}, {"Q3_K_M", 4.1}, {"Q2_K", 3.2}};

}  // namespace

uint64_t ObtainableBytes(const MemoryState& memory) {
  if (memory.available_bytes == 0 || memory.limit_bytes > 0) return memory.available_bytes;
  return memory.available_bytes + memory.swap_bytes - std::min(memory.swap_bytes, memory.swap_used_bytes);
}

Status CheckWeightMemory(uint64_t n_bytes, uint64_t n_elements, const std::string& path, const MemoryState& memory) {
  const uint64_t obtainable = ObtainableBytes(memory);
  if (obtainable == 0 || n_bytes + kReserve <= obtainable) return Ok();
  const uint64_t room = obtainable - std::min(obtainable, kReserve);
  std::string smaller;
  for (const TypeBits& type : kTypeBits) {
    const auto bytes = static_cast<uint64_t>(type.bits / 8 * static_cast<double>(n_elements));
    if (bytes > room || bytes >= n_bytes) continue;
    smaller = StrCat(", or take the model in ", type.name, " (", HumanBytes(bytes), ")");
    break;
  }
  return Error{
      ErrorCode::kOutOfMemory,
      StrCat("the weights of ", path, " need ", HumanBytes(n_bytes), " of memory, and ", HumanBytes(room), " are free",
             memory.limit_bytes > 0 ? StrCat(" within the limit of ", HumanBytes(memory.limit_bytes)) : std::string(), ": ",
             HumanBytes(n_bytes - room), " are missing; `lfm pack` the model, so that it runs from the disk", smaller)};
}

int64_t PositionsThatFit(const StateLayout& layout, int64_t n_wanted, const MemoryState& memory) {
  const uint64_t obtainable = ObtainableBytes(memory);
  if (obtainable == 0 || layout.page_bytes == 0) return n_wanted;
  const uint64_t n_pages = (obtainable - std::min(obtainable, kReserve)) / layout.page_bytes;
  const auto most = static_cast<uint64_t>(n_wanted) / kernels::kPagePositions + 1;
  return std::min<int64_t>(n_wanted, static_cast<int64_t>(std::min(n_pages, most)) * kernels::kPagePositions);
}

}  // namespace lfm::model
