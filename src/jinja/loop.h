// The `loop` variable: where a for loop stands, and what comes next.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "jinja/python_value.h"

namespace lfm::jinja {

struct LoopObject : Object {
  std::function<std::optional<Value>()> pull;       // the next item of the source, its "if" applied
  std::function<MarkedText(const Value&)> recurse;  // of a recursive loop: renders the body over other items
  std::deque<Value> ahead;                          // pulled, not yet current
  int64_t length = -1;                              // while unknown
  int64_t index0 = -1;
  int64_t depth0 = 0;
  Value previous, current, changed;  // changed: the tuple last given to loop.changed

  // Advances; false at the end.
  bool Next();
  bool HasNext();
  // Counts all items, which pulls the rest.
  int64_t Length();
  // Lets go of everything at the loop's end, so that a kept `loop` holds nothing alive.
  void Finish();
};

// An attribute of loop, or missing.
Value LoopAttribute(Heap& heap, const Value& loop, std::string_view name);

}  // namespace lfm::jinja
