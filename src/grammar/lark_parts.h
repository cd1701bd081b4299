// What stands in a Lark grammar with a syntax of its own: names of special tokens, and JSON behind a directive (inside of
// this folder: cfg_text.cc). Errors say what is wrong; the caller knows the line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "grammar/regex.h"

namespace lfm::grammar {

using SpecialTokens = std::vector<std::pair<std::string, int32_t>>;

// The JSON object that begins at text[at], which becomes the place behind it.
Result<Json> ReadJsonAt(std::string_view text, size_t& at);

// "<name>", "<[5]>" or "<[5,7-9]>": one special token. Without a vocabulary (no special tokens) any id will do.
// kUnsupported for a token that is none, and for llguidance's <[^5]> and <[*]>.
Result<Re> SpecialTokenLanguage(RegexPool& pool, std::string_view name, const SpecialTokens& special);

// llguidance's %regex {"substring_chunks": [...]}, or "substring_words" or "substring_chars": "...": some of the chunks in a
// row, or nothing.
Result<Re> SubstringLanguage(RegexPool& pool, const Json& object);

// llguidance's %llguidance {...}: settings that change nothing here pass, others are refused by name.
Status CheckLarkSettings(const Json& settings);

}  // namespace lfm::grammar
