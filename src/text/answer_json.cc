#include "text/answer_json.h"

#include <optional>
#include <utility>

#include "base/strings.h"

namespace lfm::text {
namespace {

Json OrNull(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

}  // namespace

Result<std::vector<std::string>> ToolNames(const Json& tools) {
  std::vector<std::string> names;
  if (!tools.is_null() && !tools.is_array()) return Error{ErrorCode::kInvalidArgument, "\"tools\" is no list"};
  for (const Json& tool : tools.items()) {
    const Json& function = tool["function"].is_object() ? tool["function"] : tool;
    const Json& name = tool.is_string() ? tool : function["name"];
    if (!name.is_string()) return Error{ErrorCode::kInvalidArgument, "a tool has no name"};
    names.push_back(name.AsString());
  }
  return names;
}

Result<AnswerParserOptions> AnswerOptionsFromJson(const Json& row) {
  if (!row["text"].is_string()) return Error{ErrorCode::kInvalidArgument, "\"text\" is missing or no string"};
  // The text itself shows the form of its calls; a form that nothing here reads must not pass for one.
  if (const Json& format = row["format"]; !format.is_null()) {
    const std::string& name = format.AsString();
    if (!format.is_string() || (name != "pythonic" && name != "json" && name != "none")) {
      return Error{ErrorCode::kInvalidArgument, StrCat("\"format\" is ", Quote(format.is_string() ? name : format.Dump(), 60),
                                                       "; known are pythonic, json and none")};
    }
  }
  AnswerParserOptions options;
  LFM_TRY(options.tools, ToolNames(row["tools"]));
  options.reasoning_open = row["reasoning_open"].AsBool() || HasLoneThinkEnd(row["text"].AsString());
  options.guided = row["guided"].AsBool();
  return options;
}

Result<Json> AnswerToJson(const ParsedAnswer& answer) {
  Json calls = Json::MakeArray();
  for (const ToolCall& call : answer.calls) {
    LFM_TRY(Json arguments, ParseJson(call.arguments));
    calls.Append(Json::MakeObject({{"name", call.name}, {"arguments", std::move(arguments)}}));
  }
  return Json::MakeObject(
      {{"calls", std::move(calls)}, {"content", OrNull(answer.content)}, {"reasoning", OrNull(answer.reasoning)}});
}

}  // namespace lfm::text
