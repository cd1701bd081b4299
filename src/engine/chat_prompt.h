// Messages to the exact prompt, through the model's chat template.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace lfm::engine {

struct ChatRequest {
  Json messages;                        // a list of objects with "role" and "content"
  Json tools;                           // a list, or null
  Json variables;                       // an object of further template variables, or null
  bool add_generation_prompt = true;
  bool continue_final_message = false;  // cut after the last message's content
};

// A template's source with the special tokens of a tokenizer. An empty source is an error.
Result<text::ChatTemplate> MakeChatTemplate(const text::Tokenizer& tokenizer, const std::string& source);

// Renders as transformers' apply_chat_template does; errors name the template's line. Thread-safe.
Result<std::string> RenderPrompt(const text::ChatTemplate& chat, const ChatRequest& request);

// A request from one JSON object: messages, tools, add_generation_prompt, continue_final_message; what else it holds
// becomes a template variable.
Result<ChatRequest> ChatRequestFromJson(const Json& object);

}  // namespace lfm::engine
