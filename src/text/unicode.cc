// UTF-8 decoding, and character classes from utf8proc with what Unicode 16 added to it.
#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace lfm::text {
namespace {

// Debian 12's utf8proc knows Unicode 15.0. Letters and numbers that versions 15.1 and 16.0 added; they are
// asked only where utf8proc calls a code point unassigned, so a newer library changes nothing.
struct AddedRange {
  char32_t first, last;
  CharClass kind;
};
constexpr AddedRange kSinceUnicode15[] = {
    {0x1C89, 0x1C8A, CharClass::kLetter},   {0xA7CB, 0xA7CD, CharClass::kLetter},   {0xA7DA, 0xA7DC, CharClass::kLetter},
    {0x105C0, 0x105F3, CharClass::kLetter}, {0x10D40, 0x10D49, CharClass::kNumber}, {0x10D4A, 0x10D65, CharClass::kLetter},
    {0x10D6F, 0x10D85, CharClass::kLetter}, {0x10EC2, 0x10EC4, CharClass::kLetter}, {0x11380, 0x11389, CharClass::kLetter},
    {0x1138B, 0x1138B, CharClass::kLetter}, {0x1138E, 0x1138E, CharClass::kLetter}, {0x11390, 0x113B5, CharClass::kLetter},
    {0x113B7, 0x113B7, CharClass::kLetter}, {0x113D1, 0x113D1, CharClass::kLetter}, {0x113D3, 0x113D3, CharClass::kLetter},
    {0x116D0, 0x116E3, CharClass::kNumber}, {0x11BC0, 0x11BE0, CharClass::kLetter}, {0x11BF0, 0x11BF9, CharClass::kNumber},
    {0x13460, 0x143FA, CharClass::kLetter}, {0x16100, 0x1611D, CharClass::kLetter}, {0x16130, 0x16139, CharClass::kNumber},
    {0x16D40, 0x16D6C, CharClass::kLetter}, {0x16D70, 0x16D79, CharClass::kNumber}, {0x18CFF, 0x18CFF, CharClass::kLetter},
    {0x1CCF0, 0x1CCF9, CharClass::kNumber}, {0x1E5D0, 0x1E5ED, CharClass::kLetter}, {0x1E5F0, 0x1E5F0, CharClass::kLetter},
    {0x1E5F1, 0x1E5FA, CharClass::kNumber}, {0x2EBF0, 0x2EE5D, CharClass::kLetter},
};

CharClass ClassSinceUnicode15(char32_t code) {
  const auto* range = std::lower_bound(std::begin(kSinceUnicode15), std::end(kSinceUnicode15), code,
                                       [](const AddedRange& r, char32_t c) { return r.last < c; });
  return range != std::end(kSinceUnicode15) && range->first <= code ? range->kind : CharClass::kOther;
}

unsigned Byte(std::string_view text, size_t i) { return static_cast<unsigned char>(text[i]); }

}  // namespace

Utf8Char DecodeUtf8(std::string_view text, size_t i) {
  const unsigned lead = Byte(text, i);
  if (lead < 0x80) return {lead, 1};
  const uint32_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (length == 0 || text.size() - i < length) return {kInvalidByte, 1};
  char32_t code = lead & (0x7FU >> length);
  for (uint32_t k = 1; k < length; ++k) {
    const unsigned next = Byte(text, i + k);
    if ((next & 0xC0) != 0x80) return {kInvalidByte, 1};
    code = code << 6 | (next & 0x3F);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {kInvalidByte, 1};
  return {code, length};
}

Utf8Char DecodeLastUtf8(std::string_view text) {
  for (size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    const Utf8Char c = DecodeUtf8(text, text.size() - length);
    if (c.code != kInvalidByte && c.length == length) return c;
  }
  return {kInvalidByte, 1};
}

void AppendUtf8(std::string& out, char32_t code) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
}

bool IsWhiteSpace(char32_t code) {
  if (code <= 0x20) return code == 0x20 || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

CharClass ClassOf(char32_t code) {
  if (code == '\r' || code == '\n') return CharClass::kNewline;
  if (IsWhiteSpace(code)) return CharClass::kSpace;
  if (code > 0x10FFFF) return CharClass::kOther;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return CharClass::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CharClass::kNumber;
    case UTF8PROC_CATEGORY_CN: return ClassSinceUnicode15(code);
    default: return CharClass::kOther;
  }
}

bool IsWordChar(char32_t code) {
  if (code > 0x10FFFF) return false;
  if (code == 0x200C || code == 0x200D) return true;  // the joiners
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    case UTF8PROC_CATEGORY_SO:  // the circled and squared letters are alphabetic
      return (code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169) ||
             (code >= 0x1F170 && code <= 0x1F189);
    default: return ClassOf(code) == CharClass::kLetter;
  }
}

}  // namespace lfm::text
