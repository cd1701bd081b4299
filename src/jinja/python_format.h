// Python's three ways to format: "%d" % x, "{:>5}".format(x), and the mini-language of format specifications.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "jinja/python_value.h"

namespace lfm::jinja {

// format % arguments: a tuple gives several, a dict serves %(name)s.
MarkedText FormatPrintf(Heap& heap, const Value& format, const Value& arguments);

// format(value, specification), e.g. "05.2f", ">10", ",".
std::string FormatSpec(Heap& heap, const Value& value, std::string_view specification);

// str.format. `look_up` resolves a first name ("0", "name"); `member` one step of ".attribute" or "[item]".
struct FormatLookup {
  std::function<Value(std::string_view name)> look_up;
  std::function<Value(const Value& object, std::string_view name, bool is_attribute)> member;
};
MarkedText FormatBraces(Heap& heap, const Value& format, const FormatLookup& lookup);

// Digits with `precision` behind the point (or significant, for e and g), type one of "eEfFgG%".
std::string FormatFloat(double value, char type, int precision, bool alternate = false);

}  // namespace lfm::jinja
