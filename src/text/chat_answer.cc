// Thinking and text of an answer.
#include "jinja/jinja.h"
#include "text/chat.h"

namespace lfm::text {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

}  // namespace

AnswerParts SplitAnswer(std::string_view generated, bool prompt_opens_thinking) {
  AnswerParts parts;
  std::string_view rest = generated;
  const std::string_view trimmed = jinja::Strip(generated, jinja::Side::kLeft);
  if (trimmed.starts_with(kOpen)) {
    rest = trimmed.substr(kOpen.size());
  } else if (!prompt_opens_thinking) {
    parts.text = generated;
    return parts;
  }
  const size_t close = rest.find(kClose);
  if (close == std::string_view::npos) {
    parts.thinking = jinja::Strip(rest);
    parts.thinking_open = true;
    return parts;
  }
  parts.thinking = jinja::Strip(rest.substr(0, close));
  parts.text = jinja::Strip(rest.substr(close + kClose.size()), jinja::Side::kLeft);
  return parts;
}

bool PromptOpensThinking(std::string_view prompt) { return jinja::Strip(prompt, jinja::Side::kRight).ends_with(kOpen); }

}  // namespace lfm::text
