#include "grammar/regex.h"

#include <algorithm>
#include <string>

#include "grammar/hash.h"

namespace lfm::grammar {
namespace {

constexpr int kMaxFactorDepth = 2000;
constexpr uint32_t kFar = 512;        // counts beyond this many code points are out of a token's reach
constexpr size_t kMaxSearch = 60000;  // states of one search for a member

}  // namespace

RegexPool::RegexPool(size_t max_nodes) : max_nodes_(max_nodes) {
  nodes_.resize(2);
  nodes_[kNone] = {.kind = Kind::kNone, .nullable = false, .finite = true, .live = 0};
  nodes_[kEmpty] = {.kind = Kind::kEmpty, .nullable = true, .finite = true, .live = 1};
  all_ = Not(kNone);
  any_char_ = CodePoints({{0, 0x10FFFF}});
  text_ = Star(any_char_);
}

void RegexPool::Flags(Node& n, const Re* list, size_t n_list) const {
  const auto slack = [&](Re re) { return nodes_[re].slack; };
  switch (n.kind) {
    case Kind::kNone:
    case Kind::kEmpty: break;
    case Kind::kSet: n.finite = true, n.live = 1; break;
    case Kind::kConcat: {
      const Node &a = nodes_[n.a], &b = nodes_[n.b];
      n.nullable = a.nullable && b.nullable, n.finite = a.finite && b.finite;
      break;
    }
    case Kind::kOr:
      n.finite = true;
      for (size_t i = 0; i < n_list; ++i) {
        n.nullable |= nodes_[list[i]].nullable, n.finite &= nodes_[list[i]].finite;
        n.slack = std::max(n.slack, slack(list[i]));
      }
      break;
    case Kind::kAnd: {
      n.nullable = true, n.slack = kUnbounded;
      for (size_t i = 0; i < n_list; ++i) {
        n.nullable &= nodes_[list[i]].nullable, n.finite |= nodes_[list[i]].finite;
        n.slack = std::min(n.slack, slack(list[i]));
      }
      // Where length is bounded, a finite exception could be all that is left near the bound.
      if (n.slack != kUnbounded) n.slack = n.slack > 8 ? n.slack - 8 : 0;
      break;
    }
    case Kind::kNot:
      n.nullable = !nodes_[n.a].nullable;
      if (nodes_[n.a].finite) n.slack = kUnbounded, n.live = 1;
      break;
    case Kind::kRepeat:
      n.nullable = n.min == 0 || nodes_[n.a].nullable;
      n.finite = n.max != kUnbounded && nodes_[n.a].finite;
      if (n.a == any_char_ && any_char_ != 0) n.slack = n.max;
      break;
    case Kind::kMultiple: {
      const MultipleState& m = multiples_[n.a];
      uint64_t r = m.remainder;
      for (int64_t i = std::max(m.n_fraction, 0); i < m.scale; ++i) r = r * 10 % m.mantissa;
      n.nullable = m.any && r == 0;
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
  for (auto [it, end] = index_.equal_range(hash); it != end; ++it) {
    const Node& other = nodes_[it->second];
    if (other.kind != n.kind || other.min != n.min) continue;
    if (list == nullptr ? other.a == n.a && other.b == n.b && other.max == n.max
                        : other.max == n_list && std::equal(list, list + n_list, List(other))) {
      return it->second;
    }
  }
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
  index_.emplace(hash, id);
  return id;
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

Re RegexPool::Byte(uint8_t byte) { return Range(byte, byte); }

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
  // Chains lean to the right: the head is never a chain itself.
  std::vector<Re> heads;
  while (nodes_[first].kind == Kind::kConcat) heads.push_back(nodes_[first].a), first = nodes_[first].b;
  heads.push_back(first);
  for (size_t i = heads.size(); i-- > 0;) second = Intern({.kind = Kind::kConcat, .a = heads[i], .b = second}, nullptr, 0);
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
  if (flat.empty()) return kNone;
  if (flat.size() == 1) return flat[0];
  const auto head = [&](Re re) { return nodes_[re].kind == Kind::kConcat ? nodes_[re].a : re; };
  const auto tail = [&](Re re) { return nodes_[re].kind == Kind::kConcat ? nodes_[re].b : Re{kEmpty}; };
  if (depth < kMaxFactorDepth) {
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

Re RegexPool::And(std::vector<Re> parts) {
  std::vector<Re> flat;
  for (const Re part : parts) {
    const Node& n = nodes_[part];
    if (part == kNone) return kNone;
    if (part == all_) continue;
    if (n.kind == Kind::kAnd) {
      flat.insert(flat.end(), List(n), List(n) + n.max);
    } else {
      flat.push_back(part);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return all_;
  if (flat.size() == 1) return flat[0];
  bool all_sets = true, has_empty = false, nullable = true;
  for (const Re re : flat) {
    all_sets &= nodes_[re].kind == Kind::kSet, has_empty |= re == kEmpty, nullable &= nodes_[re].nullable;
    if (nodes_[re].kind == Kind::kNot && std::binary_search(flat.begin(), flat.end(), nodes_[re].a)) return kNone;
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

Re RegexPool::DeriveMultiple(const MultipleState& from, uint8_t byte) {
  MultipleState m = from;
  if (byte == '.') {
    if (m.n_fraction >= 0 || !m.any) return kNone;
    m.n_fraction = 0, m.any = false;
    return MultipleNode(m);
  }
  if (byte < '0' || byte > '9') return kNone;
  m.any = true;
  if (m.n_fraction >= static_cast<int64_t>(m.scale)) {
    return byte == '0' ? MultipleNode(m) : Re{kNone};  // finer than the step
  }
  m.remainder = (m.remainder * 10 + (byte - '0')) % m.mantissa;
  if (m.n_fraction >= 0) ++m.n_fraction;
  return MultipleNode(m);
}

void RegexPool::CollectSets(Re re, std::vector<const ByteSet*>& sets) const {
  for (;;) {
    const Node& n = nodes_[re];
    switch (n.kind) {
      case Kind::kNone:
      case Kind::kEmpty: return;
      case Kind::kSet: sets.push_back(&sets_[n.a]); return;
      case Kind::kConcat:
        CollectSets(n.a, sets);
        if (!nodes_[n.a].nullable) return;
        re = n.b;
        continue;
      case Kind::kOr:
      case Kind::kAnd:
        for (size_t i = 0; i < n.max; ++i) CollectSets(List(n)[i], sets);
        return;
      case Kind::kNot:
      case Kind::kRepeat: re = n.a; continue;
      case Kind::kMultiple: {
        static const std::array<ByteSet, 11> digits = [] {
          std::array<ByteSet, 11> each;
          for (size_t d = 0; d < 10; ++d) each[d].set('0' + d);
          each[10].set('.');
          return each;
        }();
        for (const ByteSet& digit : digits) sets.push_back(&digit);
        return;
      }
    }
  }
}

Re RegexPool::Derive(Re re, uint8_t byte) {
  const Node n = nodes_[re];  // a copy: nodes_ grows below
  switch (n.kind) {
    case Kind::kNone:
    case Kind::kEmpty: return kNone;
    case Kind::kSet: return sets_[n.a].test(byte) ? Re{kEmpty} : Re{kNone};
    case Kind::kConcat: {
      std::vector<Re> parts;
      Re at = re;
      for (;;) {
        if (nodes_[at].kind != Kind::kConcat) {
          parts.push_back(Derive(at, byte));
          break;
        }
        const Re head = nodes_[at].a, rest = nodes_[at].b;
        parts.push_back(Concat(Derive(head, byte), rest));
        if (!nodes_[head].nullable) break;
        at = rest;
      }
      return parts.size() == 1 ? parts[0] : Or(std::move(parts));
    }
    case Kind::kOr:
    case Kind::kAnd: {
      std::vector<Re> parts;
      for (size_t i = 0; i < n.max; ++i) {
        const Re derived = Derive(lists_[n.a + i], byte);
        if (derived == kNone && n.kind == Kind::kAnd) return kNone;
        if (derived != kNone) parts.push_back(derived);
      }
      if (parts.size() == 1) return parts[0];
      return n.kind == Kind::kOr ? Or(std::move(parts)) : And(std::move(parts));
    }
    case Kind::kNot: return Not(Derive(n.a, byte));
    case Kind::kRepeat: {
      const Re derived = Derive(n.a, byte);
      if (derived == kNone) return kNone;
      return Concat(derived, Repeat(n.a, n.min > 0 ? n.min - 1 : 0, n.max == kUnbounded ? n.max : n.max - 1));
    }
    case Kind::kMultiple: return DeriveMultiple(multiples_[n.a], byte);
  }
  return kNone;
}

const RegexPool::Row& RegexPool::RowOf(Re re) {
  if (nodes_[re].row >= 0) return rows_[static_cast<size_t>(nodes_[re].row)];
  std::vector<const ByteSet*> sets;
  CollectSets(re, sets);
  std::sort(sets.begin(), sets.end());
  sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
  std::array<uint64_t, 256> signature{};
  for (const ByteSet* set : sets) {
    const uint64_t salt = Mix(0x51ED, std::hash<ByteSet>()(*set));
    for (size_t b = set->_Find_first(); b < 256; b = set->_Find_next(b)) signature[b] += salt;
  }
  std::array<uint8_t, 256> classes{};
  std::vector<std::pair<uint64_t, uint8_t>> representatives;
  uint64_t hash = 0;
  for (size_t b = 0; b < 256; ++b) {
    size_t c = 0;
    while (c < representatives.size() && representatives[c].first != signature[b]) ++c;
    if (c == representatives.size()) representatives.emplace_back(signature[b], static_cast<uint8_t>(b));
    classes[b] = static_cast<uint8_t>(c);
    hash = Mix(hash, c);
  }
  Row row{UINT32_MAX, {}};
  for (auto [it, end] = class_index_.equal_range(hash); it != end; ++it) {
    if (class_maps_[it->second] == classes) row.classes = it->second;
  }
  if (row.classes == UINT32_MAX) {
    row.classes = static_cast<uint32_t>(class_maps_.size());
    class_maps_.push_back(classes);
    class_index_.emplace(hash, row.classes);
  }
  row.next.reserve(representatives.size());
  for (const auto& [sig, byte] : representatives) row.next.push_back(Derive(re, byte));
  nodes_[re].row = static_cast<int32_t>(rows_.size());
  rows_.push_back(std::move(row));
  return rows_.back();
}

Re RegexPool::Next(Re re, uint8_t byte) {
  if (re <= kEmpty) return kNone;
  const Row& row = RowOf(re);
  return row.next[class_maps_[row.classes][byte]];
}

Re RegexPool::Next(Re re, std::string_view bytes) {
  for (const char c : bytes) {
    if (re == kNone) break;
    re = Next(re, static_cast<uint8_t>(c));
  }
  return re;
}

std::vector<RegexPool::Edge> RegexPool::Edges(Re re) {
  std::vector<Edge> edges;
  if (re <= kEmpty) return edges;
  const Row row = RowOf(re);
  std::vector<bool> seen(row.next.size());
  for (size_t b = 0; b < 256; ++b) {
    const uint8_t c = class_maps_[row.classes][b];
    if (!seen[c] && row.next[c] != kNone) edges.push_back({static_cast<uint8_t>(b), row.next[c]});
    seen[c] = true;
  }
  return edges;
}

// What the form alone tells; -1 where only a search can.
int8_t RegexPool::QuickLive(Re re) {
  for (int step = 0; step < 64; ++step) {
    const Node& n = nodes_[re];
    if (n.live >= 0) return n.live;
    if (n.kind == Kind::kRepeat) {
      re = n.a;
      continue;
    }
    if (n.kind == Kind::kOr) {
      for (size_t i = 0; i < n.max; ++i) {
        if (nodes_[List(n)[i]].live == 1) return 1;
      }
    }
    if (n.kind == Kind::kConcat && nodes_[n.a].live == 1) {
      re = n.b;
      continue;
    }
    return -1;
  }
  return -1;
}

bool RegexPool::Live(Re re) {
  if (nodes_[re].live < 0) {
    const int8_t quick = QuickLive(re);
    nodes_[re].live = quick >= 0 ? quick : static_cast<int8_t>(SearchLive(re));
  }
  return nodes_[re].live == 1;
}

// Depth first: members are mostly near. All states on the way to a member are live; when there is none all are dead.
bool RegexPool::SearchLive(Re start) {
  std::unordered_map<Re, Re> parent{{start, start}};
  std::vector<Re> stack{start};
  while (!stack.empty()) {
    Re re = stack.back();
    stack.pop_back();
    for (const Edge& edge : Edges(re)) {
      const Re to = edge.target;
      const int8_t live = QuickLive(to);
      if (live == 1) {
        for (nodes_[to].live = 1;; re = parent[re]) {
          nodes_[re].live = 1;
          if (re == start) return true;
        }
      }
      if (live < 0 && parent.emplace(to, re).second) stack.push_back(to);
    }
    if (parent.size() > kMaxSearch) {
      overflowed_ = true;
      return false;
    }
  }
  for (const auto& [state, from] : parent) nodes_[state].live = 0;
  return false;
}

uint64_t RegexPool::CountUpTo(Re re, uint64_t limit) {
  if (!Live(re)) return 0;
  uint64_t total = 0;
  std::unordered_map<Re, uint64_t> now{{re, 1}};
  for (size_t length = 0; length < kMaxSearch && !now.empty(); ++length) {
    std::unordered_map<Re, uint64_t> next;
    for (const auto& [state, n] : now) {
      if (Nullable(state)) total += n;
      if (total >= limit) return limit;
      if (state <= kEmpty) continue;
      const Row row = RowOf(state);
      std::vector<uint64_t> sizes(row.next.size());
      for (const uint8_t c : class_maps_[row.classes]) ++sizes[c];
      for (size_t c = 0; c < sizes.size(); ++c) {
        if (Live(row.next[c])) next[row.next[c]] += std::min(limit, n * sizes[c]);
      }
    }
    now = std::move(next);
  }
  return total;
}

bool RegexPool::Shortest(Re start, std::string& out) {
  out.clear();
  if (Nullable(start)) return true;
  if (!Live(start)) return false;
  std::unordered_map<Re, std::pair<Re, uint8_t>> parent{{start, {start, 0}}};
  std::vector<Re> queue{start};
  for (size_t i = 0; i < queue.size() && queue.size() < kMaxSearch; ++i) {
    for (const Edge& edge : Edges(queue[i])) {
      if (!parent.emplace(edge.target, std::pair{queue[i], edge.byte}).second) continue;
      if (!Live(edge.target)) continue;
      if (Nullable(edge.target)) {
        for (Re at = edge.target; at != start; at = parent[at].first) out += static_cast<char>(parent[at].second);
        std::reverse(out.begin(), out.end());
        return true;
      }
      queue.push_back(edge.target);
    }
  }
  return false;
}

Re RegexPool::Saturated(Re re) {
  const Node n = nodes_[re];
  if (n.kind == Kind::kRepeat && n.a == any_char_) {
    const uint32_t min = std::min(n.min, kFar), max = n.max > kFar ? kUnbounded : n.max;
    return min == n.min && max == n.max ? re : Repeat(n.a, min, max);
  }
  if (n.kind == Kind::kConcat) {
    const Re tail = Saturated(n.b);
    return tail == n.b ? re : Concat(n.a, tail);
  }
  if (n.kind == Kind::kAnd) {
    std::vector<Re> parts(lists_.begin() + n.a, lists_.begin() + n.a + n.max);
    bool changed = false;
    for (Re& part : parts) {
      const Re saturated = nodes_[part].slack > 0 || nodes_[part].kind == Kind::kConcat ? Saturated(part) : part;
      changed |= saturated != part, part = saturated;
    }
    return changed ? And(std::move(parts)) : re;
  }
  return re;
}

}  // namespace lfm::grammar
