#include "cli/input.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/strings.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

constexpr size_t kInputBytes = size_t{1} << 16;

Error InputError() { return {ErrorCode::kIo, StrCat("cannot read standard input: ", std::strerror(errno))}; }

}  // namespace

Result<std::string> ReadInput() {
  std::string text;
  std::vector<char> buffer(kInputBytes);
  ssize_t n = 0;
  while ((n = ReadSome(STDIN_FILENO, std::as_writable_bytes(std::span(buffer)))) > 0) {
    text.append(buffer.data(), static_cast<size_t>(n));
    if (text.size() > kMaxInputBytes) {
      return Error{ErrorCode::kLimit, StrCat("standard input holds more than ", HumanBytes(kMaxInputBytes))};
    }
  }
  if (n < 0) return InputError();
  return text;
}

std::optional<std::string> ReadInputLine() {
  static std::string ahead;  // what was read beyond the last line
  std::string line;
  std::vector<char> buffer;
  while (true) {
    const size_t end = ahead.find('\n');
    line += ahead.substr(0, end);
    if (end != std::string::npos) {
      ahead.erase(0, end + 1);
      return line;
    }
    ahead.clear();
    buffer.resize(kInputBytes);
    const ssize_t n = ReadSome(STDIN_FILENO, std::as_writable_bytes(std::span(buffer)));
    if (n > 0) {
      ahead.assign(buffer.data(), static_cast<size_t>(n));
      continue;
    }
    if (n == 0) errno = 0;
    return n < 0 || line.empty() ? std::nullopt : std::optional(line);
  }
}

bool AskUser(const std::string& question) {
  Note(Plain(question) + " [y/N] ");
  const auto line = ReadInputLine();
  return line && (line->starts_with('y') || line->starts_with('Y'));
}

Result<std::string> ReadInputText() {
  LFM_TRY(std::string text, ReadInput());
  LFM_RETURN_IF_ERROR(CheckEncoding(text, "standard input"));
  text.erase(0, text.size() - WithoutMark(text).size());
  return text;
}

Result<std::string> ReadExactly(const std::string& path, const std::string& flag) {
  if (path == "-") return ReadInput();
  auto text = ReadWholeFile(path, kMaxInputBytes);
  if (!text.ok()) return Error{ErrorCode::kInvalidArgument, StrCat(flag, ": ", text.error().message)};
  return text;
}

Result<std::string> ReadFileOrInput(const std::string& path, const std::string& flag) {
  if (path == "-") return ReadInputText();
  LFM_TRY(std::string text, ReadExactly(path, flag));
  LFM_RETURN_IF_ERROR(CheckEncoding(text, StrCat(flag, ": ", path)));
  text.erase(0, text.size() - WithoutMark(text).size());
  return text;
}

Result<Json> ReadJsonFile(const std::string& path, const std::string& flag) {
  LFM_TRY(const std::string text, ReadFileOrInput(path, flag));
  auto json = ParseJson(text);
  if (!json.ok()) return Error{ErrorCode::kInvalidArgument, StrCat(flag, " ", path, ": ", json.error().message)};
  return json;
}

Result<int> ForEachJsonLine(const std::function<Result<Json>(const Json& row)>& work) {
  std::optional<std::string> text;
  while ((text = ReadInputLine())) {
    const auto row = ParseJson(*text);
    const bool is_object = row.ok() && row->is_object();
    auto out = is_object
                   ? work(*row)
                   : Result<Json>(row.ok() ? Error{ErrorCode::kInvalidArgument, "the line is no JSON object"} : row.error());
    if (out.ok()) {
      WriteJson(*out);
    } else {
      Json error = Json::MakeObject();
      error.Set("error", out.error().message);
      WriteJson(error);
    }
    LFM_RETURN_IF_ERROR(FlushOut());
  }
  if (errno != 0) return InputError();
  return 0;
}

}  // namespace lfm::cli
