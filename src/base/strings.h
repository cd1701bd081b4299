// Small string helpers for messages: concatenation and human units.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace lfm {

// One argument of StrCat as text: strings and char as they are, integers in decimal, bool as 0 or 1, floats with six
// significant digits. Streams give the same text with more code in every caller: objects full of messages were up to a
// fifth larger.
class TextPiece {
 public:
  TextPiece(std::string_view text) : text_(text) {}                                 // NOLINT: implicit on purpose, as all below
  TextPiece(const std::string& text) : text_(text) {}                               // NOLINT
  TextPiece(const char* text) : text_(text) {}                                      // NOLINT
  TextPiece(char c) : text_(buffer_, 1) { buffer_[0] = c; }                         // NOLINT
  TextPiece(bool value) : TextPiece(value ? '1' : '0') {}                           // NOLINT
  TextPiece(int value) : TextPiece(static_cast<long long>(value)) {}                // NOLINT
  TextPiece(long value) : TextPiece(static_cast<long long>(value)) {}               // NOLINT
  TextPiece(long long value);                                                       // NOLINT
  TextPiece(unsigned value) : TextPiece(static_cast<unsigned long long>(value)) {}  // NOLINT
  TextPiece(unsigned long value) : TextPiece(static_cast<unsigned long long>(value)) {}  // NOLINT
  TextPiece(unsigned long long value);                                                   // NOLINT
  TextPiece(double value);                                                               // NOLINT
  TextPiece(signed char) = delete;  // a character or a number? The caller must say
  TextPiece(unsigned char) = delete;
  TextPiece(const TextPiece&) = delete;
  TextPiece& operator=(const TextPiece&) = delete;

  std::string_view text() const { return text_; }

 private:
  char buffer_[24];
  std::string_view text_;  // the argument, or buffer_
};

std::string JoinPieces(std::initializer_list<TextPiece> pieces);

// StrCat("offset ", 12, ": ", name) -> "offset 12: name".
template <typename... Args>
std::string StrCat(const Args&... args) {
  return JoinPieces({TextPiece(args)...});
}

// 4731500288 -> "4.41 GiB".
std::string HumanBytes(uint64_t bytes);

// What stands between foreign text (of a file, a prompt, a request, a name) and a terminal or a line of a log: control
// characters of C0 and C1, bidirectional controls and bytes that are no UTF-8 become escapes (\x1b, \u202e); what is
// longer than max_bytes is cut with "...". Applied twice it changes nothing.
std::string Plain(std::string_view text, size_t max_bytes = std::string_view::npos);
// The same, but line ends and tabs stay.
std::string PlainLines(std::string_view text);
// Plain text between quotes, for a message.
std::string Quote(std::string_view text, size_t max_bytes = 60);

// The same bytes as valid UTF-8: each maximal invalid part becomes U+FFFD, as Python's errors="replace" does.
std::string ToValidUtf8(std::string_view bytes);

}  // namespace lfm
