#include "cli/input.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/host.h"
#include "base/strings.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "model/memory_check.h"

namespace lfm::cli {
namespace {

constexpr size_t kInputBytes = size_t{1} << 16;
constexpr uint64_t kSmallInput = uint64_t{4} << 20;  // less is taken without asking

Error InputError() { return {ErrorCode::kIo, StrCat("cannot read standard input: ", std::strerror(errno))}; }

// An error where memory does not hold what is about to be made of an input.
Status CheckRoom(uint64_t n_bytes, const std::string& name) {
  if (n_bytes < kSmallInput) return Ok();
  const uint64_t room = model::ObtainableBytes(ReadMemory());
  if (room == 0 || n_bytes + kSmallInput <= room) return Ok();
  return Error{ErrorCode::kOutOfMemory, StrCat(name, " needs ", HumanBytes(n_bytes), " of memory, and ", model::FreeWords(room),
                                               "; give less of it at once")};
}

// The longest part of a text without white space, which stays whole until it is merged.
size_t LongestWord(std::string_view text) {
  size_t longest = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    longest = std::max(longest, end - begin);
    begin = end + 1;
  }
  return longest;
}

// Values of JSON are larger than their text, and a template makes its own of them.
uint64_t BytesOfJson(std::string_view text) {
  constexpr uint64_t kValueBytes = 400;
  const auto n_values = std::count_if(text.begin(), text.end(), [](char c) { return c == ',' || c == ':'; });
  return 4 * text.size() + kValueBytes * static_cast<uint64_t>(n_values);
}

}  // namespace

Status CheckTokenRoom(std::string_view text, const std::string& name, uint64_t n_copies) {
  // Measured: ids and their growth take up to 4 bytes for each of English, what is merged in one piece up to 24.
  constexpr uint64_t kIdBytes = 4, kWordBytes = 24;
  return CheckRoom((kIdBytes + n_copies) * text.size() + kWordBytes * LongestWord(text), "reading " + name + " as tokens");
}

Result<std::string> ReadInput() {
  std::string text;
  std::vector<char> buffer(kInputBytes);
  ssize_t n = 0;
  while ((n = ReadSome(STDIN_FILENO, std::as_writable_bytes(std::span(buffer)))) > 0) {
    if (text.size() + static_cast<size_t>(n) > text.capacity()) {  // it grows to twice its size
      LFM_RETURN_IF_ERROR(CheckRoom(2 * text.capacity(), "standard input"));
    }
    text.append(buffer.data(), static_cast<size_t>(n));
    if (text.size() > kMaxInputBytes) {
      return Error{ErrorCode::kLimit, StrCat("standard input holds more than ", HumanBytes(kMaxInputBytes))};
    }
  }
  if (n < 0) return InputError();
  return text;
}

std::optional<std::string> ReadInputLine() {
  static std::vector<char> buffer(kInputBytes);
  static std::string_view ahead;  // what was read beyond the last line
  std::string line;
  while (true) {
    const size_t end = ahead.find('\n');
    line += ahead.substr(0, end);
    if (end != std::string::npos) {
      ahead.remove_prefix(end + 1);
      return line;
    }
    ahead = {};
    const ssize_t n = ReadSome(STDIN_FILENO, std::as_writable_bytes(std::span(buffer)));
    if (n > 0) {
      ahead = {buffer.data(), static_cast<size_t>(n)};
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
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  if (!unknown) LFM_RETURN_IF_ERROR(CheckRoom(2 * size, StrCat(flag, ": ", path)));
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
  LFM_RETURN_IF_ERROR(CheckRoom(BytesOfJson(text), StrCat(flag, " ", path)));
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
