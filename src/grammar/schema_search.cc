// Whether any value satisfies a place of the schema: a search through the types below it.
#include <algorithm>

#include "base/strings.h"
#include "grammar/schema.h"

namespace lfm::grammar {
namespace {

constexpr int kMaxSearchDepth = 600;  // values inside values, to find the smallest
constexpr uint64_t kMaxSteps = 20'000'000;

}  // namespace

bool Schemas::Satisfiable(Expr expr) {
  int lowest = kMaxSearchDepth;
  return Search(expr, 0, lowest);
}
bool Schemas::Satisfiable(const ArrayShape& shape) {
  int lowest = kMaxSearchDepth;
  return SearchArray(shape, 0, lowest);
}
bool Schemas::Satisfiable(const ObjectShape& shape) {
  int lowest = kMaxSearchDepth;
  return SearchObject(shape, 0, lowest);
}

// A value that needs itself is none: an open question counts as no. A no that leaned on an open question further out is
// not remembered (`lowest` is the outermost one).
bool Schemas::Search(Expr expr, int depth, int& lowest) {
  if (exprs_[expr].satisfiable >= 0) return exprs_[expr].satisfiable == 1;
  if (exprs_[expr].search_depth >= 0) {
    lowest = std::min(lowest, exprs_[expr].search_depth);
    return false;
  }
  if (exprs_[expr].visiting) {  // its type is being made just now: no answer can be had, and none is remembered
    lowest = -1;
    return true;
  }
  if (depth >= kMaxSearchDepth || ++n_steps_ > kMaxSteps) {
    // Deeper than a document can nest: only references lead there.
    const bool named = !place_keyword_.empty();
    Fail(ErrorCode::kLimit, named ? place_keyword_ : "$ref", place_pointer_, "the smallest value of the schema is too deep");
    return false;
  }
  exprs_[expr].search_depth = depth;
  int below = kMaxSearchDepth;
  const Type& type = TypeOf(expr);
  bool found = type.null || type.truth || type.falsehood || pool_.Live(type.number) || pool_.Live(type.string);
  for (size_t i = 0; !found && i < type.arrays.size() && !error_; ++i) found = SearchArray(type.arrays[i], depth + 1, below);
  for (size_t i = 0; !found && i < type.objects.size() && !error_; ++i) found = SearchObject(type.objects[i], depth + 1, below);
  exprs_[expr].search_depth = -1;
  if (error_) return false;
  if (below >= 0 && (found || below >= depth)) exprs_[expr].satisfiable = static_cast<int8_t>(found);
  lowest = std::min(lowest, below);
  return found;
}

bool Schemas::SearchArray(const ArrayShape& shape, int depth, int& lowest) {
  if (shape.min > shape.max) return false;
  if (shape.unique && shape.min > 1) {
    // Enough different values; numbers are counted without the zeros that change nothing.
    const Type& item = TypeOf(ItemAt(shape, 0));
    const Re digits = pool_.Star(pool_.Range('0', '9'));
    const Re fraction = pool_.Concat({pool_.Byte('.'), digits, pool_.Range('1', '9')});
    const Re numbers = pool_.Concat({pool_.Optional(pool_.Byte('-')), digits, pool_.Optional(fraction)});
    const uint64_t n = pool_.CountUpTo(item.string, shape.min) + pool_.CountUpTo(pool_.And(item.number, numbers), shape.min) +
                       uint64_t{item.null} + uint64_t{item.truth} + uint64_t{item.falsehood};
    if (n < shape.min && item.arrays.empty() && item.objects.empty()) return false;
  }
  uint64_t need = shape.min;
  for (const ContainsRule& rule : shape.contains) {
    if (rule.min == 0) continue;
    // Enough items in reach that are both what their place asks and what the rule counts.
    uint64_t found = 0, index = rule.from;
    const uint64_t end = std::min(rule.to, shape.max);
    while (index < end && found < rule.min) {
      uint64_t next = end;
      for (const ItemRule& item : shape.rules) {
        for (const uint64_t edge : {item.from, item.to}) {
          if (edge > index) next = std::min(next, edge);
        }
      }
      if (Search(And(ItemAt(shape, index), rule.value), depth, lowest)) {
        const uint64_t take = std::min(next - index, rule.min - found);
        found += take;
        need = std::max(need, index + take);
      }
      index = next;
    }
    if (found < rule.min) return false;
  }
  for (uint64_t index = 0; index < need;) {
    uint64_t next = need;
    for (const ItemRule& item : shape.rules) {
      for (const uint64_t edge : {item.from, item.to}) {
        if (edge > index) next = std::min(next, edge);
      }
    }
    if (!Search(ItemAt(shape, index), depth, lowest)) return false;
    index = next;
  }
  return true;
}

bool Schemas::SearchObject(const ObjectShape& shape, int depth, int& lowest) {
  std::vector<int32_t> need = shape.required;
  for (size_t i = 0; i < need.size(); ++i) {
    for (const auto& [name, needs] : shape.depends) {
      if (name == need[i] && std::find(need.begin(), need.end(), needs) == need.end()) need.push_back(needs);
    }
  }
  if (shape.min > shape.max || need.size() > shape.max) return false;
  for (const int32_t name : need) {
    if (!Search(ValueOf(shape, name), depth, lowest)) return false;
  }
  if (shape.exists.empty() && shape.min <= need.size()) return true;
  const auto names = NamesOf(shape);
  const auto classes = ClassesOf(shape, names);
  for (size_t i = 0; i < shape.exists.size(); ++i) {
    const KeyRule& rule = shape.exists[i];
    bool found = false;
    for (size_t k = 0; !found && k < names.size(); ++k) {
      found = RuleCovers(rule, names[k]) && Search(And(ValueOf(shape, names[k]), rule.value), depth, lowest);
    }
    for (size_t k = 0; !found && k < classes.size(); ++k) {
      found = classes[k].fulfils[i] && Search(And(classes[k].value, rule.value), depth, lowest);
    }
    if (!found) return false;
  }
  if (shape.min <= need.size()) return true;
  uint64_t reachable = 0;
  for (const KeyClass& one : classes) {
    if (Search(one.value, depth, lowest)) reachable = pool_.Finite(one.keys) ? reachable + 1 : kNoMax / 2;
  }
  for (size_t k = 0; k < names.size() && reachable < shape.min; ++k) reachable += Search(ValueOf(shape, names[k]), depth, lowest);
  return reachable >= shape.min;
}

}  // namespace lfm::grammar
