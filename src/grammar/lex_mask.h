// What the states of the lexer alone say about tokens (inside of this folder: core.h).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grammar/core.h"

namespace lfm::grammar {

inline void SetTokens(const Vocabulary::Trie& trie, const TrieNode& node, std::span<uint32_t> bits) {
  for (uint32_t i = 0; i < node.n_tokens; ++i) {
    const auto id = static_cast<uint32_t>(trie.token_ids[node.first_token + i]);
    bits[id / 32] |= 1u << (id % 32);
  }
}

// The index of the first token below a node, itself included; its bytes begin with the node's path.
inline uint32_t FirstTokenBelow(const Vocabulary::Trie& trie, uint32_t node) {
  while (trie.nodes[node].n_tokens == 0) ++node;
  return trie.nodes[node].first_token;
}

// What a lexer state alone says about all tokens: those that stay inside the lexeme, and those that leave it, for the
// grammar to decide.
struct Core::LexMask {
  // A place where a token leaves a lexeme whose text is wanted, or white space.
  struct Crossing {
    uint32_t node, lex;  // the trie's node whose byte the lexer does not take, and its state before
    uint32_t depth;      // of the node: bytes with its own
    uint32_t group;      // equal where state and subtree are: the same endings of tokens from the same place
    bool holds_second;   // a token may go on to a second text that is compared with the one that ends here
    uint8_t byte;        // of the node
  };
  // The tokens that leave the lexeme from one state after their first byte, by what they have from there on: how they
  // came there makes no difference.
  struct Endings {
    uint32_t lex;
    std::string before;  // of one of the tokens: what it has up to there
    Vocabulary::Trie trie;
    std::vector<Crossing> crossings;  // the same tokens one by one, where the lexeme's text is wanted
  };
  const Vocabulary::Trie* trie = nullptr;  // of the tokens that were looked at; crossings are in it
  bool at_once = false;                    // some tokens leave it by their first byte
  std::vector<int32_t> seconds;            // those of them that may go on to a second text that is compared with this one
  uint32_t strange = Lexer::kDead;         // the state after text that no schema speaks of
  std::vector<uint32_t> bits;
  std::vector<Endings> endings;
  std::vector<Crossing> crossings;
  // A state that differs from another one on a few tokens only has that one's bits and endings, but for these tokens.
  std::shared_ptr<const LexMask> base;
  std::vector<int32_t> cleared, set;
};

}  // namespace lfm::grammar
