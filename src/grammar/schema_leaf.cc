#include "grammar/schema_leaf.h"

#include <algorithm>

#include "base/strings.h"
#include "grammar/formats.h"
#include "grammar/numbers.h"
#include "grammar/regex_parse.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMostMembers = 20'000;  // of one list: they are compared with each other

std::string Child(const std::string& pointer, std::string_view keyword) { return StrCat(pointer, "/", keyword); }

std::string Token(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

LeafReader::LeafReader(Schemas& schemas, Schemas::Leaf leaf, bool tracked)
    : all_(schemas), pool_(schemas.pool_), leaf_(std::move(leaf)), schema_(*leaf_.schema),
      dialect_(schemas.resources_[leaf_.resource].dialect), tracked_(tracked) {}

void LeafReader::Fail(ErrorCode code, std::string_view keyword, std::string message) {
  all_.Fail(code, std::string(keyword), leaf_.pointer, std::move(message));
}
void LeafReader::Broken(std::string_view keyword, std::string_view expected) {
  Fail(ErrorCode::kInvalidArgument, keyword, StrCat("\"", keyword, "\" must be ", expected));
}
bool LeafReader::TooMany(std::string_view keyword, size_t n) {
  if (n <= kMostMembers) return false;
  Fail(ErrorCode::kLimit, keyword, StrCat("\"", keyword, "\" has ", n, " members; at most ", kMostMembers, " are supported"));
  return true;
}
void LeafReader::Note(std::string_view keyword, std::string message) {
  if (!all_.unenforced_seen_.emplace(std::pair{&schema_, std::string(keyword)}, true).second) return;
  all_.unenforced_.push_back({ErrorCode::kUnsupported, std::string(keyword), leaf_.pointer, std::move(message)});
}
void LeafReader::Unsupported(std::string_view keyword, std::string message) {
  if (all_.annotate_) return Note(keyword, std::move(message));
  Fail(ErrorCode::kUnsupported, keyword, std::move(message));
}
void LeafReader::At(std::string_view keyword) { all_.place_keyword_ = keyword, all_.place_pointer_ = leaf_.pointer; }

Expr LeafReader::Sub(const Json& schema, std::string pointer) {
  if (!schema.is_object() && !schema.is_bool()) {
    all_.Fail(ErrorCode::kInvalidArgument, "", std::move(pointer), "a schema must be an object or a boolean");
    return kNothing;
  }
  return all_.LeafAt(schema, std::move(pointer), leaf_.resource, leaf_.scope);
}
Expr LeafReader::Sub(std::string_view keyword) { return Sub(*Find(keyword), Child(leaf_.pointer, keyword)); }

std::vector<Expr> LeafReader::Subs(std::string_view keyword) {
  std::vector<Expr> out;
  const Json& list = *Find(keyword);
  if (!list.is_array()) return Broken(keyword, "a list of schemas"), out;
  for (size_t i = 0; i < list.items().size(); ++i)
    out.push_back(Sub(list.items()[i], StrCat(leaf_.pointer, "/", keyword, "/", i)));
  return out;
}

bool LeafReader::Count(std::string_view keyword, uint64_t& out) {
  const Json* value = Find(keyword);
  if (value == nullptr) return false;
  const auto decimal = value->is_number() ? ParseDecimal(value->NumberText()) : std::nullopt;
  if (!decimal || decimal->negative || !decimal->fraction.empty()) return Broken(keyword, "a count"), false;
  out = decimal->whole.size() > 18 ? uint64_t{1} << 60 : std::stoull(decimal->whole);
  return true;
}

Type LeafReader::Read() {
  if (!schema_.is_object()) {
    if (schema_.is_bool()) return schema_.AsBool() ? all_.Anything() : Type();
    Fail(ErrorCode::kInvalidArgument, "", "a schema must be an object or a boolean");
    return Type();
  }
  const Json* ref = Find("$ref");
  if (Old() && ref != nullptr && ref->is_string()) {  // its siblings say nothing
    const auto to = all_.Resolve(leaf_, ref->AsString(), "$ref");
    return to ? all_.TypeAt(all_.LeafAt(*to->schema, to->pointer, to->resource, to->scope), tracked_) : Type();
  }
  if (Find("unevaluatedProperties") != nullptr || Find("unevaluatedItems") != nullptr) tracked_ = true;
  Type type;
  ReadTypes(type);
  if (type.number != RegexPool::kNone) ReadNumbers(type);
  if (type.string != RegexPool::kNone) ReadStrings(type);
  // Read also where the type rules them out: a broken keyword is reported in any case.
  ArrayShape array = ReadArray();
  ObjectShape object = ReadObject();
  Type shapes = all_.Anything();
  shapes.arrays = {std::move(array)}, shapes.objects = {std::move(object)};
  type = all_.Intersect(type, shapes);
  if (!all_.error_) ReadValues(type);
  if (!all_.error_) ReadApplicators(type);
  if (!all_.error_) ReadConditions(type);
  if (!all_.error_) ReadUnevaluated(type);
  return type;
}

void LeafReader::ReadTypes(Type& type) {
  const Json* keyword = Find("type");
  if (keyword == nullptr) {
    type = all_.Anything();
    return;
  }
  std::vector<const Json*> names;
  if (keyword->is_array()) {
    for (const Json& item : keyword->items()) names.push_back(&item);
  } else {
    names.push_back(keyword);
  }
  bool integers = false, numbers = false;
  for (const Json* item : names) {
    const std::string& name = item->is_string() ? item->AsString() : "";
    if (name == "null") {
      type.null = true;
    } else if (name == "boolean") {
      type.truth = type.falsehood = true;
    } else if (name == "integer") {
      integers = true;
    } else if (name == "number") {
      numbers = true;
    } else if (name == "string") {
      type.string = pool_.Text();
    } else if (name == "array") {
      type.arrays.assign(1, ArrayShape());
    } else if (name == "object") {
      type.objects.assign(1, ObjectShape());
    } else {
      return Broken("type", "null, boolean, integer, number, string, array, object, or a list of these");
    }
  }
  if (numbers) {
    type.number = PlainNumbers(pool_), type.any_number = true;
  } else if (integers) {
    type.number = Integers(pool_), type.plain_integers = true;
  }
}

void LeafReader::ReadNumbers(Type& type) {
  ReadBound(type, "minimum", "exclusiveMinimum", true);
  ReadBound(type, "maximum", "exclusiveMaximum", false);
  if (const Json* divisor = Find("multipleOf")) {
    const auto decimal = divisor->is_number() ? ParseDecimal(divisor->NumberText()) : std::nullopt;
    if (!decimal || decimal->negative || decimal->is_zero()) return Broken("multipleOf", "a number above 0");
    if (const auto multiples = MultiplesOf(pool_, *decimal)) {
      type.number = pool_.And(type.number, *multiples), type.any_number = false;
    } else {
      Unsupported("multipleOf", StrCat("a divisor with so many digits, ", divisor->NumberText(), ", is not supported"));
    }
  }
  const Json* format = Find("format");
  if (format != nullptr && (format->AsString() == "int32" || format->AsString() == "int64")) {
    const bool wide = format->AsString() == "int64";
    const Decimal low = *ParseDecimal(wide ? "-9223372036854775808" : "-2147483648");
    const Decimal high = *ParseDecimal(wide ? "9223372036854775807" : "2147483647");
    type.number = pool_.And({type.number, Integers(pool_), AtLeast(pool_, low, false), AtMost(pool_, high, false)});
    type.any_number = false, type.plain_integers = true;
  }
}

void LeafReader::ReadBound(Type& type, std::string_view keyword, std::string_view exclusive_keyword, bool at_least) {
  const auto apply = [&](std::string_view name, const Json& value, bool exclusive) {
    if (!value.is_number()) return Broken(name, "a number");
    const auto bound = ParseDecimal(value.NumberText());
    if (!bound) return Unsupported(name, StrCat("a bound with so many digits, ", value.NumberText(), ", is not supported"));
    const Re side = at_least ? AtLeast(pool_, *bound, exclusive) : AtMost(pool_, *bound, exclusive);
    type.number = pool_.And(type.number, side), type.any_number = false;
  };
  const Json* bound = Find(keyword);
  const Json* exclusive = Find(exclusive_keyword);
  const bool flag = exclusive != nullptr && exclusive->is_bool();
  if (flag && dialect_ != Dialect::kDraft4 && !Lenient()) return Broken(exclusive_keyword, "a number");
  if (bound != nullptr) apply(keyword, *bound, flag && exclusive->AsBool());
  if (exclusive != nullptr && !flag) apply(exclusive_keyword, *exclusive, true);
}

void LeafReader::ReadStrings(Type& type) {
  uint64_t min = 0, max = kNoMax;
  const bool has_min = Count("minLength", min), has_max = Count("maxLength", max);
  std::vector<Re> parts;
  if (has_min || has_max) {
    At(has_min ? "minLength" : "maxLength");
    if (min > max) {
      type.string = RegexPool::kNone;
      return;
    }
    constexpr uint64_t kMost = 2'000'000'000;
    parts.push_back(pool_.Repeat(pool_.AnyChar(), static_cast<uint32_t>(std::min(min, kMost)),
                                 max > kMost ? kUnbounded : static_cast<uint32_t>(max)));
  }
  if (const Json* pattern = Find("pattern")) {
    At("pattern");
    if (!pattern->is_string()) return Broken("pattern", "a string");
    const auto re = ParseRegex(pool_, pattern->AsString());
    if (re.ok()) {
      parts.push_back(*re);
    } else if (re.error().code == ErrorCode::kUnsupported) {
      Unsupported("pattern", re.error().message);
    } else {
      Fail(re.error().code, "pattern", re.error().message);
    }
  }
  if (!parts.empty()) type.string = type.string == pool_.Text() ? pool_.And(parts) : pool_.And(type.string, pool_.And(parts));
  ReadFormat(type);
}

void LeafReader::ReadFormat(Type& type) {
  const Json* format = Find("format");
  if (format == nullptr) return;
  if (!format->is_string()) return Broken("format", "a string");
  At("format");
  const std::string& name = format->AsString();
  // To 2020-12 a format is an annotation. Those that answers are often asked for are held all the same; others are not.
  constexpr std::string_view kNotes[] = {"regex",        "iri",          "iri-reference",
                                         "uri-template", "json-pointer", "relative-json-pointer"};
  if (dialect_ == Dialect::k2020 && std::find(std::begin(kNotes), std::end(kNotes), name) != std::end(kNotes)) {
    return Note("format", StrCat("the format ", Quote(name), " is an annotation in draft 2020-12"));
  }
  const auto language = FormatLanguage(pool_, name);
  if (!language.ok()) return Fail(language.error().code, "format", language.error().message);
  if (*language) {
    type.string = type.string == pool_.Text() ? **language : pool_.And(type.string, **language);
  } else if (name != "int32" && name != "int64") {
    Note("format", StrCat("the format ", Quote(name), " is an annotation here"));
  }
}

ArrayShape LeafReader::ReadArray() {
  ArrayShape shape;
  Count("minItems", shape.min), Count("maxItems", shape.max);
  const Json* items = Find("items");
  const bool has_prefix = Find("prefixItems") != nullptr && (dialect_ == Dialect::k2020 || Lenient());
  uint64_t n_prefix = 0;
  if (has_prefix) {
    for (const Expr item : Subs("prefixItems")) shape.rules.push_back({n_prefix, n_prefix + 1, item}), ++n_prefix;
  }
  shape.evaluated = n_prefix;
  if (items != nullptr && items->is_array()) {
    if (dialect_ == Dialect::k2020) Broken("items", "a schema; a list of them is prefixItems in this dialect");
    n_prefix = 0;
    for (const Expr item : Subs("items")) shape.rules.push_back({n_prefix, n_prefix + 1, item}), ++n_prefix;
    shape.evaluated = std::max(shape.evaluated, n_prefix);
    if (Find("additionalItems") != nullptr) {
      shape.rules.push_back({n_prefix, kNoMax, Sub("additionalItems")});
      shape.evaluated = kNoMax;
    }
  } else if (items != nullptr) {
    shape.rules.push_back({n_prefix, kNoMax, Sub("items")});
    shape.evaluated = kNoMax;
  }
  if (Find("contains") != nullptr && dialect_ != Dialect::kDraft4) {
    ContainsRule rule{0, kNoMax, Sub("contains"), 1, kNoMax};
    if (!Old()) Count("minContains", rule.min), Count("maxContains", rule.max);
    if (rule.min > 0 || rule.max != kNoMax) shape.contains.push_back(rule);
    if (dialect_ != Dialect::k2019 && Find("unevaluatedItems") != nullptr) {
      Unsupported("unevaluatedItems", "beside contains in one schema it is not supported");
    }
  }
  if (const Json* unique = Find("uniqueItems")) {
    if (!unique->is_bool()) Broken("uniqueItems", "true or false");
    shape.unique = unique->AsBool();
    shape.unique_pointer = leaf_.pointer;
  }
  return shape;
}

ObjectShape LeafReader::ReadObject() {
  ObjectShape shape;
  Count("minProperties", shape.min), Count("maxProperties", shape.max);
  if (const Json* required = Find("required")) {
    if (!required->is_array()) {
      Broken("required", "a list of names");
    } else if (!TooMany("required", required->items().size())) {
      for (const Json& name : required->items()) {
        if (!name.is_string()) Broken("required", "a list of names");
        shape.required.push_back(all_.NameIndex(name.AsString()));
      }
    }
  }
  ReadProperties(shape);
  ReadDependencies(shape);
  if (Find("propertyNames") != nullptr && dialect_ != Dialect::kDraft4) {
    At("propertyNames");
    const Re names = all_.TypeAt(Sub("propertyNames"), false).string;
    shape.rules.push_back({pool_.TextNot(names), -1, kNothing});
  }
  return shape;
}

void LeafReader::ReadProperties(ObjectShape& shape) {
  std::vector<Re> known;
  if (const Json* properties = Find("properties")) {
    if (!properties->is_object()) return Broken("properties", "an object of schemas");
    if (TooMany("properties", properties->members().size())) return;
    for (const auto& [name, unused] : properties->members()) {
      const int32_t index = all_.NameIndex(name);
      if (std::find(shape.order.begin(), shape.order.end(), index) != shape.order.end()) continue;
      const Re keys = all_.NameLanguage(index);
      shape.order.push_back(index);
      shape.rules.push_back({keys, index, Sub(*properties->Find(name), StrCat(leaf_.pointer, "/properties/", Token(name)))});
      known.push_back(keys);
    }
  }
  if (const Json* patterns = Find("patternProperties")) {
    if (!patterns->is_object()) return Broken("patternProperties", "an object of schemas");
    if (TooMany("patternProperties", patterns->members().size())) return;
    for (const auto& [pattern, schema] : patterns->members()) {
      At("patternProperties");
      const auto re = ParseRegex(pool_, pattern);
      if (!re.ok()) {
        // Without the keys that the pattern takes, additionalProperties has no meaning either.
        Fail(re.error().code, "patternProperties", StrCat(Quote(pattern), ": ", re.error().message));
        return;
      }
      shape.rules.push_back({*re, -1, Sub(schema, StrCat(leaf_.pointer, "/patternProperties/", Token(pattern)))});
      known.push_back(*re);
    }
  }
  if (Find("additionalProperties") != nullptr) {
    const Re others = known.empty() ? pool_.Text() : pool_.TextNot(pool_.Or(known));
    shape.rules.push_back({others, -1, Sub("additionalProperties")});
    known.push_back(others);
  }
  if (tracked_) shape.evaluated = pool_.Or(known);
}

void LeafReader::ReadDependencies(ObjectShape& shape) {
  for (const std::string_view keyword : {"dependentRequired", "dependencies"}) {
    const Json* map = Find(keyword);
    if (map == nullptr || (keyword == "dependentRequired" && Old()) || (keyword == "dependencies" && !Old() && !Lenient()))
      continue;
    if (!map->is_object()) return Broken(keyword, "an object");
    for (const auto& [name, needs] : map->members()) {
      if (needs.is_string()) {
        shape.depends.emplace_back(all_.NameIndex(name), all_.NameIndex(needs.AsString()));
      } else if (needs.is_array()) {
        for (const Json& need : needs.items()) {
          if (!need.is_string()) return Broken(keyword, "an object of lists of names");
          shape.depends.emplace_back(all_.NameIndex(name), all_.NameIndex(need.AsString()));
        }
      } else if (keyword == "dependentRequired") {
        return Broken(keyword, "an object of lists of names");
      }
    }
  }
}

void LeafReader::ReadValues(Type& type) {
  if (Find("const") != nullptr && dialect_ != Dialect::kDraft4) {
    At("const");
    type = all_.Intersect(type, all_.TypeOf(all_.Constant(*Find("const"))));
  }
  if (const Json* list = Find("enum")) {
    At("enum");
    if (!list->is_array()) return Broken("enum", "a list of values");
    if (TooMany("enum", list->items().size())) return;
    Type values;
    std::vector<Re> strings, numbers;
    for (const Json& value : list->items()) {
      Type one = all_.ConstantType(value);
      strings.push_back(one.string), numbers.push_back(one.number);
      values.null |= one.null, values.truth |= one.truth, values.falsehood |= one.falsehood;
      for (ArrayShape& shape : one.arrays) values.arrays.push_back(std::move(shape));
      for (ObjectShape& shape : one.objects) values.objects.push_back(std::move(shape));
    }
    values.string = pool_.Or(std::move(strings)), values.number = pool_.Or(std::move(numbers));
    type = all_.Intersect(type, values);
  }
}

}  // namespace lfm::grammar
