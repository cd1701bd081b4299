#include "grammar/core.h"

#include <algorithm>
#include <functional>

#include "grammar/lex_mask.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxPlaces = 20000;  // of a search for the end
constexpr size_t kMaxLexMaskBytes = size_t{64} << 20;
constexpr size_t kMaxCrossed = 8000;  // crossings remembered
constexpr uint64_t kWorkCalls = 40;   // a call gives back the budget's part by this

}  // namespace

Core::Core(const Budgets& budgets) : pool(budgets.max_bytes / 128), lexer(pool), budgets_(budgets), work_left_(budgets.work) {
  const auto start = std::chrono::steady_clock::now();
  pool.stop = [this, start] {  // until it is compiled
    return (budgets_.cancelled && budgets_.cancelled()) || std::chrono::steady_clock::now() - start > budgets_.compile_time;
  };
}

void Core::Begin() {
  work_left_ -= std::min(work_left_, pool.work());
  work_left_ = std::min(budgets_.work, work_left_ + budgets_.work / kWorkCalls);
  pool.AllowWork(work_left_);
}

std::optional<Error> Core::Failure() const {
  if (pool.exhausted()) return Error{ErrorCode::kLimit, "the grammar takes more work than its budget allows"};
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
  if (!MayCross(*at.node, at.lex, byte)) return false;
  ForgetCrossings();
  const Config& to = CrossOnce(*at.node, at.lex, byte, text);
  if (!to.node) return false;
  at = Config(to);
  text.clear();
  if (at.keeps_byte) text += static_cast<char>(byte);
  return true;
}

// What follows a crossing depends only on its node, lexer state, byte and (where the state wants it) text, so it is asked
// once: for the tokens of a mask, for those of the next ones, and when the token is taken.
const Config& Core::CrossOnce(const Node& node, uint32_t lex, uint8_t byte, std::string_view text) {
  Hash key = node.hash;
  key.Add(uint64_t{lex} << 8 | byte);
  if (lexer.NeedsText(lex)) key.Add(std::hash<std::string_view>()(text)), key.Add(text.size());
  const auto [it, added] = crossed_.try_emplace(key);
  if (added) {
    crossed_order_.push_back(key);
    Config to;
    if (Cross(node, lex, byte, text, to)) it->second = std::move(to);
  }
  return it->second;
}

// Whether the same parts of both states may end.
bool Core::EndsAlike(uint32_t lex, uint32_t other) const {
  const auto &parts = lexer.Parts(lex), &others = lexer.Parts(other);
  return std::equal(parts.begin(), parts.end(), others.begin(), others.end(),
                    [&](Re a, Re b) { return pool.Nullable(a) == pool.Nullable(b); });
}

// The oldest first, and never while a walk holds their nodes.
void Core::ForgetCrossings() {
  while (crossed_.size() > kMaxCrossed) {
    crossed_.erase(crossed_order_.front());
    crossed_order_.pop_front();
  }
}

// The part of a mask that needs the grammar: from each crossing on, the rest of the tokens, byte by byte.
struct Core::Walker {
  struct Place {
    const Node* node;
    uint32_t lex;
    uint32_t text_from;  // in the token's bytes: where the lexeme began; kBefore: before the token
  };
  static constexpr uint32_t kBefore = UINT32_MAX;

  Core& core;
  const Vocabulary& vocabulary;
  const std::string& text;  // of the lexeme before the token
  std::span<uint32_t> bits;
  std::string path{}, scratch{};
  std::string stand_in{};  // for the text before a crossing; empty: the text itself

  // The place after a crossing at `byte`, which is path[depth - 1]; node null if it is forbidden.
  Place Cross(const Place& from, uint8_t byte, uint32_t depth) {
    if (!core.MayCross(*from.node, from.lex, byte)) return {nullptr, 0, 0};
    scratch.clear();
    if (core.lexer.NeedsText(from.lex) && from.text_from == kBefore && !stand_in.empty()) {
      scratch = stand_in;
    } else if (core.lexer.NeedsText(from.lex)) {
      const uint32_t begin = from.text_from == kBefore ? 0 : from.text_from;
      if (from.text_from == kBefore) scratch = text;
      scratch.append(path, begin, depth - 1 - begin);
    }
    const Config& to = core.CrossOnce(*from.node, from.lex, byte, scratch);
    return {to.node.get(), to.lex, to.keeps_byte ? depth - 1 : depth};
  }

  // Where a crossing's like was walked before from the same place: which nodes of the subtree were allowed, counted from
  // its top. By group, and by kind of the lexeme's text.
  std::unordered_map<Hash, std::vector<uint32_t>, HashOf> walked{};
  std::vector<Place> places{};  // by depth

  // A state in which any text may go on is reached by no text that the grammar knows: all of them are of one kind.
  uint64_t KindOf(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start) {
    if (crossing.holds_second) return kOwnKind;
    const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
    scratch = text;
    scratch.append(example, 0, crossing.depth - 1);
    return core.TextKind(*start, crossing.lex, scratch);
  }

  // `family`: groups are numbered within one.
  void Walk(const Vocabulary::Trie& trie, const LexMask::Crossing& crossing, const Node* start, uint64_t family = 0) {
    if (!core.MayCross(*start, crossing.lex, crossing.byte)) return;
    const uint64_t kind = core.lexer.NeedsText(crossing.lex) ? KindOf(trie, crossing, start) : 0;
    const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
    path.assign(example, 0, crossing.depth - 1);
    const uint32_t end = trie.nodes[crossing.node].end;
    if (kind == kOwnKind) return WalkFrom(trie, crossing.node, end, {start, crossing.lex, kBefore}, nullptr);
    Hash key;
    key.Add(kind), key.Add(family), key.Add(crossing.group);
    const auto [it, added] = walked.try_emplace(key);
    if (added) return WalkFrom(trie, crossing.node, end, {start, crossing.lex, kBefore}, &it->second);
    for (const uint32_t offset : it->second) SetTokens(trie, trie.nodes[crossing.node + offset], bits);
  }

  void Walk(const Vocabulary::Trie& trie, const LexMask::Endings& endings, const Node* start) {
    if (!endings.crossings.empty() && !core.OneKind(*start, endings.lex, text + endings.before)) {
      const auto family = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&endings));
      for (const LexMask::Crossing& crossing : endings.crossings) Walk(trie, crossing, start, family);
      return;
    }
    path = endings.before;
    // What follows is then asked once for all masks inside of this text, not once for each.
    if (core.lexer.NeedsText(endings.lex)) stand_in = core.StandIn(*start, endings.lex);
    WalkFrom(endings.trie, 1, static_cast<uint32_t>(endings.trie.nodes.size()), {start, endings.lex, kBefore}, nullptr);
    stand_in.clear();
  }
  // The tokens that leave the lexeme by their first byte. A text that no schema speaks of stands in for another one of its
  // kind, so that what follows is asked once for all masks of a key; but not where a token has a second key to compare.
  void WalkAtOnce(const LexMask& mask, uint32_t lex, const Node* start) {
    if (core.lexer.TextOf(lex) == Lexer::Text::kKey) {
      stand_in = core.StandIn(*start, lex);
      if (!stand_in.empty() && core.TextKind(*start, lex, text) != core.TextKind(*start, lex, stand_in)) stand_in.clear();
    }
    const bool strange = !stand_in.empty() && mask.strange != Lexer::kDead && core.EndsAlike(lex, mask.strange);
    const Vocabulary::Trie& trie = *mask.trie;
    for (uint32_t i = 1; i < trie.nodes.size(); i = trie.nodes[i].end) {
      const uint8_t byte = trie.nodes[i].byte;
      if (core.lexer.Next(lex, byte) != Lexer::kCross || !core.MayCross(*start, lex, byte)) continue;
      path.clear();
      const uint32_t from = strange && core.lexer.Next(mask.strange, byte) == Lexer::kCross ? mask.strange : lex;
      WalkFrom(trie, i, trie.nodes[i].end, {start, from, kBefore}, nullptr);
    }
    if (stand_in.empty()) return;
    stand_in.clear();
    for (const int32_t id : mask.seconds) {
      const uint32_t bit = 1u << (id % 32);
      bits[static_cast<size_t>(id) / 32] &= ~bit;
      if (Goes({start, lex, kBefore}, vocabulary.Bytes(id))) bits[static_cast<size_t>(id) / 32] |= bit;
    }
  }

  bool Goes(Place place, std::string_view bytes) {
    path.assign(bytes);
    for (uint32_t depth = 1; depth <= bytes.size(); ++depth) {
      const auto byte = static_cast<uint8_t>(bytes[depth - 1]);
      const uint32_t next = core.lexer.Next(place.lex, byte);
      if (next == Lexer::kDead) return false;
      if (next != Lexer::kCross) {
        place.lex = next;
        continue;
      }
      place = Cross(place, byte, depth);
      if (place.node == nullptr) return false;
    }
    return true;
  }

  // Walks the nodes from `begin` on, whose path up to there is `path`, from a place; the grammar decides on all of them.
  // Where wanted, remembers which nodes were allowed, counted from `begin`.
  void WalkFrom(const Vocabulary::Trie& trie, uint32_t begin, uint32_t end, const Place& from, std::vector<uint32_t>* allowed) {
    // Depths in the trie are counted from elsewhere where it is one of endings.
    const uint32_t top = trie.nodes[begin].depth - 1u;
    const auto above = static_cast<uint32_t>(path.size());
    if (places.size() <= trie.max_depth) places.resize(trie.max_depth + 1);
    path.resize(above + trie.max_depth);
    places[top] = from;
    for (uint32_t i = begin; i < end;) {
      const TrieNode& node = trie.nodes[i];
      Place place = places[node.depth - 1u];
      const uint32_t depth = above + node.depth - top;
      const uint32_t next = core.lexer.Next(place.lex, node.byte);
      path[depth - 1] = static_cast<char>(node.byte);
      if (next == Lexer::kCross) {
        place = Cross(place, node.byte, depth);
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
      places[node.depth] = place;
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
  const uint32_t lex = lexer.Saturated(at.lex, vocabulary.all().max_depth);
  Hash key = at.node->hash;
  key.Add(lex);
  if (lexer.NeedsText(lex)) key.Add(std::hash<std::string>()(text)), key.Add(text.size());
  if (const auto it = mask_index_.find(key); it != mask_index_.end()) {
    masks_.splice(masks_.begin(), masks_, it->second);
    std::copy(masks_.front().bits.begin(), masks_.front().bits.end(), bits.begin());
    return Ok();
  }
  if (lex_mask_bytes_ > kMaxLexMaskBytes) lex_masks_.clear(), lex_mask_bytes_ = 0;
  ForgetCrossings();
  const std::shared_ptr<const LexMask> mask = LexMaskOf(lex, vocabulary);
  const LexMask& own = mask->base ? *mask->base : *mask;
  std::copy(own.bits.begin(), own.bits.end(), bits.begin());
  Walker walker{*this, vocabulary, text, bits};
  const Vocabulary::Trie& trie = *mask->trie;
  const Node* node = at.node.get();
  if (mask->base) {
    for (const LexMask::Endings& endings : mask->base->endings) walker.Walk(trie, endings, node);
    for (const int32_t id : mask->cleared) bits[static_cast<size_t>(id) / 32] &= ~(1u << (id % 32));
    for (const int32_t id : mask->set) bits[static_cast<size_t>(id) / 32] |= 1u << (id % 32);
  }
  for (const LexMask::Endings& endings : mask->endings) walker.Walk(trie, endings, node);
  for (const LexMask::Crossing& crossing : mask->crossings) walker.Walk(trie, crossing, node);
  if (mask->at_once) walker.WalkAtOnce(*mask, lex, node);
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
