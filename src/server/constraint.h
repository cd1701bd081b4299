// What an answer must look like: a response format, a grammar, tools. Turned into the token mask that the engine applies.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/token_mask.h"
#include "server/api_result.h"
#include "server/schema.h"
#include "server/served_model.h"

namespace lfm::server {

struct OutputFormat {
  enum class Kind { kText, kJsonObject, kJsonSchema, kRegex, kChoice, kGrammar };
  Kind kind = Kind::kText;
  Json schema;                       // kJsonSchema
  std::string text;                  // kRegex, kGrammar (GBNF)
  std::vector<std::string> choices;  // kChoice
  std::string param;                 // whose fault an error is
  bool annotate = false;             // what cannot be enforced loosens the grammar, and the answer lists it
};

struct Tool {
  std::string name;
  Json parameters;  // a JSON Schema; null: any object
  bool strict = false;
};

struct ToolUse {
  enum class Choice { kNone, kAuto, kRequired };
  Choice choice = Choice::kNone;
  std::vector<Tool> tools;      // all that are declared
  std::vector<size_t> allowed;  // indices of those that may be called
  bool parallel = true;
};

// OpenAI's response_format, and vLLM's and llama.cpp's members of the same use (structured_outputs, grammar, json_schema).
SchemaMember UnsupportedMember();  // what to do with a schema that cannot be enforced whole
SchemaMembers FormatMembers(bool name_required);
ApiResult<OutputFormat> ReadFormat(const Json& body);
// One format object, of response_format or of Responses' text.format (where json_schema's members stand beside its type).
ApiResult<OutputFormat> ReadFormatObject(const Json& format, const Json& json_schema, const std::string& path);

// The table of OpenAI's tools, tool_choice and parallel_tool_calls in chat's shape, and what they ask for.
SchemaMembers ToolMembers();
Schema ToolListSchema();
// tool_choice, but for "auto" and "none", needs tools.
SchemaRule ToolChoiceRule();
ApiResult<ToolUse> ReadTools(const Json& body);
// Sets choice and allowed from a choice word or from names; `path` for errors.
ApiStatus ChooseTools(const std::string& mode, const std::vector<std::string>& names, const std::string& path, ToolUse& use);

// The mask of the first token, or null where nothing is asked for. What cannot be enforced is refused.
// `opens_reasoning`: the answer begins inside its reasoning, which is free. `unenforced`: what the mask does not hold, as the
// answer's member of that name lists it; null where there is nothing.
ApiResult<std::shared_ptr<const engine::TokenMask>> MakeMask(const ServedModel& model, const OutputFormat& format,
                                                             const ToolUse& use, bool opens_reasoning, Json& unenforced);

// A JSON Schema that is none is refused: unknown types, references to nowhere, members of the wrong kind.
ApiStatus CheckJsonSchema(const Json& schema, const std::string& path);

}  // namespace lfm::server
