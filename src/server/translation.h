// Requests of every API to what the engine is asked and how its answer is written. Pure but for ids, the clock, and the
// seed of requests that name none.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "server/answer.h"
#include "server/api_result.h"
#include "server/constraint.h"
#include "server/conversation.h"
#include "server/schema.h"
#include "server/served_model.h"
#include "server/writer.h"

namespace lfm::server {

struct Translated {
  std::vector<engine::Request> requests;  // one a prompt; choices are prompt-major
  std::vector<int32_t> hidden_prefix;     // by prompt: its first tokens that the client did not send (bos)
  ReaderOptions reader;                   // of every choice
  std::unique_ptr<AnswerWriter> writer;
  bool stream = false;
  std::string model;  // the name that the answer carries
  Json unenforced;    // what the answer's grammar does not hold; chat and completions say so
  // Called once with the whole answers before their last byte leaves.
  std::function<void(std::span<const Answer* const>)> finished;
};

class ResponseStore;

// The tables of the bodies.
const Schema& ChatSchema();
const Schema& CompletionsSchema();
const Schema& ResponsesSchema();
const Schema& MessagesRequestSchema();
const Schema& CountTokensSchema();

// `lenient`: llama.cpp's own routes (without /v1), and a server that takes any model's name, let model and a format's name
// be absent.
ApiResult<Translated> TranslateChat(const Json& body, const HttpRequest& http, const ServedModel& model, bool lenient);
ApiResult<Translated> TranslateCompletions(const Json& body, const HttpRequest& http, const ServedModel& model, bool lenient);
// The store keeps the finished response, and must outlive it.
ApiResult<Translated> TranslateResponses(const Json& body, const HttpRequest& http, const ServedModel& model,
                                         ResponseStore& store);
ApiResult<Translated> TranslateMessages(const Json& body, const HttpRequest& http, const ServedModel& model);

// The prompt of a body, for the routes that only count or show it.
ApiResult<Prompt> ChatPrompt(const Json& body, const ServedModel& model);
ApiResult<Prompt> ResponsesPrompt(const Json& body, const HttpRequest& http, const ServedModel& model, ResponseStore& store);
ApiResult<Prompt> MessagesPrompt(const Json& body, const ServedModel& model);

// Whether a path is one of llama.cpp's (without /v1).
bool IsLenient(const HttpRequest& http);

// What chats of all APIs share: the prompt with its room checked, sampling, tools and format, as one request.
struct ChatAsk {
  Conversation conversation;
  ToolUse tools;
  OutputFormat format;
  std::vector<std::string> stops;
  int64_t max_tokens = -1;
  int n_logprobs = -1;
  int n = 1;
  std::string param = "messages";  // what errors about the prompt name
};
ApiStatus MakeChatRequest(const Json& body, const HttpRequest& http, const ServedModel& model, const ChatAsk& ask,
                          Translated& out);
AnswerHead MakeHead(const ServedModel& model, const Json& body, std::string_view prefix);
int64_t UnixTime();

}  // namespace lfm::server
