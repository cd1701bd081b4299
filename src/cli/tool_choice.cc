#include "cli/tool_choice.h"

#include <algorithm>

#include "base/strings.h"
#include "text/answer_json.h"

namespace lfm::cli {

Result<ToolChoice> ReadToolChoice(const std::string& choice, const Json& tools, const std::string& origin,
                                  const text::Tokenizer& tokenizer) {
  ToolChoice result;
  auto names = text::ToolNames(tools);
  if (!names.ok()) return names.error().Within(origin);
  result.tools = std::move(*names);
  if (choice == "auto") return result;
  const auto start = tokenizer.Find(text::kToolCallStart);
  if (choice == "none") {
    if (start) result.forbidden.push_back(*start);
    return result;
  }
  const auto usage = [](std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; };
  if (result.tools.empty())
    return usage(StrCat("--tool-choice ", Quote(choice), " needs --tools, and ",
                        tools.is_null() ? "there are none" : origin + " holds none"));
  if (!start) return usage(StrCat("--tool-choice ", Quote(choice), ": the model has no token that begins a call"));
  result.written = text::kToolCallStart;
  if (choice == "required") return result;
  if (std::find(result.tools.begin(), result.tools.end(), choice) == result.tools.end()) {
    return usage(StrCat("--tool-choice ", Quote(choice), ": neither auto, none, required nor the name of a tool"));
  }
  result.written += StrCat("[", choice, "(");
  return result;
}

}  // namespace lfm::cli
