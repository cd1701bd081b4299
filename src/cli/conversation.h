// A chat's messages, and the prompt that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/chat_prompt.h"
#include "engine/text_model.h"

namespace lfm::cli {

class Conversation {
 public:
  // `request` may already hold messages, tools and variables.
  Conversation(const engine::TextModel& model, engine::ChatRequest request);

  // Another chat template than the model's own.
  void UseTemplate(text::ChatTemplate chat) { own_template_ = std::move(chat); }
  // Messages as --messages reads them, in place of those that are here.
  void SetMessages(Json messages) { request_.messages = std::move(messages); }
  // The prompt ends in the last message, which the model goes on with; that of an assistant, when nothing else is asked.
  void ContinueLastMessage();
  bool EndsInAnswer() const;
  // Sets, replaces or (empty) removes the leading system message.
  void SetSystem(const std::string& text);
  std::string System() const;
  void AddUser(const std::string& text);
  // Thinking goes where the template looks for it: a member of its own, or in front of the content.
  void AddAnswer(const std::string& thinking, bool has_thinking, const std::string& text);
  // Takes the last user message and all that follows it away; false when there is none.
  bool Undo();
  // Forgets all but the system message.
  void Reset();

  const Json& messages() const { return request_.messages; }
  Result<engine::ChatPrompt> Prompt() const;

 private:
  // Of the template that Prompt() renders with.
  std::string_view TemplateSource() const;

  const engine::TextModel& model_;
  engine::ChatRequest request_;
  std::optional<text::ChatTemplate> own_template_;
};

}  // namespace lfm::cli
