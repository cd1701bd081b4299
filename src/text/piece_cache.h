// Remembers the tokens of short pieces while one text is encoded: prose repeats its words.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace lfm::text {

// Direct-mapped: a piece replaces another one of its slot. About 0.4 MiB. Belongs to one call of Encode.
class PieceCache {
 public:
  // Appends the tokens of the piece if it is known.
  bool Append(std::string_view piece, std::vector<int32_t>& out) const {
    Key key;
    if (!MakeKey(piece, key)) return false;
    const Entry& entry = entries_[SlotOf(key)];
    if (entry.n_tokens == 0 || entry.key.low != key.low || entry.key.high != key.high) return false;
    out.insert(out.end(), entry.tokens, entry.tokens + entry.n_tokens);
    return true;
  }

  void Remember(std::string_view piece, std::span<const int32_t> tokens) {
    Key key;
    if (tokens.empty() || tokens.size() > kMaxTokens || !MakeKey(piece, key)) return;
    Entry& entry = entries_[SlotOf(key)];
    entry.key = key;
    entry.n_tokens = static_cast<uint32_t>(tokens.size());
    std::memcpy(entry.tokens, tokens.data(), tokens.size_bytes());
  }

 private:
  static constexpr size_t kMaxBytes = 15, kMaxTokens = 7, kSlots = 8192;

  // The piece's bytes and, in the last byte, its length: equal keys are equal pieces.
  struct Key {
    uint64_t low = 0, high = 0;
  };
  struct Entry {
    Key key;
    uint32_t n_tokens = 0;
    int32_t tokens[kMaxTokens] = {};
  };

  static bool MakeKey(std::string_view piece, Key& key) {
    if (piece.size() > kMaxBytes) return false;
    char bytes[16] = {};
    for (size_t i = 0; i < piece.size(); ++i) bytes[i] = piece[i];
    bytes[15] = static_cast<char>(piece.size());
    std::memcpy(&key.low, bytes, 8);
    std::memcpy(&key.high, bytes + 8, 8);
    return true;
  }
  static size_t SlotOf(const Key& key) {
    const uint64_t h = (key.low ^ (key.high * 0xD6E8FEB86659FD93U)) * 0x9E3779B97F4A7C15U;
    return static_cast<size_t>(h >> 51);  // 13 bits: kSlots
  }

  std::vector<Entry> entries_ = std::vector<Entry>(kSlots);
};

}  // namespace lfm::text
