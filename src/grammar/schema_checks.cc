// What would fail only in use, in the middle of an answer, and is refused before it.
#include <algorithm>

#include "base/strings.h"
#include "grammar/numbers.h"
#include "grammar/schema.h"

namespace lfm::grammar {
namespace {

constexpr size_t kFewPatterns = 6;          // of property names: they split the others into fewer classes than the limit
constexpr size_t kStatesAhead = 1500;       // of numbers: three digits, and some more
constexpr uint64_t kWorkAhead = 8'000'000;  // steps of that
constexpr size_t kManyConditions = 16;      // on one string: fewer are left to the budget of answers
constexpr size_t kStringStatesAhead = 20;   // its first characters: whether they can be ended is what takes long
constexpr uint64_t kStringWorkAhead = 4'000'000;
constexpr std::string_view kApplicators[] = {"allOf", "anyOf", "oneOf", "not", "if", "$ref"};

}  // namespace

// The schema that an expression is made from: by the keyword itself, or by the one that brings it in.
void Schemas::SetPlace(Expr expr, std::string_view keyword) {
  std::vector<Expr> waiting{expr};
  bool found = false;
  for (size_t i = 0; i < waiting.size() && i < 1000; ++i) {
    const ExprNode& node = exprs_[waiting[i]];
    waiting.insert(waiting.end(), node.parts.begin(), node.parts.end());
    if (node.kind != ExprKind::kLeaf) continue;
    const Leaf& leaf = leaves_[node.index];
    const bool own = leaf.schema->Find(keyword) != nullptr;
    if (found && !own) continue;
    const auto* applicator = std::find_if(std::begin(kApplicators), std::end(kApplicators),
                                          [&](std::string_view one) { return leaf.schema->Find(one) != nullptr; });
    place_keyword_ = std::string(own || applicator == std::end(kApplicators) ? keyword : *applicator);
    place_pointer_ = leaf.pointer;
    if (own) return;
    found = true;
  }
}

// Overlapping patterns of names, and conditions that one property could fulfil together.
void Schemas::CheckObject(const ObjectShape& shape) {
  const auto n_open = [](const std::vector<KeyRule>& rules) {
    return static_cast<size_t>(std::count_if(rules.begin(), rules.end(), [](const KeyRule& rule) { return rule.name < 0; }));
  };
  if (n_open(shape.rules) + n_open(shape.exists) <= kFewPatterns && shape.exists.size() <= kMaxConditions) return;
  const auto names = NamesOf(shape);
  const auto classes = ClassesOf(shape, names);
  size_t most = 0;
  for (const int32_t name : names) {
    size_t n = 0;
    for (const KeyRule& rule : shape.exists) n += static_cast<size_t>(RuleCovers(rule, name));
    most = std::max(most, n);
  }
  for (const KeyClass& one : classes) {
    most = std::max(most, static_cast<size_t>(std::count(one.fulfils.begin(), one.fulfils.end(), true)));
  }
  if (most > kMaxConditions) FailLimit("too many conditions on properties at once");
}

void Schemas::CheckUse(Expr expr, const Type& type) {
  if (error_) return;
  for (const ArrayShape& shape : type.arrays) {
    if (shape.contains.size() <= kMaxConditions) continue;
    for (const ContainsRule& first : shape.contains) {
      const auto n = std::count_if(shape.contains.begin(), shape.contains.end(), [&](const ContainsRule& rule) {
        return rule.from <= first.from && first.from < rule.to && (rule.max == kNoMax ? rule.min > 0 : rule.max > 0);
      });
      if (first.from >= shape.max || static_cast<size_t>(n) <= kMaxConditions) continue;
      SetPlace(expr, "contains");
      return FailLimit("too many contains rules at once");
    }
  }
  for (const ObjectShape& shape : type.objects) {
    if (shape.rules.size() + shape.exists.size() <= kFewPatterns || error_) continue;
    SetPlace(expr, "patternProperties");
    CheckObject(shape);
  }
  if (error_) return;
  if (pool_.CountConditions(type.string) >= kManyConditions) {
    SetPlace(expr, "pattern");
    pool_.LookAhead(type.string, kStringStatesAhead, kStringWorkAhead);
    if (pool_.overflowed()) return FailLimit("these conditions on one string together have too many states");
  }
  if (pool_.CountMultiples(type.number) < 2) return;
  SetPlace(expr, "multipleOf");
  const Re bounded = pool_.And(type.number, ShortNumbers(pool_));
  pool_.LookAhead(pool_.Live(bounded) ? bounded : type.number, kStatesAhead, kWorkAhead);
  if (pool_.overflowed()) FailLimit("these multiples together have too many remainders");
}

// Values that may not come again are remembered as texts, which whole objects and arrays are too large for.
void Schemas::CheckUnique(const ArrayShape& shape) {
  std::vector<uint64_t> starts{0};
  for (const ItemRule& rule : shape.rules) starts.push_back(rule.from), starts.push_back(rule.to);
  for (const uint64_t at : starts) {
    if (at >= shape.max || error_) continue;
    const Type& item = TypeOf(ItemAt(shape, at));
    if (item.arrays.empty() && item.objects.empty()) continue;
    Fail(ErrorCode::kUnsupported, "uniqueItems", shape.unique_pointer,
         "it is enforced for items that are strings, numbers, booleans or null only");
  }
}

}  // namespace lfm::grammar
