// Counts that are farther away than a token can reach make no difference to its mask: languages without them, so that the
// states of a long text share one.
#include <algorithm>

#include "grammar/regex.h"

namespace lfm::grammar {
namespace {

constexpr int kMaxSaturatedDepth = 40;

}  // namespace

// Texts of a number of code points, maybe inside of the first one.
bool RegexPool::IsText(Re re) const {
  for (int i = 0; i < 4 && nodes_[re].kind == Kind::kConcat && nodes_[nodes_[re].a].kind == Kind::kSet; ++i) re = nodes_[re].b;
  return re == any_char_ || (nodes_[re].kind == Kind::kRepeat && nodes_[re].a == any_char_);
}

Re RegexPool::Saturated(Re re, uint32_t reach) {
  const Node n = nodes_[re];
  if (!n.plain && n.kind != Kind::kAnd) return re;
  if (n.plain && !n.counted) return re;
  const auto [known, added] = saturated_.try_emplace(uint64_t{re} << 32 | reach, re);
  if (!added) return known->second;
  const Re out = n.plain ? SaturatedPlain(re, reach, 0) : SaturatedAnd(n, re, reach);
  return saturated_[uint64_t{re} << 32 | reach] = out;
}

// Without complement and intersection a text can be gone on from as soon as some way of reading it can, so a bound that
// `reach` bytes do not come to is none.
Re RegexPool::SaturatedPlain(Re re, uint32_t reach, int depth) {
  const Node n = nodes_[re];
  if (!n.counted || depth > kMaxSaturatedDepth) return re;
  if (n.kind == Kind::kRepeat) {
    const Re inner = SaturatedPlain(n.a, reach, depth + 1);
    const uint32_t most = reach / std::max(nodes_[n.a].least, 1u) + 2;
    const uint32_t min = std::min(n.min, most), max = n.max > most ? kUnbounded : n.max;
    return inner == n.a && min == n.min && max == n.max ? re : Repeat(inner, min, max);
  }
  if (n.kind == Kind::kOr) {
    std::vector<Re> parts(lists_.begin() + n.a, lists_.begin() + n.a + n.max);
    const std::vector<Re> before = parts;
    for (Re& part : parts) part = SaturatedPlain(part, reach, depth + 1);
    return parts == before ? re : Or(std::move(parts));
  }
  if (n.kind != Kind::kConcat) return re;
  std::vector<Re> heads;
  for (uint32_t bytes = 0; bytes <= reach && nodes_[re].counted && nodes_[re].kind == Kind::kConcat; re = nodes_[re].b) {
    const Re head = nodes_[re].a;
    heads.push_back(SaturatedPlain(head, reach, depth + 1));
    bytes += std::min(nodes_[head].least, reach + 1);
    if (heads.size() > reach + 1) break;
  }
  Re tail = nodes_[re].kind == Kind::kConcat ? re : SaturatedPlain(re, reach, depth + 1);
  for (size_t i = heads.size(); i-- > 0;) tail = Concat(heads[i], tail);
  return tail;
}

// A bound on the length of the text is none where whatever can be read in reach of it leaves room for some end.
Re RegexPool::SaturatedAnd(const Node& n, Re re, uint32_t reach) {
  Re text = kNone, other = kNone;
  uint32_t rest = kFreeCodes;
  for (uint32_t i = 0; i < n.max; ++i) {
    const Re part = lists_[n.a + i];
    const Node& one = nodes_[part];
    if (text == kNone && IsText(part)) {
      text = part;
    } else if (one.kind == Kind::kNot && one.wide) {
      continue;
    } else if (other == kNone && one.plain) {
      other = part, rest = one.rest;
    } else {
      return re;
    }
  }
  if (text == kNone) return re;
  const bool has_nots = n.max > 1u + static_cast<uint32_t>(other != kNone);
  if (other != kNone && has_nots) return re;
  std::vector<Re> sets;
  Re count = text;
  for (; nodes_[count].kind == Kind::kConcat; count = nodes_[count].b) sets.push_back(nodes_[count].a);
  const Node counted = nodes_[count];
  if (counted.kind != Kind::kRepeat || (other != kNone && counted.min > 0)) return re;
  if (counted.max < Plus(Plus(reach, rest), has_nots ? counted.min : 0)) return re;
  Re free = Repeat(any_char_, std::min(counted.min, reach + 1), kUnbounded);
  for (size_t i = sets.size(); i-- > 0;) free = Concat(sets[i], free);
  std::vector<Re> parts{free};
  for (uint32_t i = 0; i < n.max; ++i) {
    const Re part = lists_[n.a + i];
    if (part != text) parts.push_back(part == other ? SaturatedPlain(part, reach, 0) : part);
  }
  return And(std::move(parts));
}

}  // namespace lfm::grammar
