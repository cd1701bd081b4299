#include "engine/chat_prompt.h"

#include <algorithm>
#include <chrono>

#include "base/host.h"

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

// What a template may hold alive: half of the memory that is there for this process, where that is less than the usual bound,
// so that a container is not ended for a template. A few MiB hold every template of the family.
size_t TemplateMemory(size_t usual) {
  constexpr uint64_t kLeast = uint64_t{8} << 20;
  using Clock = std::chrono::steady_clock;
  thread_local Clock::time_point looked;  // good for a second: looking takes longer than a template
  thread_local uint64_t available = 0;
  if (const auto now = Clock::now(); looked == Clock::time_point{} || now - looked > std::chrono::seconds(1)) {
    available = ReadMemory().available_bytes;
    looked = now;
  }
  if (available == 0) return usual;  // not known
  return static_cast<size_t>(std::min<uint64_t>(usual, std::max(kLeast, available / 2)));
}

text::ChatOptions OptionsOf(const ChatRequest& request) {
  text::ChatOptions options;
  options.tools = &request.tools;
  options.documents = &request.documents;
  options.render.cancel = request.cancel;
  options.render.limits.max_memory = TemplateMemory(options.render.limits.max_memory);
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
