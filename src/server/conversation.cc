#include "server/conversation.h"

#include "base/strings.h"
#include "engine/chat_prompt.h"
#include "server/parameters.h"
#include "text/answer_parser.h"
#include "text/chat.h"

namespace lfm::server {
namespace {

using text::kToolCallEnd, text::kToolCallStart;

// A text in quotes, as Python and JSON both read it. The model's own marks inside would count in an assistant's message:
// their first letter is written as an escape.
std::string QuotedText(const std::string& text) {
  std::string quoted = JsonQuote(text);
  for (const std::string_view mark : {"<|", "<think>", "</think>"}) {
    for (size_t at = quoted.find(mark); at != std::string::npos; at = quoted.find(mark, at)) {
      quoted.replace(at, 1, "\\u003c");
    }
  }
  return quoted;
}

// A value as Python writes it.
std::string LiteralText(const Json& value) {
  switch (value.kind()) {
    case Json::Kind::kNull:
      return "None";
    case Json::Kind::kBool:
      return value.AsBool() ? "True" : "False";
    case Json::Kind::kInteger:
    case Json::Kind::kFloat:
      return value.NumberText();
    case Json::Kind::kString:
      return QuotedText(value.AsString());
    case Json::Kind::kArray: {
      std::string list;
      for (const Json& item : value.items()) list += (list.empty() ? "" : ", ") + LiteralText(item);
      return "[" + list + "]";
    }
    case Json::Kind::kObject: {
      std::string dict;
      for (const auto& [name, member] : value.members()) {
        dict += StrCat(dict.empty() ? "" : ", ", QuotedText(name), ": ", LiteralText(member));
      }
      return "{" + dict + "}";
    }
  }
  return "";
}

// The arguments as an object where they are one: templates walk through it.
Json ParsedArguments(const std::string& arguments) {
  auto parsed = ParseJson(arguments, {.max_depth = 100});
  return parsed.ok() && parsed->is_object() ? std::move(parsed).value() : Json(arguments);
}

// Templates of LFM2 know no calls: they stand in the text as the model wrote them. LFM2.5's write them by themselves.
void PlaceCalls(Json& messages, const engine::TextModel& text) {
  if (text.chat_template.find("tool_calls") != std::string::npos) return;
  const bool has_markers = text.tokenizer.Find(kToolCallStart) && text.tokenizer.Find(kToolCallEnd);
  for (Json& message : messages.items()) {
    const Json* calls = message.Find("tool_calls");
    if (!calls) continue;
    std::string written = CallsText(*calls);
    if (has_markers) written = StrCat(kToolCallStart, written, kToolCallEnd);
    message.Set("content", message["content"].AsString() + written);
  }
}

ApiError TemplateError(const Error& error, const std::string& param) {
  if (error.code == ErrorCode::kNotFound) {
    return BadRequest("the model has no chat template: use /v1/completions", param, "unsupported_value");
  }
  return BadRequest(StrCat("the chat template refuses this conversation: ", error.message), param);
}

}  // namespace

std::string CallsText(const Json& tool_calls) {
  std::string text;
  for (const Json& call : tool_calls.items()) {
    const Json& function = call["function"];
    std::string arguments;
    for (const auto& [name, value] : function["arguments"].members()) {
      arguments += StrCat(arguments.empty() ? "" : ", ", name, "=", LiteralText(value));
    }
    if (function["arguments"].is_string()) arguments = function["arguments"].AsString();
    text += StrCat(text.empty() ? "" : ", ", function["name"].AsString(), "(", arguments, ")");
  }
  return "[" + text + "]";
}

Json MakeMessage(std::string role, std::string content) {
  return Json::MakeObject({{"role", std::move(role)}, {"content", std::move(content)}});
}

Json MakeCall(std::string id, std::string name, std::string arguments) {
  return Json::MakeObject(
      {{"id", std::move(id)},
       {"type", "function"},
       {"function", Json::MakeObject({{"name", std::move(name)}, {"arguments", ParsedArguments(arguments)}})}});
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
  request.messages = conversation.messages;
  request.tools = conversation.tools;
  request.variables = conversation.variables;
  request.add_generation_prompt = conversation.add_generation_prompt;
  request.continue_final_message = conversation.continue_final_message;

  PlaceCalls(request.messages, text);
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
