#include "grammar/spec_json.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace lfm::grammar {
namespace {

constexpr std::string_view kKinds[] = {"schema", "json", "regex", "choice", "grammar", "tools"};

Error Wrong(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// A member that is one of two words; whether it is the second.
Result<bool> Word(const Json& object, std::string_view name, std::string_view first, std::string_view second, bool otherwise) {
  const Json* value = object.Find(name);
  if (value == nullptr || value->is_null()) return otherwise;
  if (value->is_string() && value->AsString() == first) return false;
  if (value->is_string() && value->AsString() == second) return true;
  return Wrong(StrCat(Quote(name), " is neither ", Quote(first), " nor ", Quote(second)));
}

Result<bool> Flag(const Json& object, std::string_view name, bool otherwise) {
  const Json* value = object.Find(name);
  if (value == nullptr || value->is_null()) return otherwise;
  if (!value->is_bool()) return Wrong(StrCat(Quote(name), " is neither true nor false"));
  return value->AsBool();
}

Status ReadKind(const Json& object, std::string_view kind, Spec& spec) {
  const Json& value = object[kind];
  if (kind == "schema") {
    spec.kind = Kind::kJsonSchema, spec.schema = value;
  } else if (kind == "json") {
    spec.kind = Kind::kJson;
  } else if (kind == "regex" || kind == "grammar") {
    spec.kind = kind == "regex" ? Kind::kRegex : Kind::kGrammar;
    if (!value.is_string()) return Wrong(StrCat(Quote(kind), " is no text"));
    spec.text = value.AsString();
  } else if (kind == "choice") {
    spec.kind = Kind::kChoice;
    if (!value.is_array()) return Wrong("\"choice\" is no list");
    for (const Json& item : value.items()) {
      if (!item.is_string()) return Wrong("\"choice\" holds more than strings");
      spec.choices.push_back(item.AsString());
    }
  } else {
    spec.kind = Kind::kTools;
    const Json& choice = object["tool_choice"];
    if (!choice.is_null() && !choice.is_string()) return Wrong("\"tool_choice\" is no text");
    LFM_TRY(spec.tools, ToolsFromJson(value, choice.is_string() ? choice.AsString() : "auto"));
    LFM_TRY(spec.tools.parallel, Flag(object, "parallel", true));
    LFM_TRY(spec.tools.double_quotes, Word(object, "quotes", "any", "double", false));
  }
  return Ok();
}

}  // namespace

bool NamesGrammar(const Json& object) {
  return std::any_of(std::begin(kKinds), std::end(kKinds), [&](std::string_view kind) { return object.Find(kind) != nullptr; });
}

Result<Spec> SpecFromJson(const Json& object, Order order) {
  if (!object.is_object()) return Wrong("a grammar is one JSON object");
  std::string_view kind;
  for (const std::string_view one : kKinds) {
    const Json* value = object.Find(one);
    if (value == nullptr || (one == "json" && !value->AsBool())) continue;
    if (!kind.empty()) return Wrong(StrCat(Quote(kind), " and ", Quote(one), " exclude each other"));
    kind = one;
  }
  if (kind.empty()) return Wrong(R"(one of "schema", "regex", "choice", "grammar", "json" or "tools" is missing)");
  Spec spec;
  LFM_RETURN_IF_ERROR(ReadKind(object, kind, spec));
  LFM_TRY(const bool any_order, Word(object, "order", "schema", "any", order == Order::kAny));
  spec.order = any_order ? Order::kAny : Order::kSchema;
  LFM_TRY(const bool compact, Flag(object, "compact", false));
  if (compact) spec.whitespace = Whitespace::kCompact;
  LFM_TRY(spec.annotate_unsupported, Word(object, "unsupported", "refuse", "annotate", false));
  return spec;
}

Result<ToolOptions> ToolsFromJson(const Json& tools, std::string_view choice) {
  if (!tools.is_array()) return Wrong("\"tools\" is no list");
  ToolOptions options;
  const bool any = choice == "auto" || choice == "required" || choice == "none";
  options.choice = choice == "auto" ? ToolChoice::kAuto : choice == "none" ? ToolChoice::kNone : ToolChoice::kRequired;
  for (const Json& item : tools.items()) {
    const Json& tool = item["function"].is_object() ? item["function"] : item;
    if (!tool["name"].is_string()) return Wrong("a tool has no name");
    if (any || tool["name"].AsString() == choice)
      options.tools.push_back({tool["name"].AsString(), ClosedArguments(tool["parameters"])});
  }
  if (!any && options.tools.empty()) {
    return Wrong(StrCat("the choice ", Quote(choice), " is neither auto, none, required nor the name of a tool"));
  }
  return options;
}

Json ClosedArguments(Json parameters) {
  if (!parameters["properties"].is_object()) return parameters;
  for (const char* name :
       {"additionalProperties", "unevaluatedProperties", "patternProperties", "allOf", "anyOf", "oneOf", "$ref", "if"}) {
    if (parameters.Find(name) != nullptr) return parameters;
  }
  parameters.Set("additionalProperties", false);
  return parameters;
}

Json RefusalJson(const Refusal& refusal) {
  return Json::MakeObject({{"keyword", refusal.keyword}, {"pointer", refusal.pointer}, {"message", refusal.message}});
}

}  // namespace lfm::grammar
