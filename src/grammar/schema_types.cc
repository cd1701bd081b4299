// Types under conjunction, union and complement.
#include <algorithm>

#include "grammar/numbers.h"
#include "grammar/schema.h"

namespace lfm::grammar {
namespace {

constexpr size_t kMaxShapes = 600;

template <typename T>
void Append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}
template <typename T>
void SortUnique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

bool SameObject(const ObjectShape& a, const ObjectShape& b) {
  return a.rules == b.rules && a.exists == b.exists && a.required == b.required && a.depends == b.depends && a.min == b.min &&
         a.max == b.max && a.order == b.order && a.evaluated == b.evaluated;
}
bool SameArray(const ArrayShape& a, const ArrayShape& b) {
  return a.rules == b.rules && a.contains == b.contains && a.min == b.min && a.max == b.max && a.unique == b.unique &&
         a.evaluated == b.evaluated;
}

template <typename Shape, typename Same>
void AddShape(std::vector<Shape>& shapes, Shape shape, const Same& same) {
  for (const Shape& other : shapes) {
    if (same(shape, other)) return;
  }
  shapes.push_back(std::move(shape));
}

void Tidy(ObjectShape& shape) {
  std::erase_if(shape.rules, [](const KeyRule& rule) { return rule.value == kAnything; });
  SortUnique(shape.rules), SortUnique(shape.exists), SortUnique(shape.required), SortUnique(shape.depends);
  shape.min = std::max<uint64_t>(shape.min, shape.required.size());
}

// Contradictions that show without looking at values.
bool Impossible(const ObjectShape& shape) {
  if (shape.min > shape.max) return true;
  for (const KeyRule& rule : shape.rules) {
    if (rule.name >= 0 && rule.value == kNothing && std::binary_search(shape.required.begin(), shape.required.end(), rule.name)) {
      return true;
    }
  }
  return std::any_of(shape.exists.begin(), shape.exists.end(), [](const KeyRule& rule) { return rule.value == kNothing; });
}

void Tidy(ArrayShape& shape) {
  std::erase_if(shape.rules, [](const ItemRule& rule) { return rule.value == kAnything || rule.from >= rule.to; });
  SortUnique(shape.rules), SortUnique(shape.contains);
  for (const ItemRule& rule : shape.rules) {
    if (rule.value == kNothing) shape.max = std::min(shape.max, rule.from);
  }
}
bool Impossible(const ArrayShape& shape) {
  if (shape.min > shape.max) return true;
  return std::any_of(shape.contains.begin(), shape.contains.end(), [](const ContainsRule& rule) {
    return rule.min > rule.max || (rule.value == kNothing && rule.min > 0) || (rule.min > 0 && rule.from >= rule.to);
  });
}

}  // namespace

Type Schemas::Anything() {
  Type type;
  type.null = type.truth = type.falsehood = type.any_number = true;
  type.number = PlainNumbers(pool_), type.string = pool_.Text();
  type.arrays.emplace_back(), type.objects.emplace_back();
  return type;
}

Type Schemas::Intersect(const Type& a, const Type& b) {
  Type out;
  out.null = a.null && b.null, out.truth = a.truth && b.truth, out.falsehood = a.falsehood && b.falsehood;
  out.any_number = a.any_number && b.any_number;
  out.plain_integers = a.plain_integers || b.plain_integers;
  out.number = a.any_number ? b.number : b.any_number ? a.number : pool_.And(a.number, b.number);
  out.string = a.string == pool_.Text() ? b.string : b.string == pool_.Text() ? a.string : pool_.And(a.string, b.string);
  const bool many = a.objects.size() * b.objects.size() > 16;
  for (const ObjectShape& x : a.objects) {
    for (const ObjectShape& y : b.objects) {
      ObjectShape both = x;
      Append(both.rules, y.rules), Append(both.exists, y.exists), Append(both.required, y.required),
          Append(both.depends, y.depends);
      both.min = std::max(x.min, y.min), both.max = std::min(x.max, y.max);
      for (const int32_t name : y.order) {
        if (std::find(both.order.begin(), both.order.end(), name) == both.order.end()) both.order.push_back(name);
      }
      both.evaluated = pool_.Or(x.evaluated, y.evaluated);
      Tidy(both);
      if (Impossible(both) || (many && !Satisfiable(both))) continue;
      AddShape(out.objects, std::move(both), SameObject);
      if (out.objects.size() > kMaxShapes) return FailLimit("too many alternatives of objects"), Type();
    }
    if (error_) return out;
  }
  for (const ArrayShape& x : a.arrays) {
    for (const ArrayShape& y : b.arrays) {
      ArrayShape both = x;
      Append(both.rules, y.rules), Append(both.contains, y.contains);
      both.min = std::max(x.min, y.min), both.max = std::min(x.max, y.max);
      if (!x.unique && y.unique) both.unique = true, both.unique_pointer = y.unique_pointer;
      both.evaluated = std::max(x.evaluated, y.evaluated);
      Tidy(both);
      if (!Impossible(both)) AddShape(out.arrays, std::move(both), SameArray);
      if (out.arrays.size() > kMaxShapes) return FailLimit("too many alternatives of arrays"), Type();
    }
  }
  return out;
}

Type Schemas::Unite(const Type& a, const Type& b) {
  Type out = a;
  out.null |= b.null, out.truth |= b.truth, out.falsehood |= b.falsehood, out.any_number |= b.any_number;
  const auto has_numbers = [](const Type& t) { return t.number != RegexPool::kNone; };
  out.plain_integers =
      (a.plain_integers || !has_numbers(a)) && (b.plain_integers || !has_numbers(b)) && (has_numbers(a) || has_numbers(b));
  out.number = pool_.Or(a.number, b.number), out.string = pool_.Or(a.string, b.string);
  for (const ObjectShape& shape : b.objects) AddShape(out.objects, shape, SameObject);
  for (const ArrayShape& shape : b.arrays) AddShape(out.arrays, shape, SameArray);
  if (out.objects.size() > kMaxShapes || out.arrays.size() > kMaxShapes) FailLimit("too many alternatives");
  return out;
}

// What breaks the conjunction: any one of its rules.
std::vector<ObjectShape> Schemas::NegateShape(const ObjectShape& shape) {
  std::vector<ObjectShape> out;
  const auto add = [&](const auto& change) {
    ObjectShape one;
    change(one);
    Tidy(one);
    if (!Impossible(one)) out.push_back(std::move(one));
  };
  for (const KeyRule& rule : shape.rules) {
    add([&](ObjectShape& one) {
      if (rule.name >= 0) {
        one.required.push_back(rule.name);
        one.rules.push_back({rule.keys, rule.name, Not(rule.value)});
      } else {
        one.exists.push_back({rule.keys, rule.name, Not(rule.value)});
      }
    });
  }
  for (const KeyRule& rule : shape.exists) {
    add([&](ObjectShape& one) { one.rules.push_back({rule.keys, rule.name, Not(rule.value)}); });
  }
  for (const int32_t name : shape.required) {
    add([&](ObjectShape& one) { one.rules.push_back({NameLanguage(name), name, kNothing}); });
  }
  for (const auto& [name, needs] : shape.depends) {
    add([&, n = name, m = needs](ObjectShape& one) {
      one.required.push_back(n);
      one.rules.push_back({NameLanguage(m), m, kNothing});
    });
  }
  if (shape.min > shape.required.size()) add([&](ObjectShape& one) { one.max = shape.min - 1; });
  if (shape.max != kNoMax) add([&](ObjectShape& one) { one.min = shape.max + 1; });
  return out;
}

std::vector<ArrayShape> Schemas::NegateShape(const ArrayShape& shape) {
  std::vector<ArrayShape> out;
  const auto add = [&](const auto& change) {
    ArrayShape one;
    change(one);
    Tidy(one);
    if (!Impossible(one)) out.push_back(std::move(one));
  };
  if (shape.unique) FailLimit("uniqueItems cannot be negated");
  for (const ItemRule& rule : shape.rules) {
    add([&](ArrayShape& one) {
      if (rule.to == rule.from + 1) {
        one.min = rule.to;
        one.rules.push_back({rule.from, rule.to, Not(rule.value)});
      } else {
        one.contains.push_back({rule.from, rule.to, Not(rule.value), 1, kNoMax});
      }
    });
  }
  for (const ContainsRule& rule : shape.contains) {
    if (rule.min > 0) add([&](ArrayShape& one) { one.contains.push_back({rule.from, rule.to, rule.value, 0, rule.min - 1}); });
    if (rule.max != kNoMax) {
      add([&](ArrayShape& one) { one.contains.push_back({rule.from, rule.to, rule.value, rule.max + 1, kNoMax}); });
    }
  }
  if (shape.min > 0) add([&](ArrayShape& one) { one.max = shape.min - 1; });
  if (shape.max != kNoMax) add([&](ArrayShape& one) { one.min = shape.max + 1; });
  return out;
}

Type Schemas::Negate(const Type& type) {
  Type out;
  out.null = !type.null, out.truth = !type.truth, out.falsehood = !type.falsehood;
  out.any_number = !type.any_number && type.number == RegexPool::kNone;
  out.number = type.any_number ? Re{RegexPool::kNone} : pool_.And(PlainNumbers(pool_), pool_.Not(type.number));
  out.string = pool_.TextNot(type.string);
  if (type.string == pool_.Text()) out.string = RegexPool::kNone;
  if (type.string == RegexPool::kNone) out.string = pool_.Text();
  Type rest;
  rest.objects.emplace_back(), rest.arrays.emplace_back();
  for (const ObjectShape& shape : type.objects) {
    Type one;
    one.objects = NegateShape(shape);
    one.arrays.emplace_back();
    rest = Intersect(rest, one);
    if (error_) return out;
  }
  for (const ArrayShape& shape : type.arrays) {
    Type one;
    one.arrays = NegateShape(shape);
    one.objects.emplace_back();
    rest = Intersect(rest, one);
    if (error_) return out;
  }
  out.objects = std::move(rest.objects), out.arrays = std::move(rest.arrays);
  return out;
}

}  // namespace lfm::grammar
