// The keywords of a subschema that apply other schemas at the same place.
#include <algorithm>

#include "base/strings.h"
#include "grammar/schema_leaf.h"

namespace lfm::grammar {

// Alternatives. Where what each looked at counts, every set of those that hold is a case of its own.
Type LeafReader::AnyOf(const std::vector<Type>& types) {
  Type sum = types[0];
  for (size_t i = 1; i < types.size() && !all_.error_; ++i) {
    if (tracked_) {
      const Type only = all_.Intersect(sum, all_.Negate(types[i]));
      const Type other = all_.Intersect(all_.Negate(sum), types[i]);
      sum = all_.Unite(all_.Unite(only, other), all_.Intersect(sum, types[i]));
    } else {
      sum = all_.Unite(sum, types[i]);
    }
  }
  return sum;
}

// Exactly one: where two can hold together, each without the other.
Type LeafReader::OneOf(const std::vector<Type>& types) {
  const size_t n = types.size();
  std::vector<Type> alone = types;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n && !all_.error_; ++j) {
      const Type both = all_.Intersect(types[i], types[j]);
      const auto any = [&](const auto& shapes) {
        return std::any_of(shapes.begin(), shapes.end(), [&](const auto& shape) { return all_.Satisfiable(shape); });
      };
      const bool overlap = both.null || both.truth || both.falsehood || pool_.Live(both.number) || pool_.Live(both.string) ||
                           any(both.arrays) || any(both.objects);
      if (!overlap || all_.error_) continue;
      alone[i] = all_.Intersect(alone[i], all_.Negate(types[j]));
      alone[j] = all_.Intersect(alone[j], all_.Negate(types[i]));
    }
  }
  Type sum = alone[0];
  for (size_t i = 1; i < n && !all_.error_; ++i) sum = all_.Unite(sum, alone[i]);
  return sum;
}

void LeafReader::ReadApplicators(Type& type) {
  const auto narrow = [&](const Type& by) {
    if (!all_.error_) type = all_.Intersect(type, by);
  };
  for (const std::string_view keyword : {"$ref", "$dynamicRef", "$recursiveRef"}) {
    const Json* reference = Find(keyword);
    if (reference == nullptr || (keyword == "$dynamicRef" && dialect_ == Dialect::k2019)) continue;
    if (keyword == "$recursiveRef" && dialect_ != Dialect::k2019) continue;
    if (!reference->is_string()) return Broken(keyword, "a string");
    const auto to = all_.Resolve(leaf_, reference->AsString(), keyword);
    if (to) narrow(all_.TypeAt(all_.LeafAt(*to->schema, to->pointer, to->resource, to->scope), tracked_));
  }
  if (Find("allOf") != nullptr) {
    for (const Expr part : Subs("allOf")) {
      At("allOf");
      narrow(all_.TypeAt(part, tracked_));
    }
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    if (Find(keyword) == nullptr) continue;
    std::vector<Type> types;
    for (const Expr part : Subs(keyword)) {
      At(keyword);
      // Narrowed first: fewer alternatives are left to tell apart.
      types.push_back(all_.TypeAt(part, tracked_));
      if (all_.error_) return;
    }
    At(keyword);
    if (types.empty()) return Broken(keyword, "a list of at least one schema");
    narrow(keyword == "anyOf" ? AnyOf(types) : OneOf(types));
  }
  if (Find("not") != nullptr) {
    const Expr inner = Sub("not");
    At("not");
    const Type& excluded = all_.TypeAt(inner, false);
    if (all_.error_) return;
    narrow(all_.Negate(excluded));
  }
}

void LeafReader::ReadConditions(Type& type) {
  if (Find("if") != nullptr && (Find("then") != nullptr || Find("else") != nullptr) && dialect_ != Dialect::kDraft4 &&
      dialect_ != Dialect::kDraft6) {
    const Type condition = all_.TypeAt(Sub("if"), tracked_);
    At("if");
    Type yes = condition, no = all_.error_ ? Type() : all_.Negate(all_.TypeAt(Sub("if"), false));
    if (Find("then") != nullptr && !all_.error_) yes = all_.Intersect(yes, all_.TypeAt(Sub("then"), tracked_));
    if (Find("else") != nullptr && !all_.error_) no = all_.Intersect(no, all_.TypeAt(Sub("else"), tracked_));
    if (!all_.error_) type = all_.Intersect(type, all_.Unite(yes, no));
  } else if (Find("if") != nullptr && tracked_ && !all_.error_) {
    const Type condition = all_.TypeAt(Sub("if"), true);  // says nothing, but looks at properties
    if (!all_.error_) type = all_.Intersect(type, all_.Unite(condition, all_.Negate(all_.TypeAt(Sub("if"), false))));
  }
  for (const std::string_view keyword : {"dependentSchemas", "dependencies"}) {
    const Json* map = Find(keyword);
    if (map == nullptr || (keyword == "dependentSchemas" ? Old() : !Old() && !Lenient())) continue;
    if (!map->is_object()) return Broken(keyword, "an object of schemas");
    for (const auto& [name, schema] : map->members()) {
      if (schema.is_array() || schema.is_string()) continue;
      std::string token;
      for (const char c : name) token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
      const Expr then = Sub(schema, StrCat(leaf_.pointer, "/", keyword, "/", token));
      At(keyword);
      // Without the property, or with it and as the schema says.
      const int32_t index = all_.NameIndex(name);
      Type absent = all_.Anything(), present;
      absent.objects[0].rules.push_back({all_.NameLanguage(index), index, kNothing});
      present.objects.emplace_back();
      present.objects[0].required.push_back(index), present.objects[0].min = 1;
      const Type& needed = all_.TypeAt(then, tracked_);
      if (all_.error_) return;
      type = all_.Intersect(type, all_.Unite(absent, all_.Intersect(present, needed)));
    }
  }
}

void LeafReader::ReadUnevaluated(Type& type) {
  if (Old()) return;
  if (Find("unevaluatedProperties") != nullptr) {
    const Expr value = Sub("unevaluatedProperties");
    for (ObjectShape& shape : type.objects) {
      shape.rules.push_back({pool_.TextNot(shape.evaluated), -1, value});
      std::sort(shape.rules.begin(), shape.rules.end());
      shape.evaluated = pool_.Text();
    }
  }
  if (Find("unevaluatedItems") != nullptr) {
    const Expr value = Sub("unevaluatedItems");
    for (ArrayShape& shape : type.arrays) {
      if (!shape.contains.empty() && dialect_ != Dialect::k2019) {
        return Unsupported("unevaluatedItems", "beside contains it is not supported");
      }
      if (shape.evaluated != kNoMax) shape.rules.push_back({shape.evaluated, kNoMax, value});
      std::sort(shape.rules.begin(), shape.rules.end());
      shape.evaluated = kNoMax;
    }
    // The rule may leave no item at all.
    Type same = all_.Anything();
    type = all_.Intersect(type, same);
  }
}

}  // namespace lfm::grammar
