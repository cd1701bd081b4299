// UTF-8 and the character classes that pre-tokenizers ask for (Unicode 16, as Hugging Face's regex engine has
// it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lfm::text {

// One character of UTF-8 text. An invalid byte is a character of its own: length 1, code kInvalidByte.
struct Utf8Char {
  char32_t code = 0;
  uint32_t length = 0;  // bytes
};
inline constexpr char32_t kInvalidByte = 0x110000;

// The character that begins at text[i]; i < text.size(). Surrogates and overlong forms are invalid.
Utf8Char DecodeUtf8(std::string_view text, size_t i);
// The last character of a text that is not empty.
Utf8Char DecodeLastUtf8(std::string_view text);
// Appends a code point (not a surrogate, at most U+10FFFF).
void AppendUtf8(std::string& out, char32_t code);

// The classes of the pre-tokenizers' regular expressions; they do not overlap.
enum class CharClass : uint8_t {
  kOther,
  kLetter,   // \p{L}
  kNumber,   // \p{N}
  kSpace,    // \s (the property White_Space) but for the next two
  kNewline,  // \r \n
};
CharClass ClassOf(char32_t code);

bool IsWhiteSpace(char32_t code);  // the property White_Space: 25 characters
bool IsWordChar(char32_t code);    // \w: alphabetic, marks, decimal digits, connectors, joiners

}  // namespace lfm::text
