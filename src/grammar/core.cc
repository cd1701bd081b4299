#include "grammar/core.h"

#include <algorithm>
#include <functional>

#include "grammar/lex_mask.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxPlaces = 20000;  // of a search for the end
constexpr size_t kMaxLexMaskBytes = size_t{64} << 20;

}  // namespace

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
  // its top. By group, and by kind of the lexeme's text.
  std::unordered_map<uint64_t, std::vector<uint32_t>> walked{};
  struct Open {
    uint32_t end;
    Place place;
  };
  std::vector<Open> open{};

  // A state in which any text may go on is reached by no text that the grammar knows: all of them are of one kind.
  uint64_t KindOf(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start) {
    if (crossing.holds_comma) return kOwnKind;
    const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
    scratch = text;
    scratch.append(example, 0, crossing.depth - 1);
    return core.TextKind(*start, crossing.lex, scratch);
  }

  void Walk(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start) {
    const uint64_t kind = core.lexer.NeedsText(crossing.lex) ? KindOf(trie, crossing, start) : 0;
    const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
    path.assign(example, 0, crossing.depth - 1);
    const uint32_t end = trie.nodes[crossing.node].end;
    if (kind == kOwnKind) return WalkFrom(trie, crossing.node, end, {start, crossing.lex, kBefore}, nullptr);
    const auto [it, added] = walked.try_emplace(kind << 32 | crossing.group);
    if (added) return WalkFrom(trie, crossing.node, end, {start, crossing.lex, kBefore}, &it->second);
    for (const uint32_t offset : it->second) SetTokens(trie, trie.nodes[crossing.node + offset], bits);
  }

  void Walk(const Vocabulary::Trie& trie, const LexMask::Endings& endings, const Node* start) {
    if (!endings.crossings.empty() && core.TextKind(*start, endings.lex, text + endings.before) == kOwnKind) {
      for (const LexMask::Crossing& crossing : endings.crossings) Walk(trie, crossing, start);
      return;
    }
    path = endings.before;
    WalkFrom(endings.trie, 1, static_cast<uint32_t>(endings.trie.nodes.size()), {start, endings.lex, kBefore}, nullptr);
  }
  // The tokens that leave the lexeme by their first byte.
  void WalkAtOnce(const Vocabulary::Trie& trie, uint32_t lex, const Node* start) {
    for (uint32_t i = 1; i < trie.nodes.size(); i = trie.nodes[i].end) {
      if (core.lexer.Next(lex, trie.nodes[i].byte) != Lexer::kCross) continue;
      path.clear();
      WalkFrom(trie, i, trie.nodes[i].end, {start, lex, kBefore}, nullptr);
    }
  }

  // Walks the nodes from `begin` on, whose path up to there is `path`, from a place; the grammar decides on all of them.
  // Where wanted, remembers which nodes were allowed, counted from `begin`.
  void WalkFrom(const Vocabulary::Trie& trie, uint32_t begin, uint32_t end, const Place& from, std::vector<uint32_t>* allowed) {
    const size_t depth = path.size();
    open.assign(1, {end, from});
    for (uint32_t i = begin; i < end;) {
      while (i >= open.back().end) open.pop_back();
      path.resize(depth + open.size() - 1);
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
      if (allowed != nullptr && node.n_tokens > 0) allowed->push_back(i - begin);
      if (node.end > i + 1) open.push_back({node.end, place});
      ++i;
    }
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
  const std::shared_ptr<const LexMask> mask = LexMaskOf(lex, vocabulary);
  const LexMask& own = mask->base ? *mask->base : *mask;
  std::copy(own.bits.begin(), own.bits.end(), bits.begin());
  Walker walker{*this, vocabulary, text, bits};
  const Vocabulary::Trie& trie = mask->rest_only ? vocabulary.rest() : vocabulary.all();
  const Node* node = at.node.get();
  if (mask->base) {
    for (const LexMask::Endings& endings : mask->base->endings) walker.Walk(trie, endings, node);
    for (const int32_t id : mask->cleared) bits[static_cast<size_t>(id) / 32] &= ~(1u << (id % 32));
    for (const int32_t id : mask->set) bits[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  }
  for (const LexMask::Endings& endings : mask->endings) walker.Walk(trie, endings, node);
  for (const LexMask::Crossing& crossing : mask->crossings) walker.Walk(trie, crossing, node);
  if (mask->at_once) walker.WalkAtOnce(trie, lex, node);
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
        if (lexer.Next(place.config.lex, static_cast<uint8_t>(byte)) == Lexer::kDead) continue;
        Place to = place;
        if (!Step(to.config, to.text, static_cast<uint8_t>(byte))) continue;
        Hash key = to.config.node->hash;
        key.Add(to.config.lex), key.Add(std::hash<std::string>()(to.text));
        if (!seen.emplace(key, true).second) continue;
        to.written += static_cast<char>(byte);
        next.push_back(std::move(to));
        if (++n > kMaxPlaces || Failure()) return false;
      }
    }
    now = std::move(next);
  }
  return false;
}

}  // namespace lfm::grammar
