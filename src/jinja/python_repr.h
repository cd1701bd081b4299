// How Python prints values: str(), repr(), json.dumps(), and floats; and values from JSON.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "jinja/jinja.h"
#include "jinja/python_value.h"

namespace lfm::jinja {

std::string Str(const Value& value);  // as {{ value }} prints it
std::string Repr(const Value& value);
std::string ReprString(std::string_view text);  // quotes and escapes of repr('...')
std::string ReprFloat(double value);            // shortest digits that read back; 1e+16, 1e-05, inf, nan

// json.dumps as the `tojson` filter of transformers calls it.
struct JsonStyle {
  bool ensure_ascii = false;
  bool pretty = false;
  std::string indent;  // of one level, when pretty
  std::string item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
};
// Fails on what JSON cannot hold, as Python does.
std::string ToJson(const Heap& heap, const Value& value, const JsonStyle& style);

// Numbers keep what their JSON text says: integers of any length, 1 apart from 1.0.
// Strings at and below a node that `marks` names are marked with its level.
Value FromJson(Heap& heap, const Json& json, const std::unordered_map<const Json*, uint8_t>& marks, uint8_t level = 0);

}  // namespace lfm::jinja
