#include "server/constraint.h"

#include <algorithm>

#include "base/strings.h"
#include "server/parameters.h"

namespace lfm::server {
namespace {

Schema JsonSchemaSchema() {
  Schema schema = ObjectSchema();
  schema.members = nullptr;
  return schema.Or(BoolSchema());
}

// One way of asking for a format, and whether the body uses it.
struct FormatMember {
  const char* name;
  const Json* value;
};

ApiResult<OutputFormat> ReadStructuredOutputs(const Json& value) {
  OutputFormat format;
  int n = 0;
  const std::string path = "structured_outputs";
  if (!value["json"].is_null()) {
    ++n;
    format.kind = OutputFormat::Kind::kJsonSchema;
    format.schema = value["json"];
    if (format.schema.is_string()) {
      auto parsed = ParseJson(format.schema.AsString(), {.max_depth = kMaxDepth});
      if (!parsed.ok()) return BadRequest(StrCat("structured_outputs.json: ", parsed.error().message), path + ".json");
      format.schema = std::move(parsed).value();
    }
    format.param = path + ".json";
  }
  if (value["json_object"].AsBool()) {
    ++n;
    format.kind = OutputFormat::Kind::kJsonObject;
    format.param = path + ".json_object";
  }
  if (!value["regex"].is_null()) {
    ++n;
    format.kind = OutputFormat::Kind::kRegex;
    format.text = value["regex"].AsString();
    format.param = path + ".regex";
  }
  if (!value["choice"].is_null()) {
    ++n;
    format.kind = OutputFormat::Kind::kChoice;
    for (const Json& choice : value["choice"].items()) format.choices.push_back(choice.AsString());
    format.param = path + ".choice";
  }
  if (!value["grammar"].is_null()) {
    ++n;
    format.kind = OutputFormat::Kind::kGrammar;
    format.text = value["grammar"].AsString();
    format.param = path + ".grammar";
  }
  if (n > 1)
    return BadRequest("structured_outputs must have one of json, json_object, regex, choice and grammar, not several", path);
  format.annotate = value["unsupported"].AsString() == "annotate";
  if (n == 1 && format.kind == OutputFormat::Kind::kJsonSchema) {
    LFM_RETURN_IF_ERROR(CheckJsonSchema(format.schema, format.param));
  }
  return format;
}

// The function's own members, of chat's {"type", "function": {...}}.
Schema FunctionSchema() {
  Schema parameters = ObjectSchema();
  parameters.members = nullptr;
  return ObjectSchema({Required("name", TextSchema().Named(), ""),
                       Optional("description", TextSchema(0, 65'536), "what the model reads of it"),
                       Optional("parameters", parameters, "a JSON Schema of an object"),
                       Optional("strict", BoolSchema(), "arguments fit the schema either way")});
}

Schema NamedFunctionSchema() {
  return ObjectSchema({Required("function", ObjectSchema({Required("name", TextSchema(1, 256), "")}), "")});
}

constexpr std::string_view kJsonTypes[] = {"object", "array", "string", "number", "integer", "boolean", "null"};
// Members of a schema that hold one schema, a list of schemas, or an object of schemas.
constexpr std::string_view kOneSchema[] = {
    "additionalProperties", "additionalItems",      "contains", "not", "if", "then", "else", "propertyNames",
    "unevaluatedItems",     "unevaluatedProperties"};
constexpr std::string_view kSchemaLists[] = {"anyOf", "oneOf", "allOf", "prefixItems"};
constexpr std::string_view kSchemaMaps[] = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};

ApiStatus CheckType(const Json& type, const std::string& path) {
  const auto known = [](const Json& name) {
    return name.is_string() && std::find(std::begin(kJsonTypes), std::end(kJsonTypes), name.AsString()) != std::end(kJsonTypes);
  };
  const bool good =
      type.is_array() ? std::all_of(type.items().begin(), type.items().end(), known) && !type.items().empty() : known(type);
  if (good) return {};
  return BadRequest(StrCat(path, ".type is ", Quote(type.Dump(), 40), ", which is no type of JSON Schema"), path + ".type");
}

// The value behind "#/a/b~1c", or null.
const Json* Resolve(const Json& root, std::string_view reference) {
  if (reference == "#") return &root;
  if (!reference.starts_with("#/")) return nullptr;
  reference.remove_prefix(2);
  const Json* at = &root;
  while (at) {
    const size_t end = std::min(reference.find('/'), reference.size());
    std::string name;
    for (size_t i = 0; i < end; ++i) {
      const bool escape = reference[i] == '~' && i + 1 < end && (reference[i + 1] == '0' || reference[i + 1] == '1');
      name += !escape ? reference[i] : reference[++i] == '0' ? '~' : '/';
    }
    if (at->is_array()) {
      const bool digits = !name.empty() && name.size() < 6 && name.find_first_not_of("0123456789") == std::string::npos;
      const size_t index = digits ? static_cast<size_t>(std::stoi(name)) : at->items().size();
      at = index < at->items().size() ? &at->items()[index] : nullptr;
    } else {
      at = at->Find(name);
    }
    if (end == reference.size()) return at;
    reference.remove_prefix(end + 1);
  }
  return nullptr;
}

// Depth is bounded by the request's.
ApiStatus CheckSubschema(const Json& root, const Json& schema, const std::string& path) {
  if (schema.is_bool()) return {};
  if (!schema.is_object())
    return BadRequest(StrCat(path, " must be a JSON Schema: an object, true or false"), path, "invalid_type");
  if (const Json* type = schema.Find("type")) LFM_RETURN_IF_ERROR(CheckType(*type, path));
  if (const Json* reference = schema.Find("$ref")) {
    if (!reference->is_string()) return BadRequest(path + ".$ref must be a string", path + ".$ref", "invalid_type");
    const std::string& text = reference->AsString();
    const bool anchor = text.starts_with('#') && text.size() > 1 && text[1] != '/';
    if (!anchor && text.starts_with('#') && !Resolve(root, text)) {
      return BadRequest(StrCat(path, ".$ref names ", Quote(text), ", which is nowhere in the schema"), path + ".$ref");
    }
  }
  for (const auto& [name, value] : schema.members()) {
    const auto among = [&key = name](const auto& list) {
      return std::find(std::begin(list), std::end(list), key) != std::end(list);
    };
    const std::string inner = StrCat(path, ".", name);
    if (among(kOneSchema) || (name == "items" && !value.is_array())) {
      LFM_RETURN_IF_ERROR(CheckSubschema(root, value, inner));
    } else if (among(kSchemaLists) || name == "items") {
      if (!value.is_array()) return BadRequest(inner + " must be an array", inner, "invalid_type");
      for (const Json& item : value.items()) LFM_RETURN_IF_ERROR(CheckSubschema(root, item, inner));
    } else if (among(kSchemaMaps)) {
      if (!value.is_object()) return BadRequest(inner + " must be an object", inner, "invalid_type");
      for (const auto& [key, item] : value.members()) {
        LFM_RETURN_IF_ERROR(CheckSubschema(root, item, StrCat(inner, ".", Quote(key))));
      }
    }
  }
  return {};
}

}  // namespace

ApiStatus CheckJsonSchema(const Json& schema, const std::string& path) { return CheckSubschema(schema, schema, path); }

SchemaMember UnsupportedMember() {
  return Optional("unsupported", ChoiceSchema({"refuse", "annotate"}),
                  "annotate: what cannot be enforced is listed in the answer's `unenforced`");
}

SchemaMembers FormatMembers(bool name_required) {
  const SchemaMember name =
      name_required ? Required("name", TextSchema().Named(), "") : Optional("name", TextSchema().Named(), "");
  const SchemaMember unsupported = UnsupportedMember();
  const Schema json_schema = ObjectSchema({name, Required("schema", JsonSchemaSchema(), "what the answer fits"),
                                           Optional("description", TextSchema(0, 65'536), "accepted"),
                                           Optional("strict", BoolSchema(), "the schema holds either way"), unsupported});
  const Schema format = VariantSchema(
      "type", {{"text", ObjectSchema()},
               {"json_object", ObjectSchema({Optional("schema", JsonSchemaSchema(), "llama.cpp's: what the object fits")})},
               {"json_schema", ObjectSchema({Required("json_schema", json_schema, "")})}});
  const Schema outputs = ObjectSchema({Optional("json", JsonSchemaSchema().Or(TextSchema(1)), "a JSON Schema, or its text"),
                                       Optional("json_object", BoolSchema(), "true: any JSON object"),
                                       Optional("regex", TextSchema(1, 65'536), "the whole answer matches it"),
                                       Optional("choice", ListSchema(TextSchema(1, 4096), 1, 1000), "the answer is one of these"),
                                       Optional("grammar", TextSchema(1, size_t{1} << 20), "GBNF or Lark"), unsupported});
  return {
      Optional("response_format", format, "the answer fits the format from its first token on"),
      Optional("structured_outputs", outputs, "vLLM's: one of its members"),
      Optional("grammar", TextSchema(0, size_t{1} << 20), "llama.cpp's: GBNF"),
      Optional("json_schema", JsonSchemaSchema(), "llama.cpp's: a JSON Schema"),
  };
}

ApiResult<OutputFormat> ReadFormatObject(const Json& format, const Json& json_schema, const std::string& path) {
  OutputFormat out;
  out.param = path;
  const std::string& type = format["type"].AsString();
  if (type == "json_object" && format["schema"].is_null()) out.kind = OutputFormat::Kind::kJsonObject;
  if (type == "json_schema") out.schema = json_schema["schema"];
  out.annotate = type == "json_schema" && json_schema["unsupported"].AsString() == "annotate";
  if (type == "json_object") out.schema = format["schema"];
  if (!out.schema.is_null()) {
    out.kind = OutputFormat::Kind::kJsonSchema;
    LFM_RETURN_IF_ERROR(CheckJsonSchema(out.schema, path + (type == "json_schema" ? ".json_schema.schema" : ".schema")));
  }
  return out;
}

ApiResult<OutputFormat> ReadFormat(const Json& body) {
  const FormatMember members[] = {{"response_format", &body["response_format"]},
                                  {"structured_outputs", &body["structured_outputs"]},
                                  {"grammar", &body["grammar"]},
                                  {"json_schema", &body["json_schema"]}};
  OutputFormat format;
  const char* used = nullptr;
  for (const auto& [name, value] : members) {
    if (value->is_null() || (value->is_string() && value->AsString().empty())) continue;
    OutputFormat one;
    const std::string_view which = name;
    if (which == "response_format") {
      LFM_TRY(one, ReadFormatObject(*value, (*value)["json_schema"], name));
    } else if (which == "structured_outputs") {
      LFM_TRY(one, ReadStructuredOutputs(*value));
    } else if (which == "grammar") {
      one.kind = OutputFormat::Kind::kGrammar;
      one.text = value->AsString();
      one.param = name;
    } else {
      one.kind = OutputFormat::Kind::kJsonSchema;
      one.schema = *value;
      one.param = name;
      LFM_RETURN_IF_ERROR(CheckJsonSchema(one.schema, name));
    }
    if (one.kind == OutputFormat::Kind::kText) continue;
    if (used) return BadRequest(StrCat(used, " and ", name, " exclude each other"), name);
    used = name;
    format = std::move(one);
  }
  return format;
}

Schema ToolListSchema() {
  return ListSchema(VariantSchema("type", {{"function", ObjectSchema({Required("function", FunctionSchema(), "")})}}), 0,
                    kMaxTools);
}

SchemaRule ToolChoiceRule() {
  return {SchemaRule::Kind::kNeeds, {"tool_choice", "tools"}, "tool_choice needs tools, and there are none", {"auto", "none"}};
}

SchemaMembers ToolMembers() {
  const Schema allowed = ObjectSchema(
      {Required("mode", ChoiceSchema({"auto", "required"}), ""),
       Required("tools", ListSchema(VariantSchema("type", {{"function", NamedFunctionSchema()}}), 1, kMaxTools), "")});
  const Schema choice =
      ChoiceSchema({"none", "auto", "required"})
          .Or(VariantSchema("type", {{"function", NamedFunctionSchema()},
                                     {"allowed_tools", ObjectSchema({Required("allowed_tools", allowed, "")})}}));
  return {
      Optional("tools", ToolListSchema(), "functions that the model may call"),
      Optional("tool_choice", choice, "none, auto (the default with tools), required, one function, or allowed_tools"),
      Optional("parallel_tool_calls", BoolSchema(), "false: at most one call"),
      Refused("functions", "use tools", {Json::MakeArray()}),
      Refused("function_call", "use tool_choice", {"none", "auto"}),
  };
}

ApiStatus ChooseTools(const std::string& mode, const std::vector<std::string>& names, const std::string& path, ToolUse& use) {
  if (mode == "none") {
    use.choice = ToolUse::Choice::kNone;
    return {};
  }
  if (use.tools.empty()) {
    if (mode == "auto" && names.empty()) return {};
    return BadRequest("tool_choice needs tools, and there are none", path);
  }
  use.choice = mode == "required" ? ToolUse::Choice::kRequired : ToolUse::Choice::kAuto;
  if (names.empty()) return {};
  use.allowed.clear();
  for (const std::string& name : names) {
    const auto tool = std::find_if(use.tools.begin(), use.tools.end(), [&](const Tool& one) { return one.name == name; });
    if (tool == use.tools.end()) {
      return BadRequest(StrCat("tool_choice names ", Quote(name), ", which is not among the tools"), path);
    }
    use.allowed.push_back(static_cast<size_t>(tool - use.tools.begin()));
  }
  return {};
}

ApiResult<ToolUse> ReadTools(const Json& body) {
  ToolUse use;
  size_t i = 0;
  for (const Json& tool : body["tools"].items()) {
    const Json& function = tool["function"];
    const std::string path = StrCat("tools[", i, "].function.parameters");
    if (!function["parameters"].is_null()) LFM_RETURN_IF_ERROR(CheckJsonSchema(function["parameters"], path));
    use.tools.push_back({function["name"].AsString(), function["parameters"], function["strict"].AsBool()});
    use.allowed.push_back(i++);
  }
  if (body["parallel_tool_calls"].is_bool()) use.parallel = body["parallel_tool_calls"].AsBool();
  const Json& choice = body["tool_choice"];
  if (choice.is_string()) {
    LFM_RETURN_IF_ERROR(ChooseTools(choice.AsString(), {}, "tool_choice", use));
  } else if (choice["type"].AsString() == "function") {
    LFM_RETURN_IF_ERROR(ChooseTools("required", {choice["function"]["name"].AsString()}, "tool_choice", use));
  } else if (choice.is_object()) {
    const Json& allowed = choice["allowed_tools"];
    std::vector<std::string> names;
    for (const Json& tool : allowed["tools"].items()) names.push_back(tool["function"]["name"].AsString());
    LFM_RETURN_IF_ERROR(ChooseTools(allowed["mode"].AsString(), names, "tool_choice", use));
  } else if (!use.tools.empty()) {
    use.choice = ToolUse::Choice::kAuto;
  }
  return use;
}

}  // namespace lfm::server
