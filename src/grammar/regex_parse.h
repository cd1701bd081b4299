// ECMA-262 regular expressions (the `u` syntax, read leniently as Annex B does) to languages. Look-ahead, anchors, word
// boundaries and look-behind of one character become intersections; back-references are no regular language.
#pragma once

#include <string_view>

#include "base/result.h"
#include "grammar/regex.h"

namespace lfm::grammar {

struct RegexSyntax {
  bool anchored = false;     // the whole text must match; else a match anywhere is enough, as ECMA's test()
  bool dot_all = false;      // . takes line ends too
  bool ignore_case = false;  // ASCII letters only
  uint32_t max_depth = 250;  // nested groups
};

// The language of texts (valid UTF-8) that `pattern` matches. kInvalidArgument for a broken pattern, kUnsupported for
// what is not regular or not in the dialect, kLimit past a budget.
Result<Re> ParseRegex(RegexPool& pool, std::string_view pattern, const RegexSyntax& syntax = {});

}  // namespace lfm::grammar
