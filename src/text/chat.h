// Chats to prompts as transformers' apply_chat_template does it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "jinja/jinja.h"
#include "text/tokenizer_spec.h"

namespace lfm::text {

// A model's chat template with the special tokens of its tokenizer as variables. Immutable after making.
struct ChatTemplate {
  jinja::Template program;
  std::string source;
  Json special_tokens;  // {"bos_token": "<|startoftext|>", …}: texts

  // `special_tokens`: variables by name (bos_token, image_token, …), each a text or an object with "content"; members
  // of other kinds are ignored.
  static Result<ChatTemplate> Make(std::string_view source, const Json& special_tokens, const jinja::TemplateLimits& limits = {});
};

struct ChatOptions {
  const Json* tools = nullptr;      // a list of objects; null or JSON null: none
  const Json* documents = nullptr;  // a list of objects
  bool add_generation_prompt = false;
  bool continue_final_message = false;     // cuts the text behind the last message's content
  std::string continue_field = "content";  // the member of the last message that goes on
  Json extra;                              // an object: further variables; they hide the special tokens
  jinja::RenderOptions render;
};

// The prompt of a conversation. Messages are prepared first as transformers does it: members that are null
// are dropped, reasoning is passed under all its names, an empty conversation is refused. Thread-safe on a
// const template.
Result<std::string> RenderChat(const ChatTemplate& chat, const Json& messages, const ChatOptions& options);

// The same, with the parts of it that are not the template's own: what assistant messages say is ParseSpecial::kAnswer;
// all else that `messages`, tools, documents and options.extra bring is kNone. So a message cannot forge a turn, and a
// model's own tool calls and thoughts are read again as it wrote them.
struct ChatText {
  std::string text;
  std::vector<ParseSpan> spans;  // in order, disjoint
};
Result<ChatText> RenderChatText(const ChatTemplate& chat, const Json& messages, const ChatOptions& options);

// Whether the prompt itself ends in <think>, so that the answer of a model that thinks before it speaks begins inside.
bool PromptOpensThinking(std::string_view prompt);

}  // namespace lfm::text
