#include "server/conversation.h"

#include "base/strings.h"
#include "engine/chat_prompt.h"
#include "server/parameters.h"
#include "jinja/jinja.h"
#include "text/chat.h"
#include "text/tool_history.h"

namespace lfm::server {
namespace {

ApiError TemplateError(const Error& error, const std::string& param) {
  if (error.code == ErrorCode::kNotFound) {
    return BadRequest("the model has no chat template: use /v1/completions", param, "unsupported_value");
  }
  return BadRequest(StrCat("the chat template refuses this conversation: ", error.message), param);
}

// What llama.cpp gives templates beside messages and tools: today's date in two ways, and the tools as text. Those that people
// wrote for it count on that.
Json WithPeersVariables(const Json& variables, const Json& tools) {
  const jinja::LocalTime now = jinja::SystemTime();
  Json all = Json::MakeObject({{"date_string", jinja::FormatTime("%d %b %Y", now)},
                               {"datetime", jinja::FormatTime("%b %d %Y", now)},
                               {"functions", tools.is_null() ? "[]" : tools.Dump()}});
  for (const auto& [name, value] : variables.members()) all.Set(name, value);
  return all;
}

}  // namespace

Json MakeMessage(std::string role, std::string content) {
  return Json::MakeObject({{"role", std::move(role)}, {"content", std::move(content)}});
}

Json MakeCall(std::string id, std::string name, std::string arguments) {
  return Json::MakeObject({{"id", std::move(id)},
                           {"type", "function"},
                           {"function", Json::MakeObject({{"name", std::move(name)}, {"arguments", std::move(arguments)}})}});
}

std::string ContentText(const Json& content) {
  if (content.is_string()) return content.AsString();
  std::string text;
  for (const Json& part : content.items()) text += part["text"].AsString() + part["refusal"].AsString();
  return text;
}

ApiResult<Prompt> MakePrompt(const ServedModel& model, const Conversation& conversation, const std::string& param) {
  const engine::TextModel& text = *model.text;
  engine::ChatRequest request;
  const auto& chat = text.ChatFor("", !conversation.tools.is_null());
  auto prepared = text::PrepareToolMessages(conversation.messages, chat.ok() ? chat->source : "");
  if (!prepared.ok()) return BadRequest(prepared.error().message, param);
  request.messages = std::move(prepared).value();
  request.tools = conversation.tools;
  request.variables =
      model.own_template ? WithPeersVariables(conversation.variables, conversation.tools) : conversation.variables;
  request.add_generation_prompt = conversation.add_generation_prompt;
  request.continue_final_message = conversation.continue_final_message;

  auto rendered = engine::PromptIds(text, request);
  if (!rendered.ok()) return TemplateError(rendered.error(), param);
  Prompt prompt;
  prompt.text = std::move(rendered->text);
  prompt.ids = std::move(rendered->ids);
  prompt.opens_reasoning = conversation.add_generation_prompt && text::PromptOpensThinking(prompt.text);
  if (prompt.ids.empty()) return BadRequest("the chat template makes an empty prompt of this conversation", param);
  return prompt;
}

ApiStatus CheckRoom(const ServedModel& model, size_t n_prompt, int64_t n_new, const std::string& param) {
  const auto n = static_cast<int64_t>(n_prompt);
  if (n + (n_new == 0 ? 0 : 1) <= model.n_ctx) return {};
  return ContextExceeded(n, model.n_ctx, param);
}

}  // namespace lfm::server
