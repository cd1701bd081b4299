// Parsed answers as JSON: the same for the lines of `lfm parse` and for liblfm.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "text/answer_parser.h"

namespace lfm::text {

// Names of tools: texts, or objects as in a request. Null: none.
Result<std::vector<std::string>> ToolNames(const Json& tools);

// {"tools"?, "reasoning_open"?, "guided"?, "format"?} of a row with a "text". The form of calls is taken from the text; a
// "format" other than pythonic, json and none is an error. A text with a lone </think> was opened by its prompt,
// whatever the row says.
Result<AnswerParserOptions> AnswerOptionsFromJson(const Json& row);

// {"calls": [{"name", "arguments"}], "content", "reasoning"}; null where there is none.
Result<Json> AnswerToJson(const ParsedAnswer& answer);

}  // namespace lfm::text
