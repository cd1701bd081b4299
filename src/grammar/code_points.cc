#include "grammar/code_points.h"

#include <algorithm>

namespace lfm::grammar {
namespace {

constexpr uint32_t kMaxCode = 0x10FFFF;

}  // namespace

CodeSet Normalize(CodeSet set) {
  std::sort(set.begin(), set.end());
  CodeSet out;
  for (const auto& [first, last] : set) {
    if (first > last) continue;
    if (!out.empty() && first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, last);
    } else {
      out.emplace_back(first, last);
    }
  }
  return out;
}

CodeSet Complement(const CodeSet& set) {
  CodeSet out;
  uint32_t next = 0;
  for (const auto& [first, last] : Normalize(set)) {
    if (first > next) out.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= kMaxCode) out.emplace_back(next, kMaxCode);
  return out;
}

CodeSet Intersect(const CodeSet& a, const CodeSet& b) {
  CodeSet out;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const uint32_t first = std::max(a[i].first, b[j].first), last = std::min(a[i].second, b[j].second);
    if (first <= last) out.emplace_back(first, last);
    a[i].second < b[j].second ? ++i : ++j;
  }
  return out;
}

CodeSet FoldAscii(const CodeSet& set) {
  CodeSet out = set;
  for (const auto& [first, last] : Intersect(set, {{'A', 'Z'}})) out.emplace_back(first + 32, last + 32);
  for (const auto& [first, last] : Intersect(set, {{'a', 'z'}})) out.emplace_back(first - 32, last - 32);
  return Normalize(std::move(out));
}

CodeSet DigitCodes() { return {{'0', '9'}}; }
CodeSet WordCodes() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
CodeSet SpaceCodes() {
  return {{9, 13},          {32, 32},         {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}

int32_t ReadCode(std::string_view text, size_t& i) {
  const auto byte = [&](size_t at) { return at < text.size() ? static_cast<uint8_t>(text[at]) : uint8_t{0}; };
  const uint8_t lead = byte(i++);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 && lead <= 0xF4 ? 3 : lead >= 0xE0 && lead < 0xF0 ? 2 : lead >= 0xC2 && lead < 0xE0 ? 1 : 0;
  if (more == 0) return -1;
  uint32_t code = lead & (0x3Fu >> more);
  for (int k = 0; k < more; ++k) {
    const uint8_t next = byte(i + static_cast<size_t>(k));
    if ((next & 0xC0) != 0x80) return -1;
    code = code << 6 | (next & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (code < kLeast[more] || code > kMaxCode || (code >= 0xD800 && code <= 0xDFFF)) return -1;
  i += static_cast<size_t>(more);
  return static_cast<int32_t>(code);
}

void AppendCode(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Ranges of code points to sequences of byte ranges: split at the lengths of UTF-8, then where a trailing byte does not
// run through all its values.
Re RegexPool::CodePoints(const std::vector<CodeRange>& ranges) {
  std::vector<Re> parts;
  std::vector<CodeRange> waiting;
  for (const auto& range : Intersect(Normalize(ranges), {{0, 0xD7FF}, {0xE000, kMaxCode}})) waiting.push_back(range);
  while (!waiting.empty()) {
    auto [first, last] = waiting.back();
    waiting.pop_back();
    bool split = false;
    for (const uint32_t limit : {0x7Fu, 0x7FFu, 0xFFFFu}) {
      if (first <= limit && last > limit) {
        waiting.emplace_back(first, limit), waiting.emplace_back(limit + 1, last);
        split = true;
        break;
      }
    }
    for (uint32_t bits = 6; !split && bits <= 18; bits += 6) {
      const uint32_t mask = (1u << bits) - 1;
      if (last < 0x80 || (first & ~mask) == (last & ~mask)) break;
      if ((first & mask) != 0) {
        waiting.emplace_back(first, first | mask), waiting.emplace_back((first | mask) + 1, last);
        split = true;
      } else if ((last & mask) != mask) {
        waiting.emplace_back(first, (last & ~mask) - 1), waiting.emplace_back(last & ~mask, last);
        split = true;
      }
    }
    if (split) continue;
    std::string low, high;
    AppendCode(low, first), AppendCode(high, last);
    Re re = kEmpty;
    for (size_t i = low.size(); i-- > 0;) {
      re = Concat(Range(static_cast<uint8_t>(low[i]), static_cast<uint8_t>(high[i])), re);
    }
    parts.push_back(re);
  }
  const Re re = Or(std::move(parts));
  if (re != kNone) nodes_[re].text = true;
  return re;
}

}  // namespace lfm::grammar
