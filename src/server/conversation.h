// A conversation on its way to the model: what a request holds in the shape that chat templates take, and the exact tokens
// of its prompt. What people wrote never becomes a control token, whatever it looks like.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/api_result.h"
#include "server/schema.h"
#include "server/served_model.h"

namespace lfm::server {

struct Conversation {
  Json messages = Json::MakeArray();  // objects of role, content (a text) and perhaps tool_calls, reasoning_content
  Json tools;                         // as the request declares them, in OpenAI's shape; null: none
  Json variables;                     // further template variables: an object or null
  bool add_generation_prompt = true;
  bool continue_final_message = false;
};

struct Prompt {
  std::string text;  // for people: special tokens and text that looks like them are the same here
  std::vector<int32_t> ids;
  bool opens_reasoning = false;  // the answer begins inside <think>
};

// Renders and tokenises; `param` is what errors name. The context's length is not checked here.
ApiResult<Prompt> MakePrompt(const ServedModel& model, const Conversation& conversation, const std::string& param);
// 400 context_length_exceeded where the prompt leaves no room for `n_new` tokens.
ApiStatus CheckRoom(const ServedModel& model, size_t n_prompt, int64_t n_new, const std::string& param);

// OpenAI's `messages`: the table of the roles, and the conversation of checked ones.
Schema MessagesSchema();
ApiResult<Json> ReadMessages(const Json& messages, const std::string& path = "messages");

// The text of content that is a text, null or a list of text parts (of any API: their "text" members are joined).
std::string ContentText(const Json& content);
// One message as templates take it.
Json MakeMessage(std::string role, std::string content);
// One call in OpenAI's shape; `arguments` is JSON text.
Json MakeCall(std::string id, std::string name, std::string arguments);

}  // namespace lfm::server
