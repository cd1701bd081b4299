#include "cli/messages.h"

#include <utility>

#include "base/strings.h"
#include "cli/input.h"
#include "cli/values.h"

namespace lfm::cli {
namespace {

Status CheckMessages(const Json& messages, const std::string& path, const std::string& flag) {
  if (!messages.is_array()) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat(flag, " ", path, ": neither a list of messages nor an object with \"messages\"")};
  }
  for (size_t i = 0; i < messages.items().size(); ++i) {
    if (messages.items()[i].is_object()) continue;
    return Error{ErrorCode::kInvalidArgument, StrCat(flag, " ", path, ": message ", i, " is no object")};
  }
  return Ok();
}

}  // namespace

Status ReadMessages(const std::string& path, engine::ChatRequest& request, const std::string& flag) {
  LFM_TRY(Json json, ReadJsonFile(path, flag));
  if (json.is_object()) {
    if (json["tools"].is_array()) request.tools = json["tools"];
    Json messages = json["messages"];
    json = std::move(messages);
  }
  LFM_RETURN_IF_ERROR(CheckMessages(json, path, flag));
  request.messages = std::move(json);
  return Ok();
}

Result<Json> ReadTools(const std::string& path) {
  LFM_TRY(Json json, ReadJsonFile(path, "--tools"));
  if (json.is_object()) {
    Json tools = json["tools"];
    json = std::move(tools);
  }
  if (!json.is_array()) {
    return Error{ErrorCode::kInvalidArgument, StrCat("--tools ", path, ": neither a list nor an object with \"tools\"")};
  }
  for (size_t i = 0; i < json.items().size(); ++i) {
    if (json.items()[i].is_object()) continue;
    return Error{ErrorCode::kInvalidArgument, StrCat("--tools ", path, ": item ", i, " is no object")};
  }
  return json;
}

Result<Json> ParseSettings(const std::vector<std::string>& settings) {
  Json variables = Json::MakeObject();
  for (const std::string& setting : settings) {
    LFM_TRY(auto pair, ParseSetting(setting));
    variables.Set(std::move(pair.first), std::move(pair.second));
  }
  return variables;
}

Error PromptError(const Error& error, const std::string& chat_template, const std::string& messages) {
  if (error.code == ErrorCode::kCancelled) return error;
  const bool of_template = error.message.find("chat template") != std::string::npos;
  std::string origin = of_template ? chat_template : messages;
  if (of_template && !messages.empty()) origin += StrCat(" with ", messages);
  return origin.empty() ? error : error.Within(origin);
}

Result<text::ChatTemplate> TemplateOf(const text::Tokenizer& tokenizer, const std::string& path) {
  LFM_TRY(const std::string source, ReadFileOrInput(path, "--template"));
  if (source.empty()) return Error{ErrorCode::kInvalidArgument, StrCat("--template ", path, ": the file is empty")};
  auto chat = engine::MakeChatTemplate(tokenizer, source);
  if (!chat.ok()) return Error{ErrorCode::kInvalidArgument, StrCat("--template ", path, ": ", chat.error().message)};
  return chat;
}

Json Message(const std::string& role, const std::string& content) {
  Json message = Json::MakeObject();
  message.Set("role", role);
  message.Set("content", content);
  return message;
}

}  // namespace lfm::cli
