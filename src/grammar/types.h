// The normal form of a JSON Schema: at each place of the answer a union of simple shapes, each a conjunction of rules.
// Conjunction, union and complement of such types are types again, so allOf, anyOf, oneOf, not, if/then/else,
// dependencies and contains need no machinery of their own.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "grammar/hash.h"
#include "grammar/regex.h"

namespace lfm::grammar {

// A formula over places of the schema, by index; its type is worked out when it is first needed, so recursion is no
// matter.
using Expr = uint32_t;
inline constexpr Expr kAnything = 0, kNothing = 1;

inline constexpr uint64_t kNoMax = std::numeric_limits<uint64_t>::max();
// Ways in which one value may fulfil what must come somewhere (contains, some property): each condition doubles them.
inline constexpr size_t kMaxOffers = 256, kMaxConditions = 8;

// For every key in `keys` the value is in `value`. `name` is the key if it is a single one (index of a name), else -1.
struct KeyRule {
  Re keys = 0;
  int32_t name = -1;
  Expr value = kAnything;
  bool operator==(const KeyRule&) const = default;
  auto operator<=>(const KeyRule&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a 0 in it
};

struct ObjectShape {
  std::vector<KeyRule> rules;   // all hold
  std::vector<KeyRule> exists;  // for each some key in `keys` has a value in `value`
  std::vector<int32_t> required;
  std::vector<std::pair<int32_t, int32_t>> depends;  // the first is there only if the second is
  uint64_t min = 0, max = kNoMax;                    // properties
  std::vector<int32_t> order;                        // names as the schema lists them
  Re evaluated = 0;                                  // keys that this shape looks at, for unevaluatedProperties
};

// For every item at an index in [from, to) the value is in `value`.
struct ItemRule {
  uint64_t from = 0, to = kNoMax;
  Expr value = kAnything;
  bool operator==(const ItemRule&) const = default;
  auto operator<=>(const ItemRule&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a 0 in it
};
// Between min and max of the items at indices in [from, to) are in `value`.
struct ContainsRule {
  uint64_t from = 0, to = kNoMax;
  Expr value = kAnything;
  uint64_t min = 1, max = kNoMax;
  bool operator==(const ContainsRule&) const = default;
  auto operator<=>(const ContainsRule&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a 0 in it
};

struct ArrayShape {
  std::vector<ItemRule> rules;
  std::vector<ContainsRule> contains;
  uint64_t min = 0, max = kNoMax;
  bool unique = false;
  std::string unique_pointer;  // the schema that asks for it
  uint64_t evaluated = 0;      // so many items from the start, for unevaluatedItems
};

struct Type {
  bool null = false, truth = false, falsehood = false;
  Re number = 0;                // texts without exponent
  bool any_number = false;      // no constraint at all: exponents too
  bool plain_integers = false;  // an integer is written without a point
  Re string = 0;                // the decoded text
  std::vector<ArrayShape> arrays;
  std::vector<ObjectShape> objects;
};

}  // namespace lfm::grammar
