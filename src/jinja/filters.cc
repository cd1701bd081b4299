// The tables of filters together, and what many filters need.
#include "jinja/filters.h"

#include <algorithm>

#include "base/strings.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {

FilterFunction FindFilter(std::string_view name) {
  for (const FilterTable table : {TextFilters(), HtmlFilters(), SequenceFilters(), SelectFilters(), NumberFilters()}) {
    for (size_t i = 0; i < table.size; ++i) {
      if (table.entries[i].name == name) return table.entries[i].function;
    }
  }
  return nullptr;
}

std::vector<Value> AttributePath(Heap& heap, const Value& attribute) {
  if (attribute.is_missing() || attribute.is_none()) return {};
  if (!attribute.is_string()) return {attribute};
  std::vector<Value> path;
  std::string_view rest = attribute.AsString();
  for (bool more = true; more;) {
    const size_t dot = rest.find('.');
    more = dot != std::string_view::npos;
    const std::string_view part = rest.substr(0, dot);
    const bool number = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
    path.push_back(number ? Value::Int(std::stol(std::string(part))) : heap.String(std::string(part)));
    rest = more ? rest.substr(dot + 1) : rest;
  }
  return path;
}

Value FollowPath(Interpreter& interpreter, Value item, const std::vector<Value>& path, const Value& otherwise) {
  for (const Value& part : path) {
    item = interpreter.GetItem(item, part);
    if (item.is_undefined() && !otherwise.is_missing() && !otherwise.is_none()) item = otherwise;
  }
  return item;
}

Value IgnoreCase(Heap& heap, const Value& value) { return value.is_string() ? heap.String(ToLower(value.AsString())) : value; }

std::string SoftText(const Value& value) { return Str(value); }

}  // namespace lfm::jinja
