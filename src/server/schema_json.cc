// A table of what requests may hold as a JSON Schema, for /openapi.json.
#include <algorithm>
#include <cmath>
#include <optional>

#include "server/schema.h"

namespace lfm::server {
namespace {

constexpr std::pair<unsigned, const char*> kSchemaTypes[] = {
    {Schema::kString, "string"}, {Schema::kInteger, "integer"}, {Schema::kNumber, "number"}, {Schema::kBool, "boolean"},
    {Schema::kArray, "array"},   {Schema::kObject, "object"},   {Schema::kNull, "null"}};

void SetStringLimits(const Schema& schema, Json& out) {
  if (schema.is_name) out.Set("pattern", "^[a-zA-Z0-9_-]{1,64}$");
  if (schema.min_bytes > 0) out.Set("minLength", static_cast<int64_t>(schema.min_bytes));
  // A character has up to four bytes: what is promised is what is certain to pass.
  if (schema.max_bytes != std::numeric_limits<size_t>::max()) {
    out.Set("maxLength", static_cast<int64_t>(std::max<size_t>(schema.max_bytes / 4, 1)));
  }
}

void SetArrayLimits(const Schema& schema, Json& out) {
  if (schema.items) out.Set("items", ToJsonSchema(*schema.items));
  if (schema.min_items > 0) out.Set("minItems", static_cast<int64_t>(schema.min_items));
  if (schema.max_items != std::numeric_limits<size_t>::max()) {
    out.Set("maxItems", static_cast<int64_t>(schema.max_items));
  }
}

Json ObjectWith(const std::string& member, Json content) {
  return Json::MakeObject({{"type", "object"}, {"properties", Json::MakeObject({{member, std::move(content)}})}});
}

unsigned TypesOf(const Schema& schema, const std::string& member) {
  for (const SchemaMember& one : *schema.members) {
    if (one.name == member) return one.schema.types;
  }
  return 0;
}

// What a member may be that needs no other: null, one of the texts, or an object whose type is one of them.
Json FreeValue(const Schema& schema, const SchemaRule& rule) {
  const bool texts = (TypesOf(schema, rule.members[0]) & Schema::kString) != 0;
  Json words = Json::MakeArray(), values = Json::MakeArray({nullptr});
  for (const std::string& word : rule.free) {
    words.Append(word);
    if (texts) values.Append(word);
  }
  Json null = Json::MakeObject({{"enum", std::move(values)}});
  if (texts || rule.free.empty()) return null;
  Json object = ObjectWith("type", Json::MakeObject({{"enum", std::move(words)}})).Set("required", Json::MakeArray({"type"}));
  return Json::MakeObject({{"anyOf", Json::MakeArray({std::move(null), std::move(object)})}});
}

// A rule as a choice of objects that keep it. Generators of test data draw from this form, and without a description:
// with one they take ten times as long to multiply the rules out.
Json RuleToJsonSchema(const Schema& schema, const SchemaRule& rule) {
  const Json null = Json::MakeObject({{"type", "null"}});
  const Json off = Json::MakeObject({{"enum", Json::MakeArray({nullptr, false})}});
  const Json given = Json::MakeObject({{"type", Json::MakeArray({"boolean", "number", "string", "array", "object"})}});
  Json any = Json::MakeArray();
  if (rule.kind == SchemaRule::Kind::kNeeds) {
    const bool list = (TypesOf(schema, rule.members[1]) & Schema::kArray) != 0;
    Json has = list ? Json::MakeObject({{"type", "array"}, {"minItems", 1}}) : Json::MakeObject({{"const", true}});
    any.Append(ObjectWith(rule.members[1], std::move(has)).Set("required", Json::MakeArray({rule.members[1]})));
    any.Append(ObjectWith(rule.members[0], FreeValue(schema, rule)));
  } else if (rule.kind == SchemaRule::Kind::kNotBoth) {
    for (const std::string& member : rule.members) any.Append(ObjectWith(member, off));
  } else {
    for (const std::string& member : rule.members) {
      Json properties = Json::MakeObject({{member, given}});
      for (const std::string& other : rule.members) {
        if (other != member && rule.kind == SchemaRule::Kind::kOne) properties.Set(other, null);
      }
      any.Append(
          Json::MakeObject({{"type", "object"}, {"properties", std::move(properties)}, {"required", Json::MakeArray({member})}}));
    }
  }
  return Json::MakeObject({{"anyOf", std::move(any)}});
}

Json MembersToJsonSchema(const Schema& schema) {
  Json out = Json::MakeObject({{"type", "object"}});
  if (schema.max_members != std::numeric_limits<size_t>::max()) {
    out.Set("maxProperties", static_cast<int64_t>(schema.max_members));
  }
  if (schema.others) out.Set("additionalProperties", ToJsonSchema(*schema.others));
  if (schema.keys_are_tokens) out.Set("propertyNames", Json::MakeObject({{"x-token-id", true}}));
  if (!schema.members) return out;
  Json properties = Json::MakeObject(), required = Json::MakeArray();
  for (const SchemaMember& member : *schema.members) {
    if (member.presence == SchemaMember::Presence::kRefused) {
      Json::Array neutral = member.neutral;
      neutral.insert(neutral.begin(), Json());
      properties.Set(member.name, Json::MakeObject({{"enum", Json::MakeArray(std::move(neutral))},
                                                    {"description", "not supported: " + member.about}}));
      continue;
    }
    Json content = ToJsonSchema(member.schema);
    if (member.presence == SchemaMember::Presence::kRequired) {
      required.Append(member.name);
    } else if (member.schema.types != Schema::kAnything) {
      content = Json::MakeObject({{"anyOf", Json::MakeArray({std::move(content), Json::MakeObject({{"type", "null"}})})}});
    }
    if (!member.about.empty()) content.Set("description", member.about);
    properties.Set(member.name, std::move(content));
  }
  out.Set("properties", std::move(properties));
  if (!required.items().empty()) out.Set("required", std::move(required));
  Json rules = Json::MakeArray();
  for (const SchemaRule& rule : schema.rules ? *schema.rules : SchemaRules()) rules.Append(RuleToJsonSchema(schema, rule));
  if (!rules.items().empty()) out.Set("allOf", std::move(rules));
  return out;
}

Json ObjectToJsonSchema(const Schema& schema) {
  if (!schema.variants) return MembersToJsonSchema(schema);
  Json any = Json::MakeArray();
  for (const auto& [name, content] : *schema.variants) {
    Json one = ObjectToJsonSchema(content);
    Json properties = one["properties"].is_object() ? one["properties"] : Json::MakeObject();
    properties.Set(schema.discriminator, Json::MakeObject({{"const", name}}));
    Json required = one["required"].is_array() ? one["required"] : Json::MakeArray();
    const Json discriminator = schema.discriminator;
    const bool listed = std::find(required.items().begin(), required.items().end(), discriminator) != required.items().end();
    if (!listed) required.Append(discriminator);
    one.Set("properties", std::move(properties));
    one.Set("required", std::move(required));
    any.Append(std::move(one));
  }
  return Json::MakeObject({{"anyOf", std::move(any)}});
}

// The part of one type, or nothing where the schema does not have it.
std::optional<Json> TypeToJsonSchema(const Schema& schema, unsigned type, const char* name) {
  if (!(schema.types & type)) return std::nullopt;
  Json out = Json::MakeObject({{"type", name}});
  switch (type) {
    case Schema::kInteger:
      if (schema.types & Schema::kNumber) return std::nullopt;
      if (schema.is_token) return std::move(out.Set("minimum", schema.min_integer).Set("x-token-id", true));
      // Limits of 64 bits are too large for the doubles of most readers, but are what is meant.
      out.Set("minimum", schema.min_integer).Set("maximum", schema.max_integer);
      break;
    case Schema::kNumber:
      if (std::isfinite(schema.promised_min)) {
        out.Set("minimum", schema.promised_min);
      } else if (std::isfinite(schema.min_number)) {
        out.Set(schema.above_min ? "exclusiveMinimum" : "minimum", schema.min_number);
      }
      if (std::isfinite(schema.max_number)) out.Set("maximum", schema.max_number);
      break;
    case Schema::kString: {
      SetStringLimits(schema, out);
      Json values = Json::MakeArray();
      for (const std::string& value : schema.values) values.Append(value);
      if (!schema.values.empty()) out.Set("enum", std::move(values));
      break;
    }
    case Schema::kArray: SetArrayLimits(schema, out); break;
    case Schema::kObject: return ObjectToJsonSchema(schema);
    default: break;
  }
  return out;
}

}  // namespace

Json ToJsonSchema(const Schema& schema) {
  if (schema.types == Schema::kAnything) return Json::MakeObject();
  Json::Array parts;
  for (const auto& [type, name] : kSchemaTypes) {
    if (auto part = TypeToJsonSchema(schema, type, name)) parts.push_back(*std::move(part));
  }
  if (parts.size() == 1) return std::move(parts.front());
  return Json::MakeObject({{"anyOf", Json::MakeArray(std::move(parts))}});
}

}  // namespace lfm::server
