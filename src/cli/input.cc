#include "cli/input.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "base/strings.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace lfm::cli {

Result<std::string> ReadInput() {
  std::string text;
  char buffer[1 << 16];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    text.append(buffer, n);
    if (text.size() > kMaxInputBytes) {
      return Error{ErrorCode::kLimit, StrCat("standard input holds more than ", HumanBytes(kMaxInputBytes))};
    }
  }
  if (std::ferror(stdin)) return Error{ErrorCode::kIo, StrCat("cannot read standard input: ", std::strerror(errno))};
  return text;
}

bool AskUser(const std::string& question) {
  Note(Plain(question) + " [y/N] ");
  char line[64];
  if (!std::fgets(line, sizeof line, stdin)) return false;
  return line[0] == 'y' || line[0] == 'Y';
}

Result<std::string> ReadFileOrInput(const std::string& path, const std::string& flag) {
  if (path == "-") return ReadInput();
  auto text = ReadWholeFile(path, kMaxInputBytes);
  if (!text.ok()) return Error{ErrorCode::kInvalidArgument, StrCat(flag, ": ", text.error().message)};
  return text;
}

Result<Json> ReadJsonFile(const std::string& path, const std::string& flag) {
  LFM_TRY(const std::string text, ReadFileOrInput(path, flag));
  auto json = ParseJson(text);
  if (!json.ok()) return Error{ErrorCode::kInvalidArgument, StrCat(flag, " ", path, ": ", json.error().message)};
  return json;
}

Result<int> ForEachJsonLine(const std::function<Result<Json>(const Json& row)>& work) {
  struct FreeLine {
    char* data = nullptr;
    ~FreeLine() { std::free(data); }
  } line;
  size_t capacity = 0;
  for (ssize_t n = 0; (n = getline(&line.data, &capacity, stdin)) >= 0;) {
    std::string_view text(line.data, static_cast<size_t>(n));
    if (text.ends_with('\n')) text.remove_suffix(1);
    const auto row = ParseJson(text);
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
  if (std::ferror(stdin)) return Error{ErrorCode::kIo, StrCat("cannot read standard input: ", std::strerror(errno))};
  return 0;
}

}  // namespace lfm::cli
