#include "base/strings.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace lfm {
namespace {

// Length of the well-formed UTF-8 sequence at text[i] (Unicode table 3-7), or 0. `valid_prefix` is the number of
// bytes that could still begin one: what "maximal subpart" replacement swallows.
size_t SequenceLength(std::string_view text, size_t i, size_t& valid_prefix) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(i);
  valid_prefix = 1;
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  for (size_t j = 1; j < length; ++j) {
    if (i + j >= text.size()) return 0;
    unsigned char low = 0x80, high = 0xBF;
    if (j == 1) {
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    if (byte(i + j) < low || byte(i + j) > high) return 0;
    valid_prefix = j + 1;
  }
  return length;
}

// The code point of a well-formed sequence.
uint32_t Decode(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead;
  uint32_t code = lead & (0x7Fu >> sequence.size());
  for (size_t i = 1; i < sequence.size(); ++i) code = code << 6 | (static_cast<unsigned char>(sequence[i]) & 0x3F);
  return code;
}

// C0 and C1 controls, which terminals obey, and what changes the order or the lines of the text around it: the marks,
// embeddings, overrides and isolates of bidirectional text, the two separators, interlinear annotation.
bool IsControl(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x61C || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || (code >= 0xFFF9 && code <= 0xFFFB);
}

void AppendPlain(std::string_view text, size_t max_bytes, bool keep_lines, std::string& out) {
  out.reserve(out.size() + std::min(text.size(), max_bytes));
  size_t i = 0;
  while (i < text.size() && i < max_bytes) {
    size_t prefix = 0;
    const size_t length = SequenceLength(text, i, prefix);
    const std::string_view sequence = text.substr(i, std::max<size_t>(1, length));
    const uint32_t code = length == 0 ? static_cast<unsigned char>(text[i]) : Decode(sequence);
    i += sequence.size();
    if (length > 0 && (!IsControl(code) || (keep_lines && (code == '\n' || code == '\t')))) {
      out += sequence;
      continue;
    }
    char escape[12];
    std::snprintf(escape, sizeof escape, length > 1 ? "\\u%04x" : "\\x%02x", static_cast<unsigned>(code));
    out += escape;
  }
  if (i < text.size()) out += "...";
}

}  // namespace

TextPiece::TextPiece(long long value)
    : text_(buffer_, static_cast<size_t>(std::to_chars(buffer_, buffer_ + sizeof buffer_, value).ptr - buffer_)) {}

TextPiece::TextPiece(unsigned long long value)
    : text_(buffer_, static_cast<size_t>(std::to_chars(buffer_, buffer_ + sizeof buffer_, value).ptr - buffer_)) {}

TextPiece::TextPiece(double value) : text_(buffer_, static_cast<size_t>(std::snprintf(buffer_, sizeof buffer_, "%g", value))) {}

std::string JoinPieces(std::initializer_list<TextPiece> pieces) {
  size_t size = 0;
  for (const TextPiece& piece : pieces) size += piece.text().size();
  std::string out;
  out.reserve(size);
  for (const TextPiece& piece : pieces) out += piece.text();
  return out;
}

std::string HumanBytes(uint64_t bytes) {
  const char* const kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 4) value /= 1024, ++unit;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text;
}

std::string Plain(std::string_view text, size_t max_bytes) {
  std::string out;
  AppendPlain(text, max_bytes, false, out);
  return out;
}

std::string PlainLines(std::string_view text) {
  std::string out;
  AppendPlain(text, text.size(), true, out);
  return out;
}

std::string Quote(std::string_view text, size_t max_bytes) {
  std::string out = "'";
  AppendPlain(text, max_bytes, false, out);
  return out + "'";
}

std::string ToValidUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  size_t begin = 0;  // of what is valid and not appended yet
  for (size_t i = 0; i < bytes.size();) {
    size_t prefix = 0;
    const size_t length = SequenceLength(bytes, i, prefix);
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(bytes, begin, i - begin).append("\xEF\xBF\xBD");
    i += prefix;
    begin = i;
  }
  return out.append(bytes, begin);
}

}  // namespace lfm
