// What comes in from files and standard input.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace lfm::cli {

constexpr size_t kMaxInputBytes = size_t{1} << 30;

// All of standard input: its bytes; a text, which is UTF-8 and has no byte order mark.
Result<std::string> ReadInput();
Result<std::string> ReadInputText();
// A file, or standard input for "-": its bytes; a text. `flag` names the origin in errors.
Result<std::string> ReadExactly(const std::string& path, const std::string& flag);
Result<std::string> ReadFileOrInput(const std::string& path, const std::string& flag);
// An error where memory does not hold what a text becomes: its tokens, and n_copies of it in a template. `name`: of the text.
Status CheckTokenRoom(std::string_view text, const std::string& name, uint64_t n_copies = 0);
Result<Json> ReadJsonFile(const std::string& path, const std::string& flag);

// The next line of standard input without its '\n'; nothing at the end, or where it cannot be read (errno is then not 0).
// Not mixed with ReadInput().
std::optional<std::string> ReadInputLine();

// Asks a question on the terminal; everything but a yes is a no.
bool AskUser(const std::string& question);

// Calls `work` with each line of standard input (parsed) and writes its result as a line, in order. Lines end
// at '\n' only. A line that fails gives {"error": message} and the next one goes on. The exit code is 0
// whatever the lines said.
Result<int> ForEachJsonLine(const std::function<Result<Json>(const Json& row)>& work);

}  // namespace lfm::cli
