// The pre-tokenizers' regular expressions as hand-written scanners: text -> pieces that are merged one by
// one.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "text/tokenizer_spec.h"

namespace lfm::text {

// The end of the piece that begins at text[begin]; begin < text.size(). Always advances; pieces cover the
// text. A whole text is split in linear time. Thread-safe.
size_t EndOfPiece(SplitRule rule, std::string_view text, size_t begin);

// The rule that splits exactly as this regular expression, if there is one.
std::optional<SplitRule> SplitRuleOfRegex(std::string_view regex);

}  // namespace lfm::text
