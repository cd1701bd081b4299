#include "grammar/core.h"

#include <algorithm>
#include <functional>

namespace lfm::grammar {
namespace {

constexpr uint32_t kMaxShape = 64;  // nodes of subtrees that are compared
constexpr size_t kMaxLexMaskBytes = size_t{64} << 20;

void SetTokens(const Vocabulary::Trie& trie, const TrieNode& node, std::span<uint32_t> bits) {
  for (uint32_t i = 0; i < node.n_tokens; ++i) {
    const auto id = static_cast<uint32_t>(trie.token_ids[node.first_token + i]);
    bits[id / 32] |= 1u << (id % 32);
  }
}

}  // namespace

// What a lexer state alone says about all tokens: those that stay inside the lexeme, and the places where a token leaves
// it, for the grammar to decide.
struct Core::LexMask {
  struct Crossing {
    uint32_t node, lex;  // the trie's node whose byte the lexer does not take, and its state before
    uint32_t depth;      // of the node: bytes with its own
    uint32_t group;      // equal where state and subtree are: the same endings of tokens from the same place
    bool holds_comma;    // a token may go on to a second key
  };
  uint32_t n_groups = 0;
  bool rest_only = false;  // crossings are in the trie of what is no plain content
  std::vector<uint32_t> bits;
  std::vector<Crossing> crossings;
};

Core::Core(const Budgets& budgets) : pool(budgets.max_bytes / 128), lexer(pool), budgets_(budgets) {}

std::optional<Error> Core::Failure() const {
  if (pool.overflowed()) return Error{ErrorCode::kLimit, "the grammar's automata grew beyond their budget"};
  if (lexer.n_states() > budgets_.max_bytes / 1500)
    return Error{ErrorCode::kLimit, "the grammar's states grew beyond their budget"};
  return std::nullopt;
}

bool Core::Step(Config& at, std::string& text, uint8_t byte) {
  const uint32_t next = lexer.Next(at.lex, byte);
  if (next == Lexer::kDead) return false;
  if (next != Lexer::kCross) {
    at.lex = next;
    if (lexer.NeedsText(next)) text += static_cast<char>(byte);
    return true;
  }
  Config to;
  if (!Cross(*at.node, at.lex, byte, text, to)) return false;
  at = std::move(to);
  text.clear();
  if (at.keeps_byte) text += static_cast<char>(byte);
  return true;
}

const Core::LexMask& Core::LexMaskOf(uint32_t lex, const Vocabulary& vocabulary) {
  auto& slot = lex_masks_[lex];
  if (slot) return *slot;
  auto mask = std::make_shared<LexMask>();
  mask->rest_only = lexer.PlainSlack(lex) >= vocabulary.max_plain_codes();
  const Vocabulary::Trie& trie = mask->rest_only ? vocabulary.rest() : vocabulary.all();
  if (mask->rest_only) {
    mask->bits.assign(vocabulary.plain_bits().begin(), vocabulary.plain_bits().end());
  } else {
    mask->bits.assign(vocabulary.n_words(), 0);
  }
  struct Open {
    uint32_t end, lex;
  };
  std::vector<Open> open{{static_cast<uint32_t>(trie.nodes.size()), lex}};
  std::unordered_map<uint64_t, uint32_t> groups;  // by state and shape of the subtree
  for (uint32_t i = 1; i < trie.nodes.size();) {
    while (i >= open.back().end) open.pop_back();
    const TrieNode& node = trie.nodes[i];
    const uint32_t next = lexer.Next(open.back().lex, node.byte);
    if (next <= Lexer::kCross) {
      if (next == Lexer::kCross) {
        LexMask::Crossing crossing{i, open.back().lex, static_cast<uint32_t>(open.size()), 0, true};
        uint64_t shape = i;  // a large subtree has no like
        if (node.end - i <= kMaxShape) {
          shape = crossing.lex, crossing.holds_comma = false;
          for (uint32_t k = i; k < node.end; ++k) {
            const TrieNode& below = trie.nodes[k];
            shape = Mix(shape, uint64_t{below.end - k} << 16 | uint64_t{below.n_tokens > 0} << 8 | below.byte);
            crossing.holds_comma |= below.byte == ',';
          }
        }
        crossing.group = groups.try_emplace(shape, static_cast<uint32_t>(groups.size())).first->second;
        mask->crossings.push_back(crossing);
      }
      i = node.end;
      continue;
    }
    if (node.n_tokens > 0) SetTokens(trie, node, mask->bits);
    if (node.end > i + 1) open.push_back({node.end, next});
    ++i;
  }
  mask->n_groups = static_cast<uint32_t>(groups.size());
  lex_mask_bytes_ += mask->bits.size() * 4 + mask->crossings.size() * sizeof(LexMask::Crossing);
  slot = std::move(mask);
  return *slot;
}

// The part of a mask that needs the grammar: from each crossing on, the rest of the tokens, byte by byte. What follows a
// crossing depends only on its node, lexer state, byte and (where the state wants it) text, so it is asked once.
struct Core::Walker {
  struct Place {
    const Node* node;
    uint32_t lex;
    uint32_t text_from;  // in the token's bytes: where the lexeme began; kBefore: before the token
  };
  struct Key {
    const Node* node;
    uint32_t lex;
    uint32_t byte;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return Mix(reinterpret_cast<uintptr_t>(key.node), uint64_t{key.lex} << 8 | key.byte);
    }
  };
  static constexpr uint32_t kBefore = UINT32_MAX;

  Core& core;
  const Vocabulary& vocabulary;
  const std::string& text;  // of the lexeme before the token
  std::span<uint32_t> bits;
  std::unordered_map<Key, Config, KeyHash> known{};
  std::vector<Config> kept{};  // keeps nodes alive that were made for one text only
  std::string path{}, scratch{};

  // The place after a crossing at `byte`, which is path[depth - 1]; node null if it is forbidden.
  Place Cross(const Place& from, uint8_t byte, uint32_t depth) {
    const Config* to = nullptr;
    if (core.lexer.NeedsText(from.lex)) {
      scratch.clear();
      if (from.text_from == kBefore) scratch = text;
      scratch.append(path, from.text_from == kBefore ? 0 : from.text_from,
                     depth - 1 - (from.text_from == kBefore ? 0 : from.text_from));
      Config made;
      if (!core.Cross(*from.node, from.lex, byte, scratch, made)) return {nullptr, 0, 0};
      kept.push_back(std::move(made));
      to = &kept.back();
    } else {
      const auto [it, added] = known.try_emplace(Key{from.node, from.lex, byte});
      if (added) {
        Config made;
        if (core.Cross(*from.node, from.lex, byte, {}, made)) {
          it->second = std::move(made);
        } else {
          it->second = Config{};
        }
      }
      to = &it->second;
    }
    return {to->node.get(), to->lex, to->keeps_byte ? depth - 1 : depth};
  }

  // Where a crossing's like was walked before from the same place: which nodes of the subtree were allowed, counted from
  // its top. By group, and by kind of the lexeme's text where that is wanted.
  std::unordered_map<uint64_t, std::vector<uint32_t>> walked{};
  std::vector<const std::vector<uint32_t>*> by_group{};
  std::unordered_map<uint32_t, uint64_t> kinds{};  // by lexer state: of texts that only the kind's own rule describes

  // A state in which any text may go on is reached by no text that the grammar knows: all of them are of one kind.
  uint64_t KindOf(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start) {
    if (crossing.holds_comma) return kOwnKind;
    const auto& parts = core.lexer.Parts(crossing.lex);
    const bool open = std::all_of(parts.begin(), parts.end(), [&](Re re) { return re == core.pool.Text(); });
    if (open) {
      if (const auto it = kinds.find(crossing.lex); it != kinds.end()) return it->second;
    }
    const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
    scratch = text;
    scratch.append(example, 0, crossing.depth - 1);
    const uint64_t kind = core.TextKind(*start, crossing.lex, scratch);
    if (open) kinds.emplace(crossing.lex, kind);
    return kind;
  }

  void Walk(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start) {
    uint64_t key = crossing.group;
    if (core.lexer.NeedsText(crossing.lex)) {
      const uint64_t kind = KindOf(trie, crossing, start);
      if (kind == kOwnKind) {
        std::vector<uint32_t> unused;
        return WalkAnew(trie, crossing, start, unused);
      }
      key |= (kind + 1) << 32;
    }
    const std::vector<uint32_t>*& known_by_group = by_group[crossing.group];
    const std::vector<uint32_t>* allowed = key >> 32 == 0 ? known_by_group : nullptr;
    if (allowed == nullptr) {
      const auto [it, added] = walked.try_emplace(key);
      if (added) return WalkAnew(trie, crossing, start, it->second);
      allowed = &it->second;
      if (key >> 32 == 0) known_by_group = allowed;
    }
    for (const uint32_t offset : *allowed) SetTokens(trie, trie.nodes[crossing.node + offset], bits);
  }

  void WalkAnew(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start,
                std::vector<uint32_t>& allowed) {
    const TrieNode& top = trie.nodes[crossing.node];
    const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
    path.assign(example, 0, crossing.depth);
    const Place first = Cross({start, crossing.lex, kBefore}, top.byte, crossing.depth);
    if (first.node == nullptr) return;
    SetTokens(trie, top, bits);
    allowed.push_back(0);
    struct Open {
      uint32_t end;
      Place place;
    };
    std::vector<Open> open{{top.end, first}};
    for (uint32_t i = crossing.node + 1; i < top.end;) {
      while (i >= open.back().end) open.pop_back();
      path.resize(crossing.depth + open.size() - 1);
      const TrieNode& node = trie.nodes[i];
      Place place = open.back().place;
      const uint32_t next = core.lexer.Next(place.lex, node.byte);
      path += static_cast<char>(node.byte);
      if (next == Lexer::kCross) {
        place = Cross(place, node.byte, static_cast<uint32_t>(path.size()));
      } else {
        place.lex = next;
        if (next == Lexer::kDead) place.node = nullptr;
      }
      if (place.node == nullptr) {
        i = node.end;
        continue;
      }
      SetTokens(trie, node, bits);
      if (node.n_tokens > 0) allowed.push_back(i - crossing.node);
      if (node.end > i + 1) open.push_back({node.end, place});
      ++i;
    }
  }

  // Every subtree holds a token, and the first in order has the node's bytes as its beginning.
  static uint32_t FirstTokenBelow(const Vocabulary::Trie& trie, uint32_t node) {
    while (trie.nodes[node].n_tokens == 0) ++node;
    return trie.nodes[node].first_token;
  }
};

Status Core::Mask(const Config& at, const std::string& text, const Vocabulary& vocabulary, std::span<uint32_t> bits) {
  if (bits.size() != vocabulary.n_words()) return Error{ErrorCode::kInvalidArgument, "the mask has not one bit a token"};
  if (vocabulary_ != &vocabulary) {
    lex_masks_.clear(), masks_.clear(), mask_index_.clear();
    lex_mask_bytes_ = cache_bytes_ = 0;
    vocabulary_ = &vocabulary;
  }
  const uint32_t lex = lexer.Saturated(at.lex);
  Hash key = at.node->hash;
  key.Add(lex);
  if (lexer.NeedsText(lex)) key.Add(std::hash<std::string>()(text)), key.Add(text.size());
  if (const auto it = mask_index_.find(key); it != mask_index_.end()) {
    masks_.splice(masks_.begin(), masks_, it->second);
    std::copy(masks_.front().bits.begin(), masks_.front().bits.end(), bits.begin());
    return Ok();
  }
  if (lex_mask_bytes_ > kMaxLexMaskBytes) lex_masks_.clear(), lex_mask_bytes_ = 0;
  const LexMask& mask = LexMaskOf(lex, vocabulary);
  std::copy(mask.bits.begin(), mask.bits.end(), bits.begin());
  Walker walker{*this, vocabulary, text, bits};
  walker.by_group.resize(mask.n_groups);
  const Vocabulary::Trie& trie = mask.rest_only ? vocabulary.rest() : vocabulary.all();
  for (const LexMask::Crossing& crossing : mask.crossings) walker.Walk(trie, crossing, at.node.get());
  if (Accepting(*at.node, at.lex, text)) {
    for (const int32_t id : vocabulary.end_ids()) bits[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  }
  if (const auto failure = Failure()) return *failure;
  const size_t bytes = bits.size() * 4 + 128;
  while (!masks_.empty() && cache_bytes_ + bytes > budgets_.mask_cache_bytes) {
    mask_index_.erase(masks_.back().key);
    cache_bytes_ -= bytes;
    masks_.pop_back();
  }
  if (bytes <= budgets_.mask_cache_bytes) {
    masks_.push_front({key, std::vector<uint32_t>(bits.begin(), bits.end())});
    mask_index_[key] = masks_.begin();
    cache_bytes_ += bytes;
  }
  return Ok();
}

// Breadth first over bytes: for grammars without a better idea.
bool Core::Complete(const Config& at, const std::string& text, size_t max, std::string& out) {
  struct Place {
    Config config;
    std::string text, written;
  };
  std::vector<Place> now{{at, text, ""}};
  std::unordered_map<Hash, bool, HashOf> seen;
  for (size_t length = 0, n = 0; length <= max && !now.empty(); ++length) {
    std::vector<Place> next;
    for (const Place& place : now) {
      if (Accepting(*place.config.node, place.config.lex, place.text)) {
        out = place.written;
        return true;
      }
      for (int byte = 0; byte < 256; ++byte) {
        Place to = place;
        if (!Step(to.config, to.text, static_cast<uint8_t>(byte))) continue;
        Hash key = to.config.node->hash;
        key.Add(to.config.lex), key.Add(std::hash<std::string>()(to.text));
        if (!seen.emplace(key, true).second) continue;
        to.written += static_cast<char>(byte);
        next.push_back(std::move(to));
        if (++n > 100000 || Failure()) return false;
      }
    }
    now = std::move(next);
  }
  return false;
}

}  // namespace lfm::grammar
