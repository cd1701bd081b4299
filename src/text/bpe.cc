// Merging with a table (left, right) -> (rank, result). Short pieces search the lowest rank by scanning an
// array on the stack; long ones keep the possible merges in a heap, and drop entries that a merge has
// overtaken when they come up.
#include "text/bpe.h"

#include <algorithm>
#include <bit>

namespace lfm::text {

Bpe::Bpe(std::span<const TokenizerSpec::Merge> merges, const std::array<int32_t, 256>& byte_ids, std::optional<int32_t> unknown,
         bool fuse_unknown)
    : slots_(std::bit_ceil(2 * merges.size() + 2)), shift_(64 - std::countr_zero(slots_.size())), byte_ids_(byte_ids),
      unknown_(unknown.value_or(-1)), fuse_unknown_(fuse_unknown) {
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = PairOf(merges[rank].left, merges[rank].right);
    size_t i = SlotOf(pair);
    while (slots_[i].pair != pair && slots_[i].merged.rank != kNone) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {pair, {static_cast<uint32_t>(rank), merges[rank].result}};
  }
}

inline Bpe::Merged Bpe::Find(int32_t left, int32_t right) const {
  const uint64_t pair = PairOf(left, right);
  for (size_t i = SlotOf(pair);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].pair == pair || slots_[i].merged.rank == kNone) return slots_[i].merged;
  }
}

template <typename Put>
void Bpe::ForEachByteToken(std::string_view piece, Put put) const {
  bool after_unknown = false;
  for (const char c : piece) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(c)];
    if (id >= 0) {
      put(id);
    } else if (unknown_ >= 0 && !(fuse_unknown_ && after_unknown)) {
      put(unknown_);
    }
    after_unknown = id < 0;
  }
}

void Bpe::Encode(std::string_view piece, Scratch& scratch, std::vector<int32_t>& out) const {
  if (piece.size() <= kShort) {
    EncodeShort(piece, out);
  } else {
    EncodeLong(piece, scratch, out);
  }
}

void Bpe::EncodeShort(std::string_view piece, std::vector<int32_t>& out) const {
  int32_t ids[kShort];
  Merged merges[kShort];  // [i]: of ids[i] and ids[i + 1]
  size_t n = 0;
  ForEachByteToken(piece, [&](int32_t id) { ids[n++] = id; });
  for (size_t i = 0; i + 1 < n; ++i) merges[i] = Find(ids[i], ids[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNone) break;
    ids[best] = merges[best].result;
    --n;
    std::copy(ids + best + 2, ids + n + 1, ids + best + 1);
    if (best + 1 < n) std::copy(merges + best + 2, merges + n, merges + best + 1);
    if (best > 0) merges[best - 1] = Find(ids[best - 1], ids[best]);
    if (best + 1 < n) merges[best] = Find(ids[best], ids[best + 1]);
  }
  out.insert(out.end(), ids, ids + n);
}

namespace {

// Orders a heap so that the lowest rank, then the leftmost, is on top.
bool ComesLater(const Bpe::Step& a, const Bpe::Step& b) { return a.rank != b.rank ? a.rank > b.rank : a.position > b.position; }

}  // namespace

// Puts the merge of symbol `left` with its next one on the heap, if there is one.
void Bpe::Note(uint32_t left, Scratch& scratch) const {
  const Symbol& symbol = scratch.symbols[left];
  if (symbol.next == kNone) return;
  const Merged merged = Find(symbol.id, scratch.symbols[symbol.next].id);
  if (merged.rank == kNone) return;
  scratch.heap.push_back({merged.rank, left, merged.result});
}

void Bpe::EncodeLong(std::string_view piece, Scratch& scratch, std::vector<int32_t>& out) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  std::vector<Step>& heap = scratch.heap;
  symbols.clear(), heap.clear();
  ForEachByteToken(piece, [&](int32_t id) {
    const auto i = static_cast<uint32_t>(symbols.size());
    symbols.push_back({id, i - 1, i + 1});  // the first one's `previous` is kNone by wrapping around
  });
  if (symbols.empty()) return;
  symbols.back().next = kNone;
  for (uint32_t i = 0; i < symbols.size(); ++i) Note(i, scratch);
  std::make_heap(heap.begin(), heap.end(), ComesLater);

  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), ComesLater);
    const Step step = heap.back();
    heap.pop_back();
    Symbol& left = symbols[step.position];
    if (left.id < 0 || left.next == kNone) continue;
    Symbol& right = symbols[left.next];
    if (Find(left.id, right.id).result != step.result) continue;  // one of the two has grown since
    left.id = step.result;
    right.id = -1;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = step.position;
    const auto note = [&](uint32_t i) {
      const size_t size = heap.size();
      Note(i, scratch);
      if (heap.size() != size) std::push_heap(heap.begin(), heap.end(), ComesLater);
    };
    if (left.previous != kNone) note(left.previous);
    note(step.position);
  }
  for (uint32_t i = 0; i != kNone; i = symbols[i].next) out.push_back(symbols[i].id);
}

}  // namespace lfm::text
