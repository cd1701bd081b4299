#include "engine/chat_prompt.h"

namespace lfm::engine {

Result<text::ChatTemplate> MakeChatTemplate(const text::Tokenizer& tokenizer, const std::string& source) {
  if (source.empty()) {
    return Error{ErrorCode::kNotFound,
                 "the model has no chat template: continue plain text instead, or use the instruction-tuned model"};
  }
  Json special_tokens = Json::MakeObject();
  for (const auto& [name, content] : tokenizer.special_names()) special_tokens.Set(name, content);
  return text::ChatTemplate::Make(source, special_tokens);
}

namespace {

text::ChatOptions OptionsOf(const ChatRequest& request) {
  text::ChatOptions options;
  options.tools = &request.tools;
  options.documents = &request.documents;
  options.render.cancel = request.cancel;
  options.add_generation_prompt = request.add_generation_prompt;
  options.continue_final_message = request.continue_final_message;
  options.extra = request.variables.is_null() ? Json::MakeObject() : request.variables;
  return options;
}

}  // namespace

Result<std::string> RenderPrompt(const text::ChatTemplate& chat, const ChatRequest& request) {
  return text::RenderChat(chat, request.messages, OptionsOf(request));
}

Result<text::ChatText> PromptText(const text::ChatTemplate& chat, const ChatRequest& request) {
  LFM_TRY(text::ChatText rendered, text::RenderChatText(chat, request.messages, OptionsOf(request)));
  if (request.parse_special) rendered.spans.clear();
  return rendered;
}

Result<ChatPrompt> PromptIds(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat, const ChatRequest& request) {
  LFM_TRY(text::ChatText rendered, PromptText(chat, request));
  ChatPrompt prompt;
  prompt.ids = tokenizer.EncodeMixed(rendered.text, rendered.spans);
  prompt.text = std::move(rendered.text);
  return prompt;
}

Result<ChatPrompt> PromptIds(const TextModel& model, const ChatRequest& request) {
  const auto& chat = model.ChatFor(request.template_name, !request.tools.is_null());
  if (!chat.ok()) return chat.error();
  return PromptIds(model.tokenizer, *chat, request);
}

Result<std::string> RenderPrompt(const TextModel& model, const ChatRequest& request) {
  const auto& chat = model.ChatFor(request.template_name, !request.tools.is_null());
  if (!chat.ok()) return chat.error();
  return RenderPrompt(*chat, request);
}

Result<ChatRequest> ChatRequestFromJson(const Json& object) {
  ChatRequest request;
  request.variables = Json::MakeObject();
  for (const auto& [name, value] : object.members()) {
    if (name == "messages") {
      request.messages = value;
    } else if (name == "tools") {
      request.tools = value;
    } else if (name == "documents") {
      request.documents = value;
    } else if (name == "template_name" && value.is_string()) {
      request.template_name = value.AsString();
    } else if (name == "parse_special") {
      request.parse_special = value.AsBool();
    } else if (name == "add_generation_prompt") {
      request.add_generation_prompt = value.is_null() || value.AsBool();
    } else if (name == "continue_final_message") {
      request.continue_final_message = value.AsBool();
    } else {
      request.variables.Set(name, value);
    }
  }
  if (!request.messages.is_array()) {
    return Error{ErrorCode::kInvalidArgument, "\"messages\" is missing or no list"};
  }
  return request;
}

}  // namespace lfm::engine
