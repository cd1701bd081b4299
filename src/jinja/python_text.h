// Strings as Python sees them: sequences of code points, with Unicode's white space, case and categories.
// All texts are valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/jinja.h"

namespace lfm::jinja {

// The code point at byte `at`, which moves behind it. Invalid bytes give U+FFFD, one by one.
uint32_t NextCodePoint(std::string_view text, size_t& at);
void AppendCodePoint(std::string& out, uint32_t code_point);  // surrogates and what is no code point: U+FFFD

bool IsAscii(std::string_view text);
size_t CountCodePoints(std::string_view text);
// The byte offset of code point number n, or the size when there are fewer.
size_t OffsetOfCodePoint(std::string_view text, size_t n);
std::vector<uint32_t> ToCodePoints(std::string_view text);

bool IsSpace(uint32_t code_point);      // str.isspace, and \s of Python's re
bool IsPrintable(uint32_t code_point);  // str.isprintable: what repr leaves as it is
bool IsAlpha(uint32_t code_point);
bool IsDecimal(uint32_t code_point);
bool IsDigit(uint32_t code_point);
bool IsNumeric(uint32_t code_point);
bool IsLower(uint32_t code_point);
bool IsUpper(uint32_t code_point);
bool IsCased(uint32_t code_point);
inline bool IsAlnum(uint32_t c) { return IsAlpha(c) || IsDecimal(c) || IsDigit(c) || IsNumeric(c); }

std::string ToUpper(std::string_view text);
std::string ToLower(std::string_view text);
std::string ToTitle(std::string_view text);  // str.title
std::string Capitalize(std::string_view text);
std::string SwapCase(std::string_view text);
std::string CaseFold(std::string_view text);

// str.strip and its kin with any of the code points of `chars`; Strip (jinja.h) takes white space.
std::string_view StripChars(std::string_view text, std::string_view chars, Side side);

// Where a text stands in another one, from `from` on or last of all; npos where it does not. Time is linear in the two, where
// std::string's may be their product.
size_t FindFirst(std::string_view text, std::string_view what, size_t from = 0);
size_t FindLast(std::string_view text, std::string_view what);

// str.splitlines: at all of Python's line ends.
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends = false);

}  // namespace lfm::jinja
