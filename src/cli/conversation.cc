#include "cli/conversation.h"

#include <utility>

#include "cli/messages.h"
#include "text/tool_history.h"

namespace lfm::cli {
namespace {

bool IsRole(const Json& message, std::string_view role) { return message["role"].AsString() == role; }

bool TemplateReadsThinking(std::string_view chat_template) {
  for (const char* form : {".thinking", "[\"thinking\"]", "['thinking']", "reasoning_content"}) {
    if (chat_template.find(form) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

Conversation::Conversation(const engine::TextModel& model, engine::ChatRequest request)
    : model_(model), request_(std::move(request)) {
  if (!request_.messages.is_array()) request_.messages = Json::MakeArray();
}

void Conversation::ContinueLastMessage() {
  request_.add_generation_prompt = false;
  request_.continue_final_message = true;
}

std::string_view Conversation::TemplateSource() const {
  if (own_template_) return own_template_->source;
  const auto& chat = model_.ChatFor(request_.template_name, !request_.tools.is_null());
  return chat.ok() ? std::string_view(chat->source) : std::string_view();
}

bool Conversation::EndsInAnswer() const {
  const Json::Array& items = request_.messages.items();
  return !items.empty() && IsRole(items.back(), "assistant") && !items.back()["content"].is_null();
}

void Conversation::SetSystem(const std::string& text) {
  Json::Array& items = request_.messages.items();
  if (!items.empty() && IsRole(items.front(), "system")) items.erase(items.begin());
  if (!text.empty()) items.insert(items.begin(), Message("system", text));
}

std::string Conversation::System() const {
  const Json::Array& items = request_.messages.items();
  return !items.empty() && IsRole(items.front(), "system") ? items.front()["content"].AsString() : "";
}

void Conversation::AddUser(const std::string& text) { request_.messages.Append(Message("user", text)); }

void Conversation::AddAnswer(const std::string& thinking, bool has_thinking, const std::string& text) {
  Json message = Message("assistant", text);
  if (has_thinking && TemplateReadsThinking(TemplateSource())) {
    message.Set("thinking", thinking);
  } else if (has_thinking) {
    message.Set("content", "<think>\n" + thinking + "\n</think>\n\n" + text);
  }
  request_.messages.Append(std::move(message));
}

bool Conversation::Undo() {
  Json::Array& items = request_.messages.items();
  for (size_t i = items.size(); i-- > 0;) {
    if (!IsRole(items[i], "user")) continue;
    items.resize(i);
    return true;
  }
  return false;
}

void Conversation::Reset() {
  const std::string system = System();
  request_.messages = Json::MakeArray();
  SetSystem(system);
}

Result<engine::ChatPrompt> Conversation::Prompt() const {
  engine::ChatRequest request = request_;
  LFM_TRY(request.messages, text::PrepareToolMessages(request_.messages, TemplateSource()));
  auto prompt = own_template_ ? engine::PromptIds(model_.tokenizer, *own_template_, request) : engine::PromptIds(model_, request);
  if (prompt.ok() || prompt.error().code != ErrorCode::kNotFound) return prompt;
  return Error{ErrorCode::kNotFound, prompt.error().message + " (--raw)"};
}

}  // namespace lfm::cli
