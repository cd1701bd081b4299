// Standard output and error: the only place that prints.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace lfm::cli {

// Text for people, on standard output: lines in which nothing foreign can steer a terminal (PlainLines of base/strings.h).
// Names from files stand on one line each by Plain(). Buffered; FlushOut() tells whether everything arrived. Where the
// reader has gone (a closed pipe) the process ends, with exit code 1.
void WriteOut(std::string_view text);
// What was asked for as it is: exact bytes into a file or a pipe, and like WriteOut() on a terminal.
void WriteData(std::string_view bytes);
Status FlushOut();
// One document and a line end; indent as in Json::Dump(). What a terminal would obey is escaped within the strings.
void WriteJson(const Json& json, int indent = -1);
// Dims what follows on standard output, or ends that.
void SetDim(bool dim);

// One line each on standard error: "lfm: warning: ...", "lfm: error: ...".
void Warn(std::string_view message);
void PrintErrorLine(std::string_view message);
// Text on standard error, like WriteOut().
void Note(std::string_view text);
// A line on standard error in place of the one that was drawn there before; for terminals. Empty wipes it.
void NoteInPlace(std::string_view line);
// What a command wrote and where it lies: "lfm: wrote FILE: ..." on standard error.
void NoteWritten(const std::string& path, std::string_view what);

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
