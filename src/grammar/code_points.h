// Sets of code points as sorted ranges.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grammar/regex.h"

namespace lfm::grammar {

using CodeSet = std::vector<CodeRange>;  // sorted, apart from each other, when made by these functions

CodeSet Normalize(CodeSet set);
CodeSet Complement(const CodeSet& set);
CodeSet Intersect(const CodeSet& a, const CodeSet& b);
// With the other case of ASCII letters.
CodeSet FoldAscii(const CodeSet& set);

CodeSet DigitCodes();
CodeSet WordCodes();   // ECMA's \w: ASCII
CodeSet SpaceCodes();  // ECMA's \s
// \p{name}: general categories by short and long name, Any, ASCII. Nothing for an unknown name.
std::optional<CodeSet> PropertyCodes(std::string_view name);

// One code point of UTF-8 at text[i] (advances i); -1 for an invalid byte.
int32_t ReadCode(std::string_view text, size_t& i);
void AppendCode(std::string& out, uint32_t code);

}  // namespace lfm::grammar
