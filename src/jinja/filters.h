// What the files of filters share.
#pragma once

#include <string>
#include <vector>

#include "jinja/builtins.h"
#include "jinja/eval.h"
#include "jinja/python_value.h"

namespace lfm::jinja {

// The steps of an attribute argument: "a.0.b" -> "a", 0, "b"; none for a missing or None one.
std::vector<Value> AttributePath(Heap& heap, const Value& attribute);
// item[step][step]…; `otherwise` replaces an undefined result unless it is missing or None.
Value FollowPath(Interpreter& interpreter, Value item, const std::vector<Value>& path, const Value& otherwise = {});
// Strings in lower case; all else as it is.
Value IgnoreCase(Heap& heap, const Value& value);
// str(value), as most text filters take their input.
std::string SoftText(const Value& value);

}  // namespace lfm::jinja
