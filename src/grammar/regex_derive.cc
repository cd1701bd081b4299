// Regular expressions at work: derivatives by a byte, kept as rows of an automaton, and searches of what they lead to.
#include <algorithm>
#include <queue>
#include <string>
#include <unordered_set>

#include "base/stack.h"
#include "grammar/hash.h"
#include "grammar/regex.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxSearch = 60000;  // states of one search for a member

}  // namespace

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

void RegexPool::CollectSets(Re re, std::vector<uint32_t>& sets) const {
  for (;;) {
    const Node& n = nodes_[re];
    switch (n.kind) {
      case Kind::kNone:
      case Kind::kEmpty: return;
      case Kind::kSet: sets.push_back(n.a); return;
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
      case Kind::kMultiple:
        for (uint32_t d = 0; d < 11; ++d) sets.push_back(digits_ + d);
        return;
    }
  }
}

Re RegexPool::Derive(Re re, uint8_t byte) {
  if (overflowed_) return kNone;
  Spend(1);
  const Node n = nodes_[re];  // a copy: nodes_ grows below
  switch (n.kind) {
    case Kind::kNone:
    case Kind::kEmpty: return kNone;
    case Kind::kSet: return sets_[n.a].test(byte) ? Re{kEmpty} : Re{kNone};
    case Kind::kConcat: {
      std::vector<Re> parts;
      bool whole = false;  // a part is all that follows a head, so it holds what follows later ones that may be left out
      Re at = re;
      for (;;) {
        if (nodes_[at].kind != Kind::kConcat) {
          parts.push_back(Derive(at, byte));
          break;
        }
        const Re head = nodes_[at].a, rest = nodes_[at].b;
        if (overflowed_) return kNone;
        const Re derived = Derive(head, byte);
        if (!whole || derived != kEmpty || !nodes_[head].nullable) parts.push_back(Concat(derived, rest));
        whole |= derived == kEmpty;
        if (!nodes_[head].nullable) break;
        at = rest;
      }
      return parts.size() == 1 ? parts[0] : Or(std::move(parts));
    }
    case Kind::kOr:
    case Kind::kAnd: {
      std::vector<Re> parts;
      for (size_t i = 0; i < n.max; ++i) {
        const Re part = lists_[n.a + i];
        const Re derived = n.kind == Kind::kAnd ? DerivePart(part, byte) : Derive(part, byte);
        if (derived == kNone && n.kind == Kind::kAnd) return kNone;
        if (derived != kNone) parts.push_back(derived);
      }
      if (parts.size() == 1) return parts[0];
      return n.kind == Kind::kOr ? Or(std::move(parts)) : And(std::move(parts));
    }
    case Kind::kNot: return Not(DerivePart(n.a, byte));
    case Kind::kRepeat: {
      const Re derived = Derive(n.a, byte);
      if (derived == kNone) return kNone;
      return Concat(derived, Repeat(n.a, n.min > 0 ? n.min - 1 : 0, n.max == kUnbounded ? n.max : n.max - 1));
    }
    case Kind::kMultiple: return DeriveMultiple(multiples_[n.a], byte);
  }
  return kNone;
}

// Of what is combined with others: it comes again beside other parts, so its own rows are kept.
Re RegexPool::DerivePart(Re re, uint8_t byte) { return nodes_[re].kind == Kind::kNot ? Derive(re, byte) : Next(re, byte); }

uint32_t RegexPool::ClassesOf(const std::vector<uint32_t>& sets) {
  Hash key;
  for (const uint32_t set : sets) key.Add(set);
  const auto [known, added] = class_index_.try_emplace(key, static_cast<uint32_t>(classes_.size()));
  if (!added) return known->second;
  std::array<uint64_t, 256> signature{};
  for (const uint32_t set : sets) {
    const uint64_t salt = Mix(0x51ED, set);
    for (size_t b = sets_[set]._Find_first(); b < 256; b = sets_[set]._Find_next(b)) signature[b] += salt;
  }
  Classes classes{};
  for (size_t b = 0; b < 256; ++b) {
    size_t c = 0;
    while (c < classes.first.size() && signature[classes.first[c]] != signature[b]) ++c;
    if (c == classes.first.size()) classes.first.push_back(static_cast<uint8_t>(b));
    classes.of[b] = static_cast<uint8_t>(c);
  }
  classes_.push_back(std::move(classes));
  return known->second;
}

const RegexPool::Row& RegexPool::RowOf(Re re) {
  if (nodes_[re].row >= 0) return rows_[static_cast<size_t>(nodes_[re].row)];
  if (IsStackSpent()) overflowed_ = true;  // complements inside each other make their rows inside each other
  std::vector<uint32_t> sets;
  if (!overflowed_) CollectSets(re, sets);
  Spend(sets.size());
  std::sort(sets.begin(), sets.end());
  sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
  Row row{ClassesOf(sets), {}};
  const std::vector<uint8_t> first = classes_[row.classes].first;  // a copy: classes_ may grow below
  row.next.reserve(first.size());
  for (const uint8_t byte : first) row.next.push_back(Derive(re, byte));
  nodes_[re].row = static_cast<int32_t>(rows_.size());
  rows_.push_back(std::move(row));
  return rows_.back();
}

Re RegexPool::Next(Re re, uint8_t byte) {
  if (re <= kEmpty) return kNone;
  const Row& row = RowOf(re);
  return row.next[classes_[row.classes].of[byte]];
}

Re RegexPool::Next(Re re, std::string_view bytes) {
  for (const char c : bytes) {
    if (re == kNone) break;
    re = Next(re, static_cast<uint8_t>(c));
  }
  return re;
}

std::span<const uint8_t> RegexPool::ByteClasses(Re re) {
  if (re <= kEmpty) return {};
  return classes_[RowOf(re).classes].of;
}

std::vector<RegexPool::Edge> RegexPool::Edges(Re re) {
  std::vector<Edge> edges;
  if (re <= kEmpty) return edges;
  const Row& row = RowOf(re);
  const std::vector<uint8_t>& first = classes_[row.classes].first;
  for (size_t c = 0; c < first.size(); ++c) {
    if (row.next[c] != kNone) edges.push_back({first[c], row.next[c]});
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

// First where a member seems nearest, of these the latest found. When one is found all states that were seen on some way to
// it are live; when there is none all are dead.
bool RegexPool::SearchLive(Re start) {
  struct Place {
    uint32_t least, order;
    Re re;
    bool operator<(const Place& other) const { return least != other.least ? least > other.least : order < other.order; }
  };
  std::unordered_set<Re> seen{start};
  std::vector<std::pair<Re, Re>> edges;  // to, from
  std::priority_queue<Place> open;
  open.push({0, 0, start});
  while (!open.empty()) {
    const Re from = open.top().re;
    open.pop();
    if (overflowed_) return false;
    for (const Edge& edge : Edges(from)) {
      const Re to = edge.target;
      const int8_t live = QuickLive(to);
      if (live == 0) continue;
      edges.emplace_back(to, from);
      if (live == 1) {
        MarkLive(to, edges);
        return true;
      }
      if (seen.insert(to).second) open.push({nodes_[to].least, static_cast<uint32_t>(seen.size()), to});
    }
    if (seen.size() > kMaxSearch) {
      overflowed_ = true;
      return false;
    }
  }
  for (const Re state : seen) nodes_[state].live = 0;
  return false;
}

// `found` is live, and so is what leads to it.
void RegexPool::MarkLive(Re found, std::vector<std::pair<Re, Re>>& edges) {
  std::sort(edges.begin(), edges.end());
  nodes_[found].live = 1;
  std::vector<Re> waiting{found};
  while (!waiting.empty()) {
    const Re to = waiting.back();
    waiting.pop_back();
    for (auto it = std::lower_bound(edges.begin(), edges.end(), std::pair{to, Re{0}}); it != edges.end() && it->first == to;
         ++it) {
      if (nodes_[it->second].live == 1) continue;
      nodes_[it->second].live = 1;
      waiting.push_back(it->second);
    }
  }
}

uint64_t RegexPool::CountUpTo(Re re, uint64_t limit) {
  if (!Live(re)) return 0;
  uint64_t total = 0;
  std::unordered_map<Re, uint64_t> now{{re, 1}};
  for (size_t length = 0; length < kMaxSearch && !now.empty() && !overflowed_; ++length) {
    std::unordered_map<Re, uint64_t> next;
    Spend(now.size());
    for (const auto& [state, n] : now) {
      if (Nullable(state)) total += n;
      if (total >= limit) return limit;
      if (state <= kEmpty) continue;
      const Row row = RowOf(state);
      std::vector<uint64_t> sizes(row.next.size());
      for (const uint8_t c : classes_[row.classes].of) ++sizes[c];
      for (size_t c = 0; c < sizes.size(); ++c) {
        if (Live(row.next[c])) next[row.next[c]] += std::min(limit, n * sizes[c]);
      }
    }
    now = std::move(next);
  }
  return total;
}

size_t RegexPool::CountMultiples(Re start) const {
  std::unordered_set<Re> seen{start};
  std::unordered_set<uint64_t> found;
  std::vector<Re> waiting{start};
  const auto add = [&](Re re) {
    if (seen.insert(re).second) waiting.push_back(re);
  };
  while (!waiting.empty()) {
    const Node& n = nodes_[waiting.back()];
    waiting.pop_back();
    switch (n.kind) {
      case Kind::kMultiple: found.insert(Mix(multiples_[n.a].mantissa, multiples_[n.a].scale)); break;
      case Kind::kConcat: add(n.b), add(n.a); break;
      case Kind::kNot:
      case Kind::kRepeat: add(n.a); break;
      case Kind::kOr:
      case Kind::kAnd:
        for (size_t i = 0; i < n.max; ++i) add(List(n)[i]);
        break;
      default: break;
    }
  }
  return found.size();
}

size_t RegexPool::CountConditions(Re start) const {
  std::unordered_set<Re> seen{start}, found;
  std::vector<Re> waiting{start};
  while (!waiting.empty()) {
    const Node& n = nodes_[waiting.back()];
    waiting.pop_back();
    const bool list = n.kind == Kind::kAnd || n.kind == Kind::kOr;
    if (!list && n.kind != Kind::kNot) continue;
    for (size_t i = 0; i < (list ? n.max : 1); ++i) {
      const Re part = list ? List(n)[i] : n.a;
      if (n.kind != Kind::kOr) found.insert(part);
      if (seen.insert(part).second) waiting.push_back(part);
    }
  }
  return found.size();
}

void RegexPool::LookAhead(Re start, size_t max_states, uint64_t max_work) {
  const uint64_t limit = work_limit_;
  work_limit_ = std::min(limit, work_ + max_work), next_check_ = 0;  // the searches of Live heed it, too
  std::unordered_set<Re> seen{start};
  std::vector<Re> queue{start};
  for (size_t i = 0; i < queue.size() && queue.size() < max_states && !overflowed_; ++i) {
    for (const Edge& edge : Edges(queue[i])) {
      if (Live(edge.target) && seen.insert(edge.target).second) queue.push_back(edge.target);
    }
  }
  work_limit_ = limit;
}

bool RegexPool::Shortest(Re start, std::string& out) {
  out.clear();
  if (Nullable(start)) return true;
  if (!Live(start) || (nodes_[start].plain && nodes_[start].least >= kMaxSearch)) return false;  // each byte is a step
  std::unordered_map<Re, std::pair<Re, uint8_t>> parent{{start, {start, 0}}};
  std::vector<Re> queue{start};
  for (size_t i = 0; i < queue.size() && queue.size() < kMaxSearch && !overflowed_; ++i) {
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

}  // namespace lfm::grammar
