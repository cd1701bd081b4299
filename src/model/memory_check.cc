#include "model/memory_check.h"

#include <algorithm>

#include "base/strings.h"

namespace lfm::model {
namespace {

constexpr uint64_t kReserve = uint64_t{64} << 20;  // for buffers of a step and the rest of the program

constexpr uint64_t kPageReserve = uint64_t{16} << 20;  // when work has its buffers already

constexpr uint64_t kSmallReserve = uint64_t{4} << 20;

// Bits of a weight in whole files, embedding and norms included; best first.
struct TypeBits {
  const char* name;
  double bits;
};
constexpr TypeBits kTypeBits[] = {{"Q8_0", 8.6}, {"Q6_K", 6.7},   {"Q5_K_M", 5.8}, {"Q4_K_M", 5.0},
                                  {"Q4_0", 4.7}, {"Q3_K_M", 4.1}, {"Q2_K", 3.2}};

}  // namespace

std::string FreeWords(uint64_t n_bytes) { return n_bytes < 1024 ? "none is left" : HumanBytes(n_bytes) + " are free"; }

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
      StrCat("the weights of ", path, " need ", HumanBytes(n_bytes), " of memory, and ", FreeWords(room),
             memory.limit_bytes > 0 ? StrCat(" within the limit of ", HumanBytes(memory.limit_bytes)) : std::string(), ": ",
             HumanBytes(n_bytes - room), " are missing; `lfm pack` the model, so that it runs from the disk", smaller)};
}

Status CheckMemoryFor(const std::string& what, uint64_t n_bytes, const MemoryState& memory) {
  const uint64_t obtainable = ObtainableBytes(memory);
  if (obtainable == 0 || n_bytes + kSmallReserve <= obtainable) return Ok();
  return Error{ErrorCode::kOutOfMemory,
               StrCat(what, " needs ", HumanBytes(n_bytes), " of memory, and ",
                      FreeWords(obtainable - std::min(obtainable, kSmallReserve)), "; close other programs, or raise the limit")};
}

int64_t PositionsThatFit(const StateLayout& layout, int64_t n_wanted, const MemoryState& memory) {
  const uint64_t obtainable = ObtainableBytes(memory);
  if (obtainable == 0 || layout.page_bytes == 0) return n_wanted;
  const uint64_t n_pages = (obtainable - std::min(obtainable, kReserve)) / layout.page_bytes;
  const auto most = static_cast<uint64_t>(n_wanted) / kernels::kPagePositions + 1;
  return std::min<int64_t>(n_wanted, static_cast<int64_t>(std::min(n_pages, most)) * kernels::kPagePositions);
}

Status CheckContextMemory(const StateLayout& layout, int64_t n_positions, int64_t n_sequences, const MemoryState& memory) {
  const auto n = static_cast<uint64_t>(std::max<int64_t>(1, n_sequences));
  MemoryState share = memory;  // of one sequence
  share.available_bytes = std::max<uint64_t>(memory.available_bytes > 0 ? 1 : 0, memory.available_bytes / n);
  share.swap_bytes /= n, share.swap_used_bytes /= n;
  const int64_t fits = PositionsThatFit(layout, n_positions, share);
  if (fits >= n_positions) return Ok();
  const auto bytes = [&](int64_t positions) {
    return HumanBytes(static_cast<uint64_t>(layout.kv_bytes_per_token() * static_cast<double>(positions)) * n);
  };
  return Error{ErrorCode::kOutOfMemory,
               StrCat(n_sequences > 1 ? StrCat(n_sequences, " contexts of ") : std::string("a context of "), n_positions,
                      " positions ", n_sequences > 1 ? "need " : "needs ", bytes(n_positions), " of memory, ",
                      bytes(n_positions - fits), " more than is free; ",
                      fits >= kernels::kPagePositions ? StrCat(fits, " positions fit") : std::string("close other programs"),
                      layout.kv_type == kernels::KvType::kQ8_0 ? "" : ", and keys and values as q8_0 need less")};
}

Status CheckPageMemory(const StateLayout& layout, int64_t n, const MemoryState& memory) {
  const uint64_t wanted = static_cast<uint64_t>(n) * layout.page_bytes, obtainable = ObtainableBytes(memory);
  if (obtainable == 0 || wanted + kPageReserve <= obtainable) return Ok();
  return Error{
      ErrorCode::kOutOfMemory,
      StrCat(n * kernels::kPagePositions, " positions more of context need ", HumanBytes(wanted), " of memory, and ",
             FreeWords(obtainable - std::min(obtainable, kPageReserve)), "; choose a smaller context or close other programs")};
}

}  // namespace lfm::model
