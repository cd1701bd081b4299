// Messages to the exact prompt, through the model's chat template.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/text_model.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace lfm::engine {

struct ChatRequest {
  Json messages;              // a list of objects with "role" and "content"
  Json tools;                 // a list, or null
  Json documents;             // a list, or null
  Json variables;             // an object of further template variables, or null
  std::string template_name;  // empty: "tool_use" with tools, else the default one
  bool add_generation_prompt = true;
  bool continue_final_message = false;  // cut after the last message's content
  // Whether special tokens that messages, tools and documents spell out become those tokens. Off, they stay text, so
  // that no message can forge a turn; in assistant messages, marks of tool calls and thinking count all the same.
  bool parse_special = false;
  const std::atomic<bool>* cancel = nullptr;  // true ends the rendering within moments, with kCancelled
};

// A template's source with the special tokens of a tokenizer. An empty source is an error.
Result<text::ChatTemplate> MakeChatTemplate(const text::Tokenizer& tokenizer, const std::string& source);

// Renders as transformers' apply_chat_template does; errors name the template's line. Thread-safe.
Result<std::string> RenderPrompt(const text::ChatTemplate& chat, const ChatRequest& request);

// A prompt as text, and as the tokens that the model reads. Encoding the text gives other tokens where a message spells
// out a special one.
struct ChatPrompt {
  std::string text;
  std::vector<int32_t> ids;
};
Result<ChatPrompt> PromptIds(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat, const ChatRequest& request);
// With the model's own template, the one that the request asks for. Thread-safe.
Result<ChatPrompt> PromptIds(const TextModel& model, const ChatRequest& request);

// The same before it is encoded: the text, and the parts of it that messages, tools and documents brought (none with
// parse_special).
Result<text::ChatText> PromptText(const text::ChatTemplate& chat, const ChatRequest& request);

// The text alone.
Result<std::string> RenderPrompt(const TextModel& model, const ChatRequest& request);

// A request from one JSON object: messages, tools, documents, add_generation_prompt, continue_final_message,
// template_name, parse_special; what else it holds becomes a template variable.
Result<ChatRequest> ChatRequestFromJson(const Json& object);

}  // namespace lfm::engine
