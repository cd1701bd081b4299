// Standard output and error: the only place that prints.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace lfm::cli {

// Buffered; FlushOut() tells whether everything arrived.
void WriteOut(std::string_view bytes);
Status FlushOut();
// One document and a line end.
void WriteJson(const Json& json);

// A line on standard error: "lfm: warning: ...".
void Warn(std::string_view message);
// As it is, on standard error.
void Note(std::string_view text);

bool InputIsTerminal();
bool OutputIsTerminal();
bool ErrorsGoToTerminal();

// A list of integers as JSON.
template <typename Ids>
Json IdsJson(const Ids& ids) {
  Json::Array items;
  items.reserve(ids.size());
  for (const auto id : ids) items.emplace_back(static_cast<int64_t>(id));
  return Json::MakeArray(std::move(items));
}

// With spaces behind up to `width` bytes: a column.
std::string Padded(std::string text, size_t width);

// 8339930560 -> "8.34 B"; 1557 -> "1,557".
std::string HumanCount(double count);

}  // namespace lfm::cli
