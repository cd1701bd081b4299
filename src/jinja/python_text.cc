// Unicode behaviour of Python's str, by utf8proc's tables.
#include "jinja/python_text.h"

#include <cstring>

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace lfm::jinja {
namespace {

utf8proc_category_t Category(uint32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// Mappings to more than one code point that Unicode's SpecialCasing.txt gives without a condition.
struct SpecialCase {
  uint32_t from;
  std::string_view upper, title;
};
constexpr std::array<SpecialCase, 18> kSpecialCases{{
    {0xDF, "SS", "Ss"},
    {0x149, "ʼN", "ʼN"},
    {0x1F0, "J̌", "J̌"},
    {0x390, "Ϊ́", "Ϊ́"},
    {0x3B0, "Ϋ́", "Ϋ́"},
    {0x587, "ԵՒ", "Եւ"},
    {0x1E96, "H̱", "H̱"},
    {0x1E97, "T̈", "T̈"},
    {0x1E98, "W̊", "W̊"},
    {0x1E99, "Y̊", "Y̊"},
    {0x1E9A, "Aʾ", "Aʾ"},
    {0xFB00, "FF", "Ff"},
    {0xFB01, "FI", "Fi"},
    {0xFB02, "FL", "Fl"},
    {0xFB03, "FFI", "Ffi"},
    {0xFB04, "FFL", "Ffl"},
    {0xFB05, "ST", "St"},
    {0xFB06, "ST", "St"},
}};

const SpecialCase* FindSpecial(uint32_t c) {
  for (const SpecialCase& special : kSpecialCases) {
    if (special.from == c) return &special;
  }
  return nullptr;
}

void AppendUpper(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  } else if (const SpecialCase* special = FindSpecial(c)) {
    out += special->upper;
  } else {
    AppendCodePoint(out, static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void AppendTitle(std::string& out, uint32_t c) {
  if (const SpecialCase* special = FindSpecial(c)) {
    out += special->title;
  } else {
    AppendCodePoint(out, static_cast<uint32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

// Mn, Me, Cf, Lm, Sk and some punctuation stand between letters without ending a word.
bool IsCaseIgnorable(uint32_t c) {
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2018 || c == 0x2019;
  }
}

// A capital sigma at the end of a word becomes the final form.
bool IsFinalSigma(const std::vector<uint32_t>& text, size_t at) {
  size_t before = at;
  while (before > 0 && IsCaseIgnorable(text[before - 1])) --before;
  if (before == 0 || !IsCased(text[before - 1])) return false;
  size_t after = at + 1;
  while (after < text.size() && IsCaseIgnorable(text[after])) ++after;
  return after == text.size() || !IsCased(text[after]);
}

void AppendLower(std::string& out, const std::vector<uint32_t>& text, size_t at) {
  const uint32_t c = text[at];
  if (c == 0x130) {
    out += "i̇";
  } else if (c == 0x3A3) {
    AppendCodePoint(out, IsFinalSigma(text, at) ? 0x3C2 : 0x3C3);
  } else {
    AppendCodePoint(out, static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

bool IsLineEnd(uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

uint32_t NextCodePoint(std::string_view text, size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    ++at;
    return first;
  }
  utf8proc_int32_t c = 0;
  const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                  static_cast<utf8proc_ssize_t>(text.size() - at), &c);
  if (n <= 0) {
    ++at;
    return 0xFFFD;
  }
  at += static_cast<size_t>(n);
  return static_cast<uint32_t>(c);
}

void AppendCodePoint(std::string& out, uint32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

size_t CountCodePoints(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

size_t OffsetOfCodePoint(std::string_view text, size_t n) {
  size_t at = 0;
  for (; n > 0 && at < text.size(); --n) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

std::vector<uint32_t> ToCodePoints(std::string_view text) {
  std::vector<uint32_t> points;
  points.reserve(text.size());
  for (size_t at = 0; at < text.size();) points.push_back(NextCodePoint(text, at));
  return points;
}

bool IsSpace(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

bool IsPrintable(uint32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7F;
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

bool IsAlpha(uint32_t c) {
  const auto category = Category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsDecimal(uint32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return Category(c) == UTF8PROC_CATEGORY_ND;
}

bool IsDigit(uint32_t c) {
  if (IsDecimal(c)) return true;
  // Numeric_Type=Digit: superscripts, subscripts, circled and other digits that are not decimal.
  static constexpr uint32_t kRanges[][2] = {{0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
                                            {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
                                            {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
                                            {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
                                            {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}};
  return std::any_of(std::begin(kRanges), std::end(kRanges), [c](const auto& range) { return c >= range[0] && c <= range[1]; });
}

bool IsNumeric(uint32_t c) {
  const auto category = Category(c);
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

bool IsLower(uint32_t c) { return utf8proc_islower(static_cast<utf8proc_int32_t>(c)) != 0; }
bool IsUpper(uint32_t c) { return utf8proc_isupper(static_cast<utf8proc_int32_t>(c)) != 0; }
bool IsCased(uint32_t c) { return IsLower(c) || IsUpper(c) || Category(c) == UTF8PROC_CATEGORY_LT; }

std::string ToUpper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) AppendUpper(out, NextCodePoint(text, at));
  return out;
}

std::string ToLower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (IsAscii(text)) {
    for (const char c : text) out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return out;
  }
  const auto points = ToCodePoints(text);
  for (size_t i = 0; i < points.size(); ++i) AppendLower(out, points, i);
  return out;
}

std::string ToTitle(std::string_view text) {
  const auto points = ToCodePoints(text);
  std::string out;
  bool inside = false;  // a word
  for (size_t i = 0; i < points.size(); ++i) {
    if (inside) {
      AppendLower(out, points, i);
    } else {
      AppendTitle(out, points[i]);
    }
    inside = IsCased(points[i]);
  }
  return out;
}

std::string Capitalize(std::string_view text) {
  const auto points = ToCodePoints(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i == 0) {
      AppendTitle(out, points[i]);
    } else {
      AppendLower(out, points, i);
    }
  }
  return out;
}

std::string SwapCase(std::string_view text) {
  const auto points = ToCodePoints(text);
  std::string out;
  for (size_t i = 0; i < points.size(); ++i) {
    if (IsUpper(points[i])) {
      AppendLower(out, points, i);
    } else if (IsLower(points[i])) {
      AppendUpper(out, points[i]);
    } else {
      AppendCodePoint(out, points[i]);
    }
  }
  return out;
}

std::string CaseFold(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = NextCodePoint(text, at);
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 8, UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(n, 8); ++i) {
      AppendCodePoint(out, static_cast<uint32_t>(folded[i]));
    }
  }
  return out;
}

namespace {

template <typename Drop>
std::string_view StripIf(std::string_view text, Side side, Drop drop) {
  if (side != Side::kRight) {
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      if (drop(NextCodePoint(text, at))) continue;
      text.remove_prefix(begin);
      break;
    }
    size_t at = 0;
    if (!text.empty() && drop(NextCodePoint(text, at))) return {};
  }
  while (side != Side::kLeft && !text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    size_t at = begin;
    if (!drop(NextCodePoint(text, at))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

}  // namespace

std::string_view Strip(std::string_view text, Side side) { return StripIf(text, side, IsSpace); }

std::string_view StripChars(std::string_view text, std::string_view chars, Side side) {
  const auto set = ToCodePoints(chars);
  return StripIf(text, side, [&](uint32_t c) { return std::find(set.begin(), set.end(), c) != set.end(); });
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    const uint32_t c = NextCodePoint(text, at);
    if (!IsLineEnd(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

size_t FindFirst(std::string_view text, std::string_view what, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (what.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : std::string_view::npos;
}

size_t FindLast(std::string_view text, std::string_view what) {
  constexpr size_t kShort = 16;  // up to here trying everywhere is as good
  if (what.size() <= kShort || what.size() > text.size()) return text.rfind(what);
  // Knuth, Morris and Pratt's automaton, run from the end.
  const size_t n = what.size();
  const auto at = [n, what](size_t i) { return what[n - 1 - i]; };
  std::vector<size_t> borders(n, 0);
  for (size_t i = 1, k = 0; i < n; ++i) {
    while (k > 0 && at(i) != at(k)) k = borders[k - 1];
    if (at(i) == at(k)) ++k;
    borders[i] = k;
  }
  for (size_t i = text.size(), k = 0; i-- > 0;) {
    while (k > 0 && text[i] != at(k)) k = borders[k - 1];
    if (text[i] == at(k)) ++k;
    if (k == n) return i;
  }
  return std::string_view::npos;
}

}  // namespace lfm::jinja
