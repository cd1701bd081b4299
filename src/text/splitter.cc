// Scanners for the regular expressions of byte-level BPE. Each alternative of an expression is one step
// below, in order.
#include "text/splitter.h"

#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace lfm::text {
namespace {

constexpr std::array<CharClass, 128> kAsciiClass = [] {
  std::array<CharClass, 128> table{};
  for (int c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool space = c == ' ' || (c >= 9 && c <= 13);
    table[static_cast<size_t>(c)] = letter                   ? CharClass::kLetter
                                    : c >= '0' && c <= '9'   ? CharClass::kNumber
                                    : c == '\r' || c == '\n' ? CharClass::kNewline
                                    : space                  ? CharClass::kSpace
                                                             : CharClass::kOther;
  }
  return table;
}();

struct Scanned {
  CharClass kind;
  uint32_t length;
};

// The class and length of the character at text[i].
inline Scanned At(std::string_view text, size_t i) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte < 128) return {kAsciiClass[byte], 1};
  const Utf8Char c = DecodeUtf8(text, i);
  return {ClassOf(c.code), c.length};
}

// The end of the longest run of one class from i on, of at most `limit` characters.
inline size_t EndOfRun(std::string_view text, size_t i, CharClass kind, size_t limit = SIZE_MAX) {
  for (; i < text.size() && limit > 0; --limit) {
    const Scanned c = At(text, i);
    if (c.kind != kind) break;
    i += c.length;
  }
  return i;
}

bool IsSpaceClass(CharClass kind) { return kind == CharClass::kSpace || kind == CharClass::kNewline; }

// (?i:'s|'t|'re|'ve|'m|'ll|'d) at the apostrophe text[i]: its end, or i. Folding case makes U+017F an s.
size_t EndOfContraction(std::string_view text, size_t i, bool fold_case) {
  const auto letter = [&](size_t k) -> char {
    if (k >= text.size()) return 0;
    const char c = text[k];
    return fold_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  switch (letter(i + 1)) {
    case 's':
    case 't':
    case 'm':
    case 'd': return i + 2;
    case 'r':
    case 'v': return letter(i + 2) == 'e' ? i + 3 : i;
    case 'l': return letter(i + 2) == 'l' ? i + 3 : i;
    default: return fold_case && text.substr(i + 1, 2) == "\u017F" ? i + 3 : i;
  }
}

struct SpaceRun {
  size_t end, last, after_newline;  // past the run; its last character; past its last newline, or 0
};

SpaceRun ScanSpaces(std::string_view text, size_t i) {
  SpaceRun run{i, i, 0};
  while (run.end < text.size()) {
    const Scanned c = At(text, run.end);
    if (!IsSpaceClass(c.kind)) break;
    run.last = run.end;
    run.end += c.length;
    if (c.kind == CharClass::kNewline) run.after_newline = run.end;
  }
  return run;
}

// \s+(?!\S)|\s+: a run but for its last character, which belongs to what follows; all of it at the end of the
// text.
size_t EndOfSpaces(std::string_view text, size_t begin, const SpaceRun& run) {
  return run.end == text.size() || run.last == begin ? run.end : run.last;
}

size_t EndOfPieceLlama3(std::string_view text, size_t begin, size_t max_digits) {
  const Scanned first = At(text, begin);
  if (text[begin] == '\'') {
    if (const size_t end = EndOfContraction(text, begin, true); end != begin) return end;
  }
  const size_t second = begin + first.length;
  // [^\r\n\p{L}\p{N}]?\p{L}+
  if (first.kind == CharClass::kLetter) return EndOfRun(text, second, CharClass::kLetter);
  if (first.kind == CharClass::kNumber) return EndOfRun(text, second, CharClass::kNumber, max_digits - 1);
  if (first.kind != CharClass::kNewline) {
    if (const size_t end = EndOfRun(text, second, CharClass::kLetter); end != second) return end;
  }
  //  ?[^\s\p{L}\p{N}]+[\r\n]*
  if (first.kind == CharClass::kOther || text[begin] == ' ') {
    const size_t end = EndOfRun(text, second, CharClass::kOther);
    if (first.kind == CharClass::kOther || end != second) return EndOfRun(text, end, CharClass::kNewline);
  }
  // \s*[\r\n]+ reaches the last newline of the run.
  const SpaceRun run = ScanSpaces(text, begin);
  return run.after_newline != 0 ? run.after_newline : EndOfSpaces(text, begin, run);
}

size_t EndOfPieceGpt2(std::string_view text, size_t begin) {
  if (text[begin] == '\'') {
    if (const size_t end = EndOfContraction(text, begin, false); end != begin) return end;
  }
  //  ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+
  const size_t start = text[begin] == ' ' && begin + 1 < text.size() ? begin + 1 : begin;
  const Scanned first = At(text, start);
  if (!IsSpaceClass(first.kind)) return EndOfRun(text, start + first.length, first.kind);
  return EndOfSpaces(text, begin, ScanSpaces(text, begin));
}

struct KnownRegex {
  std::string_view regex;
  SplitRule rule;
};
constexpr KnownRegex kKnownRegexes[] = {
    // LFM2 and Llama 3.
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitRule::kLlama3},
    // LFM2.5: greedy \s* reaches the last newline of a run, and the last \s meets only single spaces.
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s)",
     SplitRule::kLlama3},
    // cl100k, as some exports write it: giving nothing back changes no match of these terms.
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
     SplitRule::kLlama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     SplitRule::kQwen2},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", SplitRule::kGpt2},
    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", SplitRule::kGpt2},
};

}  // namespace

size_t EndOfPiece(SplitRule rule, std::string_view text, size_t begin) {
  switch (rule) {
    case SplitRule::kLlama3: return EndOfPieceLlama3(text, begin, 3);
    case SplitRule::kQwen2: return EndOfPieceLlama3(text, begin, 1);
    case SplitRule::kGpt2: return EndOfPieceGpt2(text, begin);
  }
  return text.size();
}

std::optional<SplitRule> SplitRuleOfRegex(std::string_view regex) {
  for (const KnownRegex& known : kKnownRegexes) {
    if (known.regex == regex) return known.rule;
  }
  return std::nullopt;
}

}  // namespace lfm::text
