#include "grammar/regex.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>

#include "base/stack.h"
#include "grammar/hash.h"

namespace lfm::grammar {
namespace {

constexpr int kMaxFactorDepth = 2000;
constexpr int kCoverSteps = 64;       // of one comparison of two alternatives
constexpr size_t kMaxCompared = 256;  // alternatives that are compared with each other
constexpr float kHuge = 1e30f;
// Of a language with fewer members (2 to this) some end of a free text is none.
constexpr float kFewLog = 100;

uint32_t Times(uint32_t a, uint32_t b) {
  const uint64_t product = uint64_t{a} * b;
  return product >= kUnbounded ? kUnbounded : static_cast<uint32_t>(product);
}

}  // namespace

RegexPool::RegexPool(size_t max_nodes) : max_nodes_(max_nodes) {
  nodes_.resize(2);
  nodes_[kNone] = {
      .kind = Kind::kNone, .nullable = false, .finite = true, .plain = true, .text = true, .live = 0, .log_count = -kHuge};
  nodes_[kEmpty] = {.kind = Kind::kEmpty, .nullable = true, .finite = true, .plain = true, .text = true, .live = 1};
  index_.resize(1024, {0, kNone});
  for (size_t byte = 0; byte < 256; ++byte) bytes_[byte] = Set(ByteSet().set(byte));
  digits_ = static_cast<uint32_t>(sets_.size());
  for (const char c : std::string_view("0123456789.")) sets_.push_back(ByteSet().set(static_cast<uint8_t>(c)));
  all_ = Not(kNone);
  any_char_ = CodePoints({{0, 0x10FFFF}});
  text_ = Star(any_char_);
}

void RegexPool::Flags(Node& n, const Re* list, size_t n_list) const {
  const auto slack = [&](Re re) { return nodes_[re].slack; };
  switch (n.kind) {
    case Kind::kNone:
    case Kind::kEmpty: break;
    case Kind::kSet:
      n.finite = n.plain = true, n.live = 1, n.least = n.rest = 1;
      n.log_count = std::log2(static_cast<float>(sets_[n.a].count()));
      n.text = sets_[n.a]._Find_next(0x7F) >= 256;
      break;
    case Kind::kConcat: {
      const Node &a = nodes_[n.a], &b = nodes_[n.b];
      n.nullable = a.nullable && b.nullable, n.finite = a.finite && b.finite;
      n.plain = a.plain && b.plain, n.counted = a.counted || b.counted, n.text = a.text && b.text;
      n.least = Plus(a.least, b.least), n.rest = std::max(Plus(a.rest, b.least), b.rest);
      n.log_count = a.log_count + b.log_count;
      if (b.live != 1) break;
      if (a.live == 1) n.live = 1;
      if (any_char_ != 0 && n.a == any_char_) {
        n.slack = b.slack == kUnbounded ? b.slack : b.slack + 1, n.wide = b.wide && b.slack > 0;
      } else {
        n.slack = a.slack;
      }
      break;
    }
    case Kind::kOr:
      n.finite = n.plain = n.text = true, n.least = kUnbounded, n.log_count = 0;
      for (size_t i = 0; i < n_list; ++i) {
        const Node& one = nodes_[list[i]];
        n.plain &= one.plain, n.counted |= one.counted, n.text &= one.text;
        n.least = std::min(n.least, one.least), n.rest = std::max(n.rest, one.rest);
        n.log_count = std::max(n.log_count, one.log_count);
        n.nullable |= nodes_[list[i]].nullable, n.finite &= nodes_[list[i]].finite;
        if (slack(list[i]) > n.slack) n.wide = false;
        if (slack(list[i]) >= n.slack) n.wide |= nodes_[list[i]].wide;
        n.slack = std::max(n.slack, slack(list[i]));
        if (nodes_[list[i]].live == 1) n.live = 1;
      }
      n.log_count += std::log2(static_cast<float>(n_list));
      break;
    case Kind::kAnd: {
      n.nullable = true, n.slack = kUnbounded, n.log_count = kHuge;
      size_t n_narrow = 0;
      for (size_t i = 0; i < n_list; ++i) {
        n.nullable &= nodes_[list[i]].nullable, n.finite |= nodes_[list[i]].finite, n.text |= nodes_[list[i]].text;
        n.least = std::max(n.least, nodes_[list[i]].least);
        if (nodes_[list[i]].finite) n.log_count = std::min(n.log_count, nodes_[list[i]].log_count);
        n.slack = std::min(n.slack, slack(list[i]));
        n_narrow += static_cast<size_t>(!nodes_[list[i]].wide);
      }
      // Two that always go on somehow may never do so together. One is enough where nothing bounds the length.
      n.wide = n_narrow == 0;
      if (n_narrow > 1 || (n_narrow == 1 && n.slack != kUnbounded)) n.slack = 0;
      // Where length is bounded, a finite exception could be all that is left near the bound.
      if (n.slack != kUnbounded) n.slack = n.slack > kFreeCodes ? n.slack - kFreeCodes : 0;
      break;
    }
    case Kind::kNot:
      n.nullable = !nodes_[n.a].nullable, n.least = static_cast<uint32_t>(!n.nullable);
      if (nodes_[n.a].finite) n.slack = kUnbounded, n.live = 1, n.wide = nodes_[n.a].log_count < kFewLog;
      break;
    case Kind::kRepeat: {
      const Node& inner = nodes_[n.a];
      n.nullable = n.min == 0 || inner.nullable;
      n.finite = n.max != kUnbounded && inner.finite;
      n.plain = inner.plain, n.text = inner.text, n.counted = inner.counted || n.min > 1 || (n.max > 1 && n.max != kUnbounded);
      n.least = Times(inner.least, n.min), n.rest = Plus(inner.rest, Times(inner.least, n.min > 0 ? n.min - 1 : 0));
      n.log_count = std::min(kHuge, static_cast<float>(n.max) * (std::max(inner.log_count, 0.0f) + 1));
      if (inner.live == 1) n.live = 1;
      if (n.a == any_char_ && any_char_ != 0) n.slack = n.max, n.wide = true;
      break;
    }
    case Kind::kMultiple: {
      const MultipleState& m = multiples_[n.a];
      uint64_t r = m.remainder;
      for (int64_t i = std::max(m.n_fraction, 0); i < m.scale; ++i) r = r * 10 % m.mantissa;
      n.nullable = m.any && r == 0, n.text = true, n.least = static_cast<uint32_t>(!n.nullable);
      break;
    }
  }
  if (n.nullable || n.slack > 0) n.live = 1;
}

Re RegexPool::Intern(Node n, const Re* list, size_t n_list) {
  uint64_t hash = Mix(static_cast<uint64_t>(n.kind), uint64_t{n.min} << 32 | n.max);
  if (list == nullptr) {
    hash = Mix(hash, uint64_t{n.a} << 32 | n.b);
  } else {
    for (size_t i = 0; i < n_list; ++i) hash = Mix(hash, list[i]);
  }
  Spend(1 + n_list / 8);
  size_t slot = hash & (index_.size() - 1);
  for (; index_[slot].second != kNone; slot = (slot + 1) & (index_.size() - 1)) {
    if (index_[slot].first != hash) continue;
    const Node& other = nodes_[index_[slot].second];
    if (other.kind != n.kind || other.min != n.min) continue;
    if (list == nullptr ? other.a == n.a && other.b == n.b && other.max == n.max
                        : other.max == n_list && std::equal(list, list + n_list, List(other))) {
      return index_[slot].second;
    }
  }
  if (overflowed_) return kNone;
  if (nodes_.size() >= max_nodes_ || lists_.size() >= 4 * max_nodes_) {
    overflowed_ = true;
    return kNone;
  }
  if (list != nullptr) {
    n.a = static_cast<uint32_t>(lists_.size()), n.max = static_cast<uint32_t>(n_list);
    Flags(n, list, n_list);
    lists_.insert(lists_.end(), list, list + n_list);
  } else {
    Flags(n, nullptr, 0);
  }
  const auto id = static_cast<Re>(nodes_.size());
  nodes_.push_back(n);
  index_[slot] = {hash, id};
  if (nodes_.size() * 2 > index_.size()) {
    std::vector<std::pair<uint64_t, Re>> wider(index_.size() * 2, {0, kNone});
    for (const auto& one : index_) {
      if (one.second == kNone) continue;
      size_t at = one.first & (wider.size() - 1);
      while (wider[at].second != kNone) at = (at + 1) & (wider.size() - 1);
      wider[at] = one;
    }
    index_ = std::move(wider);
  }
  return id;
}

void RegexPool::CheckWork() {
  next_check_ = work_ + std::min<uint64_t>(8192, work_limit_ - std::min(work_, work_limit_) + 1);
  if (work_ > work_limit_ || (stop && stop())) overflowed_ = exhausted_ = true;
}

Re RegexPool::InternList(Kind kind, const std::vector<Re>& list) {
  return Intern({.kind = kind, .max = static_cast<uint32_t>(list.size())}, list.data(), list.size());
}

Re RegexPool::Set(const ByteSet& bytes) {
  if (bytes.none()) return kNone;
  const uint64_t hash = std::hash<ByteSet>()(bytes);
  for (auto [it, end] = set_index_.equal_range(hash); it != end; ++it) {
    if (sets_[it->second] == bytes) return Intern({.kind = Kind::kSet, .a = it->second}, nullptr, 0);
  }
  sets_.push_back(bytes);
  const auto index = static_cast<uint32_t>(sets_.size() - 1);
  set_index_.emplace(hash, index);
  return Intern({.kind = Kind::kSet, .a = index}, nullptr, 0);
}

Re RegexPool::Byte(uint8_t byte) { return bytes_[byte]; }

Re RegexPool::Range(uint8_t first, uint8_t last) {
  ByteSet set;
  for (int b = first; b <= last; ++b) set.set(static_cast<size_t>(b));
  return Set(set);
}

Re RegexPool::Literal(std::string_view bytes) {
  Re re = kEmpty;
  for (size_t i = bytes.size(); i-- > 0;) re = Concat(Byte(static_cast<uint8_t>(bytes[i])), re);
  return re;
}

Re RegexPool::Concat(std::initializer_list<Re> parts) {
  Re re = kEmpty;
  for (size_t i = parts.size(); i-- > 0;) re = Concat(parts.begin()[i], re);
  return re;
}

Re RegexPool::Concat(Re first, Re second) {
  if (first == kNone || second == kNone) return kNone;
  if (first == kEmpty) return second;
  if (second == kEmpty) return first;
  const bool text = nodes_[first].text && nodes_[second].text;  // which the bytes of its characters do not show
  // Chains lean to the right: the head is never a chain itself.
  std::vector<Re> heads;
  while (nodes_[first].kind == Kind::kConcat) heads.push_back(nodes_[first].a), first = nodes_[first].b;
  heads.push_back(first);
  for (size_t i = heads.size(); i-- > 0;) second = Intern({.kind = Kind::kConcat, .a = heads[i], .b = second}, nullptr, 0);
  if (text) nodes_[second].text = true;
  return second;
}

Re RegexPool::Or(std::vector<Re> parts) { return OrAt(std::move(parts), 0); }

// Alternatives that begin alike share their beginning, so a list of words becomes a trie.
Re RegexPool::OrAt(std::vector<Re> parts, int depth) {
  std::vector<Re> flat;
  for (const Re part : parts) {
    const Node& n = nodes_[part];
    if (part == kNone) continue;
    if (part == all_) return all_;
    if (n.kind == Kind::kOr) {
      flat.insert(flat.end(), List(n), List(n) + n.max);
    } else {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  Spend(flat.size());
  if (flat.empty() || overflowed_) return kNone;
  DropTexts(flat);
  if (depth == 0) DropCovered(flat);
  if (flat.size() == 1) return flat[0];
  const auto head = [&](Re re) { return nodes_[re].kind == Kind::kConcat ? nodes_[re].a : re; };
  const auto tail = [&](Re re) { return nodes_[re].kind == Kind::kConcat ? nodes_[re].b : Re{kEmpty}; };
  if (depth < kMaxFactorDepth && !IsStackSpent()) {
    std::stable_sort(flat.begin(), flat.end(), [&](Re a, Re b) { return head(a) < head(b); });
    std::vector<Re> grouped;
    for (size_t i = 0; i < flat.size();) {
      size_t j = i + 1;
      const Re first = head(flat[i]);
      while (j < flat.size() && head(flat[j]) == first) ++j;
      if (j == i + 1 || first == kEmpty) {
        grouped.insert(grouped.end(), flat.begin() + static_cast<ptrdiff_t>(i), flat.begin() + static_cast<ptrdiff_t>(j));
      } else {
        std::vector<Re> tails;
        for (size_t k = i; k < j; ++k) tails.push_back(tail(flat[k]));
        grouped.push_back(Concat(first, OrAt(std::move(tails), depth + 1)));
      }
      i = j;
    }
    flat = std::move(grouped);
    // Sets with the same tail are one set.
    std::stable_sort(flat.begin(), flat.end(), [&](Re a, Re b) {
      const bool sa = nodes_[head(a)].kind == Kind::kSet, sb = nodes_[head(b)].kind == Kind::kSet;
      return sa != sb ? sa : sa && tail(a) < tail(b);
    });
    std::vector<Re> merged;
    for (size_t i = 0; i < flat.size();) {
      size_t j = i + 1;
      if (nodes_[head(flat[i])].kind == Kind::kSet) {
        ByteSet set = sets_[nodes_[head(flat[i])].a];
        const Re end = tail(flat[i]);
        while (j < flat.size() && nodes_[head(flat[j])].kind == Kind::kSet && tail(flat[j]) == end) {
          set |= sets_[nodes_[head(flat[j++])].a];
        }
        merged.push_back(j == i + 1 ? flat[i] : Concat(Set(set), end));
      } else {
        merged.push_back(flat[i]);
      }
      i = j;
    }
    flat = std::move(merged);
    std::sort(flat.begin(), flat.end());
    flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
    if (flat.size() == 1) return flat[0];
  }
  return InternList(Kind::kOr, flat);
}

// Whether one alternative holds the other, as far as their forms show: the same with counts that are wider, or with a
// beginning that may be left out.
bool RegexPool::Covers(Re all, Re some, int& fuel) const {
  while (all != some) {
    if (--fuel < 0 || all <= kEmpty) return false;
    const Node &a = nodes_[all], &b = nodes_[some];
    const Re head = a.kind == Kind::kConcat ? a.a : all, tail = a.kind == Kind::kConcat ? a.b : Re{kEmpty};
    const Re other_head = b.kind == Kind::kConcat ? b.a : some, other_tail = b.kind == Kind::kConcat ? b.b : Re{kEmpty};
    const Node &x = nodes_[head], &y = nodes_[other_head];
    const bool wider = x.kind == Kind::kRepeat && (y.kind == Kind::kRepeat ? x.a == y.a && x.min <= y.min && x.max >= y.max
                                                                           : x.a == other_head && x.min <= 1);
    if ((head == other_head || wider) && some != kEmpty) {
      if (!x.nullable) {
        all = tail, some = other_tail;
        continue;
      }
      if (Covers(tail, other_tail, fuel)) return true;
    }
    if (!x.nullable) return false;
    all = tail;
  }
  return true;
}

// What is some text is no alternative beside any text.
void RegexPool::DropTexts(std::vector<Re>& parts) const {
  if (text_ == 0 || parts.size() < 2 || !std::binary_search(parts.begin(), parts.end(), text_)) return;
  std::erase_if(parts, [&](Re re) { return re != text_ && nodes_[re].text; });
}

// Alternatives that others hold are left out, so that what can be read in many ways at once does not pile up.
void RegexPool::DropCovered(std::vector<Re>& parts) const {
  std::vector<Re> drop, walked;
  std::vector<Re> wide;  // that begin with a repetition
  for (const Re part : parts) {
    const Re head = nodes_[part].kind == Kind::kConcat ? nodes_[part].a : part;
    if (nodes_[head].kind == Kind::kRepeat) wide.push_back(part);
  }
  if (wide.empty() && parts[0] != kEmpty) return;
  std::sort(wide.begin(), wide.end(), std::greater<>());  // what is made later is mostly longer
  std::unordered_set<Re> seen;
  for (Re at : wide) {
    while (nodes_[at].kind == Kind::kConcat && nodes_[nodes_[at].a].nullable && seen.insert(at).second) {
      at = nodes_[at].b;
      if (std::binary_search(parts.begin(), parts.end(), at)) drop.push_back(at);
    }
  }
  const auto dropped = [&](Re re) { return std::find(drop.begin(), drop.end(), re) != drop.end(); };
  if (drop.size() > 1) std::sort(drop.begin(), drop.end());
  std::erase_if(parts, [&](Re re) { return std::binary_search(drop.begin(), drop.end(), re); });
  if (parts[0] == kEmpty && std::any_of(parts.begin() + 1, parts.end(), [&](Re re) { return nodes_[re].nullable; })) {
    parts.erase(parts.begin());
  }
  drop.clear();
  if (parts.size() > kMaxCompared) return;
  for (const Re all : wide) {
    if (dropped(all) || !std::binary_search(parts.begin(), parts.end(), all)) continue;
    for (const Re some : parts) {
      int fuel = kCoverSteps;
      if (some != all && !dropped(some) && Covers(all, some, fuel)) drop.push_back(some);
    }
  }
  std::erase_if(parts, dropped);
}

Re RegexPool::And(std::vector<Re> parts) {
  std::vector<Re> flat;
  uint32_t min = 0, max = kUnbounded;  // texts of so many code points are one part
  bool text = false;
  Spend(parts.size());
  if (overflowed_) return kNone;
  for (const Re part : parts) {
    const Node& n = nodes_[part];
    if (part == kNone) return kNone;
    if (part == all_) continue;
    const Re one[1] = {part};
    for (const Re re : n.kind == Kind::kAnd ? std::span<const Re>(List(n), n.max) : std::span<const Re>(one)) {
      const Node& inner = nodes_[re];
      if (inner.kind == Kind::kRepeat && inner.a == any_char_) {
        text = true, min = std::max(min, inner.min), max = std::min(max, inner.max);
      } else {
        flat.push_back(re);
      }
    }
  }
  if (min > max) return kNone;
  if (text) flat.push_back(Repeat(any_char_, min, max));
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return all_;
  if (flat.size() == 1) return flat[0];
  bool all_sets = true, has_empty = false, nullable = true;
  for (const Re re : flat) {
    all_sets &= nodes_[re].kind == Kind::kSet, has_empty |= re == kEmpty, nullable &= nodes_[re].nullable;
    if (nodes_[re].kind != Kind::kNot) continue;
    const Node& without = nodes_[nodes_[re].a];
    if (std::binary_search(flat.begin(), flat.end(), nodes_[re].a)) return kNone;
    if (text && without.kind == Kind::kRepeat && without.a == any_char_ && without.min <= min && without.max >= max) return kNone;
  }
  if (has_empty) return nullable ? kEmpty : kNone;
  if (all_sets) {
    ByteSet set = sets_[nodes_[flat[0]].a];
    for (const Re re : flat) set &= sets_[nodes_[re].a];
    return Set(set);
  }
  return InternList(Kind::kAnd, flat);
}

Re RegexPool::Not(Re inner) {
  if (nodes_[inner].kind == Kind::kNot) return nodes_[inner].a;
  return Intern({.kind = Kind::kNot, .a = inner}, nullptr, 0);
}

Re RegexPool::Repeat(Re inner, uint32_t min, uint32_t max) {
  if (max == 0 || inner == kEmpty) return kEmpty;
  if (inner == kNone) return min == 0 ? kEmpty : kNone;
  if (min == 1 && max == 1) return inner;
  if (nodes_[inner].nullable) min = 0;
  if (nodes_[inner].kind == Kind::kRepeat && nodes_[inner].min == 0 && nodes_[inner].max == kUnbounded) return inner;
  return Intern({.kind = Kind::kRepeat, .a = inner, .min = min, .max = max}, nullptr, 0);
}

Re RegexPool::Multiple(uint64_t mantissa, uint32_t scale) { return MultipleNode({mantissa, 0, scale, -1, false}); }

Re RegexPool::MultipleNode(const MultipleState& state) {
  uint64_t hash =
      Mix(Mix(state.mantissa, state.remainder), uint64_t{state.scale} << 32 | static_cast<uint32_t>(state.n_fraction));
  hash = Mix(hash, state.any ? 0xABCDEF : 0x123456);
  for (auto [it, end] = set_index_.equal_range(hash); it != end; ++it) {
    if (it->second < multiples_.size() && multiples_[it->second] == state) {
      return Intern({.kind = Kind::kMultiple, .a = it->second}, nullptr, 0);
    }
  }
  multiples_.push_back(state);
  const auto index = static_cast<uint32_t>(multiples_.size() - 1);
  set_index_.emplace(hash, index);
  return Intern({.kind = Kind::kMultiple, .a = index}, nullptr, 0);
}

}  // namespace lfm::grammar
