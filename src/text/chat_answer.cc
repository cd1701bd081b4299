// Thinking and text of an answer.
#include "text/chat.h"
#include "text/python_text.h"

namespace lfm::text {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

}  // namespace

AnswerParts SplitAnswer(std::string_view generated, bool prompt_opens_thinking) {
  AnswerParts parts;
  std::string_view rest = generated;
  const std::string_view trimmed = Strip(generated, Side::kLeft);
  if (trimmed.starts_with(kOpen)) {
    rest = trimmed.substr(kOpen.size());
  } else if (!prompt_opens_thinking) {
    parts.text = generated;
    return parts;
  }
  const size_t close = rest.find(kClose);
  if (close == std::string_view::npos) {
    parts.thinking = Strip(rest);
    parts.thinking_open = true;
    return parts;
  }
  parts.thinking = Strip(rest.substr(0, close));
  parts.text = Strip(rest.substr(close + kClose.size()), Side::kLeft);
  return parts;
}

bool PromptOpensThinking(std::string_view prompt) { return Strip(prompt, Side::kRight).ends_with(kOpen); }

}  // namespace lfm::text
