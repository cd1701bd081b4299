#include "base/strings.h"

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

}  // namespace

TextPiece::TextPiece(long long value)
    : text_(buffer_, static_cast<size_t>(std::to_chars(buffer_, buffer_ + sizeof buffer_, value).ptr - buffer_)) {}

TextPiece::TextPiece(unsigned long long value)
    : text_(buffer_, static_cast<size_t>(std::to_chars(buffer_, buffer_ + sizeof buffer_, value).ptr - buffer_)) {}

TextPiece::TextPiece(double value)
    : text_(buffer_, static_cast<size_t>(std::snprintf(buffer_, sizeof buffer_, "%g", value))) {}

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

std::string Quote(std::string_view text, size_t max_bytes) {
  std::string out = "'";
  size_t i = 0;
  while (i < text.size() && i < max_bytes) {
    size_t prefix = 0;
    const size_t length = SequenceLength(text, i, prefix);
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (length == 0 || c < 0x20 || c == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", c);
      out += escape;
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out + (i < text.size() ? "...'" : "'");
}

std::string ToValidUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    size_t prefix = 0;
    const size_t length = SequenceLength(bytes, i, prefix);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      i += prefix;
    } else {
      out += bytes.substr(i, length);
      i += length;
    }
  }
  return out;
}

}  // namespace lfm
