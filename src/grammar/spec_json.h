// A grammar as one JSON object: the same for the lines of `lfm grammar check`, for `lfm run` and for liblfm.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "grammar/grammar.h"

namespace lfm::grammar {

// One of "schema", "json" (true), "regex", "choice" (a list of texts), "grammar" and "tools" (see ToolsFromJson; then
// perhaps "tool_choice", "parallel" and "quotes": "double"). Beside it perhaps "order" ("schema" or "any"; otherwise
// `order`), "compact" (true) and "unsupported" ("refuse" or "annotate"). Other members are the caller's own.
Result<Spec> SpecFromJson(const Json& object, Order order);
// Whether the object names a kind of grammar.
bool NamesGrammar(const Json& object);

// Tools as OpenAI writes them, {"type": "function", "function": {"name", "parameters"}}, or bare. `choice`: "auto",
// "required", "none", or the name of the one tool that must be called. The marks' ids are the caller's to set.
Result<ToolOptions> ToolsFromJson(const Json& tools, std::string_view choice);
// Where a tool names its arguments and does not speak of others, the model is not to invent any: closes such a schema.
Json ClosedArguments(Json parameters);

// {"keyword", "pointer", "message"}.
Json RefusalJson(const Refusal& refusal);

}  // namespace lfm::grammar
