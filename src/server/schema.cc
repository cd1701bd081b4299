#include "server/schema.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/strings.h"

namespace lfm::server {
namespace {

unsigned TypeOf(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kNull: return Schema::kNull;
    case Json::Kind::kBool: return Schema::kBool;
    case Json::Kind::kInteger: return Schema::kInteger | Schema::kNumber;
    case Json::Kind::kFloat: {
      const double number = value.AsDouble();
      return std::abs(number) < 9e15 && number == std::floor(number) ? Schema::kInteger | Schema::kNumber : Schema::kNumber;
    }
    case Json::Kind::kString: return Schema::kString;
    case Json::Kind::kArray: return Schema::kArray;
    case Json::Kind::kObject: return Schema::kObject;
  }
  return 0;
}

constexpr std::pair<unsigned, const char*> kTypeNames[] = {
    {Schema::kString, "string"}, {Schema::kInteger, "integer"}, {Schema::kNumber, "number"}, {Schema::kBool, "boolean"},
    {Schema::kArray, "array"},   {Schema::kObject, "object"},   {Schema::kNull, "null"}};

// "a string or an array"
std::string TypeList(unsigned types) {
  std::string list;
  for (const auto& [bit, name] : kTypeNames) {
    if (!(types & bit) || (bit == Schema::kInteger && (types & Schema::kNumber))) continue;
    const bool vowel = std::string_view("aio").find(name[0]) != std::string_view::npos;
    list += StrCat(list.empty() ? "" : " or ", bit == Schema::kNull ? "" : vowel ? "an " : "a ", name);
  }
  return list;
}

std::string Join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : StrCat(path, ".", name);
}

std::string Subject(const std::string& path) { return path.empty() ? "the request body" : Quote(path, 120); }

bool IsName(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// The name of the value as JSON writes it, short.
std::string Shown(const Json& value) { return Quote(value.Dump(), 40); }

ApiStatus CheckInteger(const Schema& schema, const Json& value, const std::string& path) {
  // Integers beyond 64 bits read as the default, once for each of two: then the value is out of every range.
  const bool fits = value.AsInt(0) == value.AsInt(1);
  if (fits && value.AsInt() >= schema.min_integer && value.AsInt() <= schema.max_integer) return {};
  const bool below = fits ? value.AsInt() < schema.min_integer : value.NumberText().starts_with('-');
  return BadRequest(StrCat(Subject(path), " is ", Shown(value), "; it must be ", below ? "at least " : "at most ",
                           below ? schema.min_integer : schema.max_integer),
                    path, below ? "integer_below_min_value" : "integer_above_max_value");
}

ApiStatus CheckNumber(const Schema& schema, const Json& value, const std::string& path) {
  const double number = value.AsDouble();
  const bool below = number < schema.min_number || (schema.above_min && number == schema.min_number);
  if (!below && number <= schema.max_number) return {};
  return BadRequest(StrCat(Subject(path), " is ", Shown(value), "; it must be ",
                           !below             ? "at most "
                           : schema.above_min ? "above "
                                              : "at least ",
                           below ? schema.min_number : schema.max_number),
                    path, below ? "decimal_below_min_value" : "decimal_above_max_value");
}

ApiStatus CheckString(const Schema& schema, const std::string& text, const std::string& path) {
  if (schema.is_name && !IsName(text)) {
    return BadRequest(StrCat(Subject(path), " must be 1 to 64 of the characters a-z A-Z 0-9 _ -, not ", Quote(text)), path);
  }
  if (!schema.values.empty() && std::find(schema.values.begin(), schema.values.end(), text) == schema.values.end()) {
    std::string list;
    for (const std::string& one : schema.values) list += StrCat(list.empty() ? "" : ", ", "'", one, "'");
    return BadRequest(StrCat(Subject(path), " is ", Quote(text), "; supported: ", list), path);
  }
  if (text.size() < schema.min_bytes) {
    return BadRequest(StrCat(Subject(path), " must have at least ", schema.min_bytes, " bytes"), path, "string_below_min_length");
  }
  if (text.size() > schema.max_bytes) {
    return BadRequest(StrCat(Subject(path), " has ", text.size(), " bytes; at most ", schema.max_bytes, " are allowed"), path,
                      "string_above_max_length");
  }
  return {};
}

ApiStatus CheckArray(const Schema& schema, const Json& value, const std::string& path) {
  const size_t n = value.items().size();
  if (n < schema.min_items) {
    return BadRequest(StrCat(Subject(path), " must have at least ", schema.min_items, " item", schema.min_items == 1 ? "" : "s"),
                      path, "array_below_min_length");
  }
  if (n > schema.max_items) {
    return BadRequest(StrCat(Subject(path), " has ", n, " items; at most ", schema.max_items, " are allowed"), path,
                      "array_above_max_length");
  }
  if (!schema.items) return {};
  for (size_t i = 0; i < n; ++i) {
    LFM_RETURN_IF_ERROR(Check(*schema.items, value.items()[i], StrCat(path, "[", i, "]")));
  }
  return {};
}

ApiStatus CheckMember(const SchemaMember& member, const Json* value, const std::string& path) {
  const bool absent = !value || value->is_null();
  switch (member.presence) {
    case SchemaMember::Presence::kRequired:
      if (!value) return BadRequest(StrCat(Subject(path), " is missing"), path, "missing_required_parameter");
      return Check(member.schema, *value, path);
    case SchemaMember::Presence::kOptional:
      if (absent) return {};
      return Check(member.schema, *value, path);
    case SchemaMember::Presence::kRefused:
      if (absent || std::find(member.neutral.begin(), member.neutral.end(), *value) != member.neutral.end()) return {};
      return BadRequest(StrCat(Subject(path), " is not supported: ", member.about), path, "unsupported_parameter");
  }
  return {};
}

ApiStatus CheckVariant(const Schema& schema, const Json& value, const std::string& path) {
  const Json* kind = value.Find(schema.discriminator);
  const std::string kind_path = Join(path, schema.discriminator);
  if (!kind && schema.default_variant.empty()) {
    return BadRequest(StrCat(Subject(kind_path), " is missing"), kind_path, "missing_required_parameter");
  }
  if (kind && !kind->is_string()) return BadRequest(StrCat(Subject(kind_path), " must be a string"), kind_path, "invalid_type");
  const std::string& name = kind ? kind->AsString() : schema.default_variant;
  std::string list;
  for (const auto& [variant, content] : *schema.variants) {
    if (variant == name) return Check(content, value, path);
    list += StrCat(list.empty() ? "" : ", ", "'", variant, "'");
  }
  return BadRequest(StrCat(Subject(kind_path), " is ", Quote(name), "; supported: ", list), kind_path);
}

// Whether `value` keeps the rule; members have been checked by themselves.
bool Keeps(const SchemaRule& rule, const Json& value) {
  const auto given = [&](const std::string& name) { return !value[name].is_null(); };
  const auto n_given = std::count_if(rule.members.begin(), rule.members.end(), given);
  switch (rule.kind) {
    case SchemaRule::Kind::kNeeds: {
      const Json& asking = value[rule.members[0]];
      const std::string& word = asking.is_object() ? asking["type"].AsString() : asking.AsString();
      if (asking.is_null() || std::find(rule.free.begin(), rule.free.end(), word) != rule.free.end()) return true;
      const Json& needed = value[rule.members[1]];
      return needed.AsBool() || !needed.items().empty();
    }
    case SchemaRule::Kind::kSome: return n_given > 0;
    case SchemaRule::Kind::kOne: return n_given == 1;
    case SchemaRule::Kind::kNotBoth: return !(value[rule.members[0]].AsBool() && value[rule.members[1]].AsBool());
  }
  return true;
}

ApiStatus CheckRules(const Schema& schema, const Json& value, const std::string& path) {
  if (!schema.rules) return {};
  for (const SchemaRule& rule : *schema.rules) {
    if (Keeps(rule, value)) continue;
    const bool missing = rule.kind == SchemaRule::Kind::kSome || rule.kind == SchemaRule::Kind::kOne;
    return BadRequest(rule.message, Join(path, rule.members[0]), missing ? "missing_required_parameter" : "invalid_value");
  }
  return {};
}

ApiStatus CheckObject(const Schema& schema, const Json& value, const std::string& path) {
  if (value.members().size() > schema.max_members) {
    return BadRequest(
        StrCat(Subject(path), " has ", value.members().size(), " members; at most ", schema.max_members, " are allowed"), path);
  }
  if (schema.variants) return CheckVariant(schema, value, path);
  if (schema.members) {
    for (const SchemaMember& member : *schema.members) {
      LFM_RETURN_IF_ERROR(CheckMember(member, value.Find(member.name), Join(path, member.name)));
    }
  }
  LFM_RETURN_IF_ERROR(CheckRules(schema, value, path));
  if (!schema.others) return {};
  for (const auto& [name, content] : value.members()) {
    LFM_RETURN_IF_ERROR(Check(*schema.others, content, Join(path, name)));
  }
  return {};
}

}  // namespace

Schema Schema::Or(const Schema& other) const {
  Schema both = *this;
  both.types |= other.types;
  const auto take = [&](unsigned type) { return (other.types & type) && !(types & type); };
  if (take(kInteger)) {
    both.min_integer = other.min_integer, both.max_integer = other.max_integer;
    both.is_token = other.is_token;
  }
  if (take(kNumber)) both.min_number = other.min_number, both.max_number = other.max_number;
  if (take(kString)) {
    both.min_bytes = other.min_bytes, both.max_bytes = other.max_bytes;
    both.values = other.values, both.is_name = other.is_name;
  }
  if (take(kArray)) both.items = other.items, both.min_items = other.min_items, both.max_items = other.max_items;
  if (take(kObject)) {
    both.members = other.members, both.others = other.others, both.max_members = other.max_members;
    both.keys_are_tokens = other.keys_are_tokens, both.rules = other.rules;
    both.discriminator = other.discriminator, both.variants = other.variants;
    both.default_variant = other.default_variant;
  }
  return both;
}

Schema Schema::Named() const {
  Schema named = *this;
  named.is_name = true;
  return named;
}

Schema BoolSchema() {
  Schema schema;
  schema.types = Schema::kBool;
  return schema;
}

Schema IntegerSchema(int64_t min, int64_t max) {
  Schema schema;
  schema.types = Schema::kInteger;
  schema.min_integer = min, schema.max_integer = max;
  return schema;
}

Schema NumberSchema(double min, double max) {
  Schema schema;
  schema.types = Schema::kNumber | Schema::kInteger;
  schema.min_number = min, schema.max_number = max;
  return schema;
}

Schema TextSchema(size_t min_bytes, size_t max_bytes) {
  Schema schema;
  schema.types = Schema::kString;
  schema.min_bytes = min_bytes, schema.max_bytes = max_bytes;
  return schema;
}

Schema ChoiceSchema(std::vector<std::string> values) {
  Schema schema = TextSchema();
  schema.values = std::move(values);
  return schema;
}

Schema ListSchema(Schema item, size_t min_items, size_t max_items) {
  Schema schema;
  schema.types = Schema::kArray;
  schema.items = std::make_shared<const Schema>(std::move(item));
  schema.min_items = min_items, schema.max_items = max_items;
  return schema;
}

Schema TokenIdSchema() {
  Schema schema = IntegerSchema(0);
  schema.is_token = true;
  return schema;
}

Schema ObjectSchema(SchemaMembers members, SchemaRules rules) {
  Schema schema;
  schema.types = Schema::kObject;
  schema.members = std::make_shared<const SchemaMembers>(std::move(members));
  if (!rules.empty()) schema.rules = std::make_shared<const SchemaRules>(std::move(rules));
  return schema;
}

Schema MapSchema(Schema value, size_t max_members) {
  Schema schema;
  schema.types = Schema::kObject;
  schema.others = std::make_shared<const Schema>(std::move(value));
  schema.max_members = max_members;
  return schema;
}

Schema VariantSchema(std::string discriminator, std::vector<std::pair<std::string, Schema>> variants,
                     std::string default_variant) {
  Schema schema;
  schema.types = Schema::kObject;
  schema.discriminator = std::move(discriminator);
  schema.variants = std::make_shared<const std::vector<std::pair<std::string, Schema>>>(std::move(variants));
  schema.default_variant = std::move(default_variant);
  return schema;
}

SchemaMember Required(std::string name, Schema schema, std::string about) {
  return {std::move(name), std::move(schema), std::move(about), SchemaMember::Presence::kRequired};
}

SchemaMember Optional(std::string name, Schema schema, std::string about) {
  return {std::move(name), std::move(schema), std::move(about), SchemaMember::Presence::kOptional};
}

SchemaMember Refused(std::string name, std::string why, Json::Array neutral) {
  return {std::move(name), Schema(), std::move(why), SchemaMember::Presence::kRefused, std::move(neutral)};
}

ApiStatus Check(const Schema& schema, const Json& value, const std::string& path) {
  const unsigned type = TypeOf(value);
  if (!(type & schema.types)) {
    return BadRequest(StrCat(Subject(path), " must be ", TypeList(schema.types), ", not ", Shown(value)), path, "invalid_type");
  }
  if (schema.types == Schema::kAnything) return {};
  if (value.is_number()) {
    return (schema.types & Schema::kNumber) ? CheckNumber(schema, value, path) : CheckInteger(schema, value, path);
  }
  if (value.is_string()) return CheckString(schema, value.AsString(), path);
  if (value.is_array()) return CheckArray(schema, value, path);
  if (value.is_object()) return CheckObject(schema, value, path);
  return {};
}

}  // namespace lfm::server
