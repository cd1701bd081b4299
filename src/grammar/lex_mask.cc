#include "grammar/lex_mask.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace lfm::grammar {
namespace {

constexpr uint32_t kMaxShape = 64;  // nodes of subtrees that are compared

// What may follow white space, but for words: most tokens begin with a blank and a letter.
bool IsSign(uint8_t byte) { return byte < 0x80 && (byte < '0' || byte > '9') && ((byte | 0x20) < 'a' || (byte | 0x20) > 'z'); }

// Whether what a token has from the end of a text on may go on to a second text that is compared with it. A name is
// compared with the next one of its object, behind a value and a comma; by the next one's quote it is still alone.
bool HoldsSecond(std::string_view rest, Lexer::Text text) {
  const size_t value = text == Lexer::Text::kKey ? rest.find_first_of(":=") : 0;
  const size_t comma = value == std::string_view::npos ? value : rest.find(',', value);
  if (comma == std::string_view::npos || text != Lexer::Text::kKey) return comma != std::string_view::npos;
  size_t next = rest.find_first_not_of(" \n\t", comma + 1);
  if (next < rest.size() && (rest[next] == '"' || rest[next] == '\'')) ++next;
  return next < rest.size();
}

}  // namespace

// Collects what leaves a lexer state.
struct Core::LexMaskBuilder {
  Core& core;
  const Vocabulary& vocabulary;
  const Vocabulary::Trie& trie;
  LexMask& mask;
  struct Tails {
    uint32_t lex;
    std::string before;
    std::unordered_map<std::string_view, std::vector<int32_t>> tokens{};
    std::vector<LexMask::Crossing> crossings{};
  };
  std::vector<Tails> tails{};
  std::unordered_map<uint64_t, uint32_t> groups{};  // by state and shape of the subtree

  void Leave(uint32_t node, uint32_t lex, uint32_t depth) {
    if (depth == 1) {
      mask.at_once = true;
      if (core.lexer.NeedsText(lex)) Seconds(node, trie.nodes[node].end, core.lexer.TextOf(lex));
      return;
    }
    const uint32_t end = trie.nodes[node].end;
    LexMask::Crossing crossing{node, lex, depth, 0, false, trie.nodes[node].byte};
    if (core.lexer.NeedsText(lex)) crossing.holds_second = SecondBelow(node, end, depth, core.lexer.TextOf(lex));
    const bool space = core.lexer.KindOf(lex) == Lexer::Kind::kFixed;
    if (core.lexer.IsSpaced(lex) && IsSign(crossing.byte)) {
      crossing.lex = Lexer::kSpaced;  // how many blanks there were makes no difference
      return Merge(crossing);
    }
    const bool alike = !core.lexer.NeedsText(lex) || (core.IsOpen(lex) && !crossing.holds_second);
    if (alike && !space && !core.lexer.NeedsText(lex)) return Merge(crossing);
    uint64_t shape = node;  // a large subtree has no like
    if (end - node <= kMaxShape) {
      shape = lex;
      for (uint32_t k = node; k < end; ++k) {
        const TrieNode& below = trie.nodes[k];
        shape = Mix(shape, uint64_t{below.end - k} << 16 | uint64_t{below.n_tokens > 0} << 8 | below.byte);
      }
    }
    crossing.group = groups.try_emplace(shape, static_cast<uint32_t>(groups.size())).first->second;
    if (alike && !space) return Merge(crossing);
    mask.crossings.push_back(crossing);
  }

  bool SecondBelow(uint32_t node, uint32_t end, uint32_t depth, Lexer::Text text) const {
    for (uint32_t k = node; k < end; ++k) {
      const TrieNode& below = trie.nodes[k];
      if (below.n_tokens > 0 && HoldsSecond(vocabulary.Bytes(trie.token_ids[below.first_token]).substr(depth - 1), text))
        return true;
    }
    return false;
  }

  void Seconds(uint32_t node, uint32_t end, Lexer::Text text) {
    for (uint32_t k = node; k < end; ++k) {
      const TrieNode& below = trie.nodes[k];
      for (uint32_t t = 0; t < below.n_tokens; ++t) {
        const int32_t id = trie.token_ids[below.first_token + t];
        if (HoldsSecond(vocabulary.Bytes(id), text)) mask.seconds.push_back(id);
      }
    }
  }

  void Merge(const LexMask::Crossing& crossing) {
    auto it = std::find_if(tails.begin(), tails.end(), [&](const Tails& one) { return one.lex == crossing.lex; });
    const uint32_t end = trie.nodes[crossing.node].end;
    if (it == tails.end()) {
      const std::string_view example = vocabulary.Bytes(trie.token_ids[FirstTokenBelow(trie, crossing.node)]);
      it = tails.insert(it, Tails{crossing.lex, std::string(example.substr(0, crossing.depth - 1))});
    }
    if (core.lexer.NeedsText(crossing.lex)) it->crossings.push_back(crossing);
    for (uint32_t k = crossing.node; k < end; ++k) {
      for (uint32_t t = 0; t < trie.nodes[k].n_tokens; ++t) {
        const int32_t id = trie.token_ids[trie.nodes[k].first_token + t];
        it->tokens[vocabulary.Bytes(id).substr(crossing.depth - 1)].push_back(id);
      }
    }
  }

  void Finish() {
    for (Tails& one : tails) {
      std::vector<std::string_view> order;
      for (const auto& [tail, ids] : one.tokens) order.push_back(tail);
      std::sort(order.begin(), order.end());
      LexMask::Endings endings{one.lex, std::move(one.before), {}, std::move(one.crossings)};
      std::vector<std::pair<std::string_view, int32_t>> sorted;
      for (const std::string_view tail : order) {
        for (const int32_t id : one.tokens[tail]) sorted.emplace_back(tail, id);
      }
      endings.trie = Vocabulary::MakeTrie(sorted);
      mask.endings.push_back(std::move(endings));
    }
  }
};

// A state in which any text may go on.
bool Core::IsOpen(uint32_t lex) const {
  const auto& parts = lexer.Parts(lex);
  return std::all_of(parts.begin(), parts.end(), [&](Re re) { return re == pool.Text(); });
}

std::shared_ptr<const Core::LexMask> Core::LexMaskOf(uint32_t lex, const Vocabulary& vocabulary) {
  if (const auto it = lex_masks_.find(lex); it != lex_masks_.end()) return it->second;
  auto mask = std::make_shared<LexMask>();
  const Vocabulary::Slice* slice = vocabulary.SliceFor(lexer.PlainSlack(lex));
  mask->trie = slice != nullptr ? &slice->rest : &vocabulary.all();
  const uint32_t other = slice != nullptr ? AfterStrangeText(lex) : Lexer::kDead;
  mask->strange = other;
  if (other != Lexer::kDead && other != lex && vocabulary.SliceFor(lexer.PlainSlack(other)) == slice) {
    mask->base = LexMaskOf(other, vocabulary);
    CompareLexMasks(lex, other, vocabulary, *mask);
  } else {
    if (slice != nullptr) {
      mask->bits = slice->plain;
    } else {
      mask->bits.assign(vocabulary.n_words(), 0);
    }
    FillLexMask(lex, vocabulary, *mask);
  }
  lex_mask_bytes_ += mask->bits.size() * 4 + mask->crossings.size() * sizeof(LexMask::Crossing) + 512;
  for (const LexMask::Endings& one : mask->endings) lex_mask_bytes_ += one.trie.nodes.size() * 20 + one.trie.token_ids.size() * 4;
  lex_masks_[lex] = mask;
  return mask;
}

// The state after text that no schema speaks of, where any such text leads there: what a key is that is none of the
// schema's names. kDead where there is none.
uint32_t Core::AfterStrangeText(uint32_t lex) {
  const auto feed = [&](uint32_t from, std::string_view text) {
    for (const char c : text) {
      from = lexer.Next(from, static_cast<uint8_t>(c));
      if (from <= Lexer::kCross) return Lexer::kDead;
    }
    return from;
  };
  const uint32_t other = feed(lex, "\xEE\x80\x80");
  if (other == Lexer::kDead || feed(other, "x") != other || feed(lex, "\xEE\x80\x81") != other) return Lexer::kDead;
  // It must be its own: a mask is kept as the difference from a whole one, never from another difference.
  if (feed(other, "\xEE\x80\x80") != other) return Lexer::kDead;
  return other;
}

void Core::FillLexMask(uint32_t lex, const Vocabulary& vocabulary, LexMask& mask) {
  const Vocabulary::Trie& trie = *mask.trie;
  LexMaskBuilder builder{*this, vocabulary, trie, mask};
  std::vector<uint32_t> at(trie.max_depth + 1, lex);  // the state by depth
  const auto n_nodes = static_cast<uint32_t>(trie.nodes.size());
  for (uint32_t i = 1; i < n_nodes;) {
    const TrieNode& node = trie.nodes[i];
    const uint32_t from = at[node.depth - 1u], next = lexer.Next(from, node.byte);
    if (next <= Lexer::kCross) {
      if (next == Lexer::kCross) builder.Leave(i, from, node.depth);
      i = node.end;
      continue;
    }
    at[node.depth] = next;
    SetTokens(trie, node, mask.bits);
    ++i;
  }
  builder.Finish();
}

// Walks both states side by side, and goes on only where they differ.
void Core::CompareLexMasks(uint32_t lex, uint32_t other, const Vocabulary& vocabulary, LexMask& mask) {
  const Vocabulary::Trie& trie = *mask.trie;
  LexMaskBuilder builder{*this, vocabulary, trie, mask};
  std::vector<std::pair<uint32_t, uint32_t>> decided;  // subtrees that are no matter of the base's crossings
  const auto tokens = [&](uint32_t begin, uint32_t end, std::vector<int32_t>& out) {
    for (uint32_t k = begin; k < end; ++k) {
      for (uint32_t t = 0; t < trie.nodes[k].n_tokens; ++t) out.push_back(trie.token_ids[trie.nodes[k].first_token + t]);
    }
  };
  struct Pair {
    uint32_t lex, other;
  };
  std::vector<Pair> at(trie.max_depth + 1, {lex, other});  // by depth
  for (uint32_t i = 1; i < trie.nodes.size();) {
    const TrieNode& node = trie.nodes[i];
    const Pair from = at[node.depth - 1u];
    const uint32_t next = lexer.Next(from.lex, node.byte);
    const uint32_t theirs = from.other == Lexer::kDead ? Lexer::kDead : lexer.Next(from.other, node.byte);
    if (next == theirs && next != Lexer::kCross) {
      i = node.end;
      continue;
    }
    if (next <= Lexer::kCross || theirs == Lexer::kCross) {
      tokens(i, node.end, mask.cleared);
      decided.emplace_back(i, node.end);
    }
    if (next <= Lexer::kCross) {
      if (next == Lexer::kCross) builder.Leave(i, from.lex, node.depth);
      i = node.end;
      continue;
    }
    tokens(i, i + 1, mask.set);
    at[node.depth] = {next, theirs <= Lexer::kCross ? Lexer::kDead : theirs};
    ++i;
  }
  for (LexMask::Crossing crossing : mask.base->crossings) {
    const auto in = [&](const std::pair<uint32_t, uint32_t>& one) {
      return one.first <= crossing.node && crossing.node < one.second;
    };
    if (std::any_of(decided.begin(), decided.end(), in)) continue;
    crossing.group += static_cast<uint32_t>(builder.groups.size());
    mask.crossings.push_back(crossing);
  }
  builder.Finish();
}

}  // namespace lfm::grammar
