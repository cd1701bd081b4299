// Conversations, tools and template variables as the command line brings them.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/chat_prompt.h"

namespace lfm::cli {

// --messages FILE: a list of messages, or an object with "messages" and perhaps "tools". "-" is standard
// input.
Status ReadMessages(const std::string& path, engine::ChatRequest& request, const std::string& flag = "--messages");

// --tools FILE: a list, or an object with "tools".
Result<Json> ReadTools(const std::string& path);

// --set key=value, as an object.
Result<Json> ParseSettings(const std::vector<std::string>& settings);

Json Message(const std::string& role, const std::string& content);

// An error of a prompt with what it was made from: `chat_template` is the model's path or "--template FILE", `messages` is
// "--messages FILE", or empty where they come from no file.
Error PromptError(const Error& error, const std::string& chat_template, const std::string& messages);

// The chat template in a file, with the special tokens of a tokenizer.
Result<text::ChatTemplate> TemplateOf(const text::Tokenizer& tokenizer, const std::string& path);

}  // namespace lfm::cli
