// Grammars as text: GBNF (rules with ::=) and llguidance's dialect of Lark (rules with a colon).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/regex.h"

namespace lfm::grammar {

// A node of a rule's right side.
struct CfgNode {
  enum class Kind : uint8_t { kRegular, kRule, kSequence, kAlternatives, kAnd, kNot, kRepeat };
  Kind kind = Kind::kSequence;
  Re re = 0;                      // kRegular
  uint32_t rule = 0;              // kRule
  uint32_t min = 0, max = 0;      // kRepeat
  std::vector<uint32_t> parts{};  // nodes
};
struct CfgText {
  std::vector<std::string> rules;
  std::vector<uint32_t> bodies;  // by rule: its node
  std::vector<CfgNode> nodes;
  uint32_t start = 0;
};

// kInvalidArgument for broken text, kUnsupported for what the dialects have and this does not; both say where.
Result<CfgText> ParseCfg(RegexPool& pool, std::string_view text,
                         const std::vector<std::pair<std::string, int32_t>>& special_tokens);

}  // namespace lfm::grammar
