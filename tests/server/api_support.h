// What tests of the APIs share: the text half of a small model, a client that notes what it gets, and an engine that plays
// a script.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "engine/text_model.h"
#include "server/api.h"
#include "server/grammar_set.h"
#include "server/translation.h"

namespace lfm::server {

inline const engine::TextModel& TinyText() {
  static const engine::TextModel text = engine::OpenTextModel(LFM_TEST_DATA "/models/tiny-lfm2").value();
  return text;
}

inline ServedModel TinyModel() {
  ServedModel model;
  model.text = &TinyText();
  model.names = {"tiny", "liquid/tiny"};
  model.n_ctx = 512;
  model.vocab_size = TinyText().tokenizer.n_tokens();
  model.grammars = std::make_shared<GrammarSet>(model.text->tokenizer, model.vocab_size);
  model.fingerprint = "b1-w2-n3";
  model.created = 1700000000;
  model.meta = Json::MakeObject();
  return model;
}

inline Json Parsed(std::string_view text) {
  auto json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? std::move(json).value() : Json();
}

inline HttpRequest Request(std::string path = "/v1/chat/completions", std::string body = "") {
  HttpRequest http;
  http.method = "POST";
  http.path = std::move(path);
  http.body = std::move(body);
  http.caller = std::make_shared<const Caller>();
  return http;
}

// Runs work at once, one at a time, in order.
class NotedReply : public Reply {
 public:
  explicit NotedReply(HttpRequest http) : http_(std::move(http)) {}
  const HttpRequest& request() const override { return http_; }
  void Send(int code, std::string_view, std::string content, Headers) override {
    status = code;
    body = std::move(content);
    ended = true;
  }
  void Fail(const ApiError& error) override {
    if (!streaming) status = error.status;
    body += ErrorBody(error, http_.anthropic);
    ended = true;
  }
  void BeginStream(std::string_view, Headers) override {
    status = 200;
    streaming = true;
  }
  bool Write(std::string_view bytes) override {
    body += bytes;
    return !gone;
  }
  void End(std::string_view last) override {
    body += last;
    ended = true;
  }
  void CountTokens(int n) override { n_tokens += n; }
  void SetUsage(Usage used) override { usage = std::move(used); }
  void OnClosed(std::function<void()> callback) override { on_closed = std::move(callback); }
  bool closed() const override { return gone; }
  void Run(std::function<void()> work) override {
    work_.push_back(std::move(work));
    if (busy_) return;
    busy_ = true;
    while (!work_.empty()) {
      const auto next = std::move(work_.front());
      work_.pop_front();
      next();
    }
    busy_ = false;
  }

  int status = 0;
  std::string body;
  bool ended = false, streaming = false, gone = false;
  int n_tokens = 0;
  std::optional<Usage> usage;
  std::function<void()> on_closed;

 private:
  HttpRequest http_;
  std::deque<std::function<void()>> work_;
  bool busy_ = false;
};

class ScriptedStream : public engine::Stream {
 public:
  std::optional<engine::Event> TryNext() override {
    if (events.empty()) return std::nullopt;
    engine::Event event = std::move(events.front());
    events.pop_front();
    return event;
  }
  std::optional<engine::Event> Wait() override { return TryNext(); }
  void Cancel() override { cancelled = true; }
  std::deque<engine::Event> events;
  bool cancelled = false;
};

// Gives each choice the same pieces of text, a token each, then ends it.
class ScriptedBackend : public Backend {
 public:
  Result<std::shared_ptr<engine::Stream>> Submit(engine::Request request, std::function<void()> notify) override {
    if (busy_from >= 0 && static_cast<int>(requests.size()) >= busy_from) return Error{ErrorCode::kBusy, "full"};
    auto stream = std::make_shared<ScriptedStream>();
    const int64_t n_prompt = static_cast<int64_t>(request.prompt.size());
    if (request.prompt_logprobs) {
      engine::Event event;
      event.kind = engine::Event::Kind::kPromptLogprobs;
      for (const int32_t id : request.prompt) event.prompt_logprobs.push_back({id, -1.5F, {{id, -1.5F}}});
      stream->events.push_back(std::move(event));
    }
    for (int choice = 0; choice < request.n; ++choice) {
      for (const std::string& piece : pieces) {
        engine::Event event;
        event.kind = engine::Event::Kind::kToken;
        event.choice = choice;
        event.text = piece;
        event.token.id = TinyText().tokenizer.Find(piece).value_or(5);
        event.token.logprob = -0.25F;
        stream->events.push_back(std::move(event));
      }
      engine::Event end;
      end.kind = engine::Event::Kind::kChoiceEnd;
      end.choice = choice;
      end.stop_reason = stop_reason;
      end.stop = stop;
      stream->events.push_back(std::move(end));
    }
    if (unending) stream->events.pop_back();
    engine::Event last;
    last.kind = engine::Event::Kind::kFinished;
    last.usage = {n_prompt, n_cached, static_cast<int64_t>(pieces.size()) * request.n};
    if (!unending) stream->events.push_back(std::move(last));
    requests.push_back(std::move(request));
    notifies.push_back(std::move(notify));
    streams.push_back(stream);
    return std::shared_ptr<engine::Stream>(stream);
  }
  double RetryAfterSeconds() const override { return 2.5; }

  std::vector<std::string> pieces = {"Hel", "lo", "!"};
  engine::StopReason stop_reason = engine::StopReason::kEos;
  std::string stop;
  int64_t n_cached = 0;
  int busy_from = -1;     // requests from this one on are refused
  bool unending = false;  // the last choice goes on when the script is over
  std::vector<engine::Request> requests;
  std::vector<std::function<void()>> notifies;
  std::vector<std::shared_ptr<ScriptedStream>> streams;
};

inline std::shared_ptr<Api> TinyApi() {
  auto api = std::make_shared<Api>();
  api->model = TinyModel();
  api->backend = std::make_shared<ScriptedBackend>();
  api->version = "1.0";
  return api;
}

inline ScriptedBackend& BackendOf(Api& api) { return static_cast<ScriptedBackend&>(*api.backend); }

// One request through the routes.
inline std::shared_ptr<NotedReply> Ask(const std::shared_ptr<Api>& api, HttpRequest http) {
  Router router;
  AddApiRoutes(router, api);
  const auto match = router.Find(http.method, http.path);
  http.params = match.params;
  auto reply = std::make_shared<NotedReply>(std::move(http));
  EXPECT_NE(match.route, nullptr);
  if (match.route) match.route->handler(reply->request(), reply);
  return reply;
}

}  // namespace lfm::server
