// Byte pair merging of one piece: the pair of lowest rank first, the leftmost of equal ones.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace lfm::text {

// Immutable after construction, thread-safe; each caller brings its own Scratch.
class Bpe {
 public:
  struct Symbol {
    int32_t id;  // -1: merged into one before
    uint32_t previous, next;
  };
  struct Step {  // a merge that was possible when it was noted
    uint32_t rank, position;
    int32_t result;
  };
  struct Scratch {
    std::vector<Symbol> symbols;
    std::vector<Step> heap;
  };

  Bpe() = default;
  // byte_ids: the token of each byte, or -1. `unknown` stands for bytes without one (absent: they are
  // dropped).
  Bpe(std::span<const TokenizerSpec::Merge> merges, const std::array<int32_t, 256>& byte_ids, std::optional<int32_t> unknown,
      bool fuse_unknown);

  // Appends the tokens of a piece of at most 2^31 bytes. O(n log n); pieces of up to kShort symbols without a
  // heap.
  void Encode(std::string_view piece, Scratch& scratch, std::vector<int32_t>& out) const;

 private:
  static constexpr uint32_t kNone = 0xFFFFFFFFU;
  static constexpr size_t kShort = 32;

  struct Merged {
    uint32_t rank = kNone;  // kNone: these two do not merge
    int32_t result = -1;
  };
  struct Slot {
    uint64_t pair = ~uint64_t{0};
    Merged merged;
  };
  static uint64_t PairOf(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t SlotOf(uint64_t pair) const { return static_cast<size_t>((pair * 0x9E3779B97F4A7C15U) >> shift_); }
  Merged Find(int32_t left, int32_t right) const;
  template <typename Put>
  void ForEachByteToken(std::string_view piece, Put put) const;
  void EncodeShort(std::string_view piece, std::vector<int32_t>& out) const;
  void EncodeLong(std::string_view piece, Scratch& scratch, std::vector<int32_t>& out) const;
  void Note(uint32_t left, Scratch& scratch) const;

  std::vector<Slot> slots_ = std::vector<Slot>(2);
  int shift_ = 63;
  std::array<int32_t, 256> byte_ids_{};
  int32_t unknown_ = -1;
  bool fuse_unknown_ = false;
};

}  // namespace lfm::text
