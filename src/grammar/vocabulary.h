// The tokens as byte strings, arranged so that a grammar can decide on all of them in one walk.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lfm::grammar {

// One byte of the trie; nodes stand in depth-first order, so a subtree is a run.
struct TrieNode {
  uint8_t byte = 0;
  uint16_t depth = 0;        // bytes from the root
  uint32_t end = 0;          // index after the subtree
  uint32_t first_token = 0;  // the tokens that end here: a run of token_ids
  uint32_t n_tokens = 0;
};

// Immutable; thread-safe. About 30 bytes a byte of all tokens.
class Vocabulary {
 public:
  struct Token {
    std::string bytes;     // empty: never allowed
    bool special = false;  // never matched by its text: only where a grammar names the token
  };
  // `end_ids` end the answer. Ids without bytes, and special tokens that no grammar names, are never allowed.
  static std::shared_ptr<const Vocabulary> Create(const std::vector<Token>& tokens, std::vector<int32_t> end_ids);

  int32_t n_tokens() const { return static_cast<int32_t>(offsets_.size()) - 1; }
  // The token's bytes as a grammar reads them: a special token is SpecialBytes of its id.
  std::string_view Bytes(int32_t id) const;
  bool IsEnd(int32_t id) const;
  std::span<const int32_t> end_ids() const { return end_ids_; }
  // Text that stands for a special token: a byte that no UTF-8 has, and the id.
  static std::string SpecialBytes(int32_t id);

  struct Trie {
    std::vector<TrieNode> nodes;  // [0] is the root
    std::vector<int32_t> token_ids;
    uint32_t max_depth = 0;
  };
  // Tokens that are plain content of JSON strings (whole characters, no quote, backslash or control character) of at most
  // so many code points, and the trie of all others. Where any such text may come the first are allowed without a look.
  struct Slice {
    uint32_t max_codes = 0;
    std::vector<uint32_t> plain;  // bits
    Trie rest;
  };
  // Of texts in order, which may repeat, with the tokens that they stand for.
  static Trie MakeTrie(std::span<const std::pair<std::string_view, int32_t>> sorted);
  const Trie& all() const { return all_; }
  // The widest slice of at most so many code points; null if there is none.
  const Slice* SliceFor(uint32_t max_codes) const;
  size_t n_words() const { return (offsets_.size() + 30) / 32; }  // of a mask

 private:
  std::string text_;
  std::vector<uint32_t> offsets_;  // [n_tokens + 1]
  std::vector<int32_t> end_ids_;
  Trie all_;
  std::vector<Slice> slices_;  // the narrowest first
};

}  // namespace lfm::grammar
