// Whole requests through the routes, with an engine that plays a script.
#include "server/api_support.h"

namespace lfm::server {
namespace {

std::string BodyOf(const Json& body) { return body.Dump(); }

TEST(Job, AnswersWholeAndStreamed) {
  const auto api = TinyApi();
  Json body = Parsed(R"({"model": "liquid/tiny", "messages": [{"role": "user", "content": "Q"}], "n": 2})");
  const auto whole = Ask(api, Request("/v1/chat/completions", BodyOf(body)));
  EXPECT_EQ(whole->status, 200);
  const Json document = Parsed(whole->body);
  EXPECT_EQ(document["model"].AsString(), "liquid/tiny");
  ASSERT_EQ(document["choices"].items().size(), 2u);
  EXPECT_EQ(document["choices"].items()[1]["message"]["content"].AsString(), "Hello!");
  EXPECT_EQ(document["usage"]["completion_tokens"].AsInt(), 6);
  ASSERT_TRUE(whole->usage.has_value());
  EXPECT_EQ(whole->usage->completion_tokens, 6);
  EXPECT_EQ(whole->usage->finish_reason, "stop");
  body.Set("stream", true);
  const auto stream = Ask(api, Request("/v1/chat/completions", BodyOf(body)));
  EXPECT_TRUE(stream->ended);
  EXPECT_EQ(stream->n_tokens, 6);
  EXPECT_TRUE(stream->body.ends_with("data: [DONE]\n\n"));
  EXPECT_NE(stream->body.find("\"content\":\"Hel\""), std::string::npos);
}

TEST(Job, TakesManyPromptsInTurn) {
  const auto api = TinyApi();
  Json prompts = Json::MakeArray();
  for (int i = 0; i < 40; ++i) prompts.Append(Json(StrCat("p", i)));
  const Json body = Json::MakeObject({{"model", "tiny"}, {"prompt", prompts}, {"echo", true}, {"logprobs", 1}});
  const auto reply = Ask(api, Request("/v1/completions", BodyOf(body)));
  EXPECT_EQ(reply->status, 200);
  const Json document = Parsed(reply->body);
  ASSERT_EQ(document["choices"].items().size(), 40u);
  const Json& last = document["choices"].items()[39];
  EXPECT_EQ(last["text"].AsString(), "p39Hello!");
  EXPECT_TRUE(last["logprobs"]["token_logprobs"].items()[0].is_null());
  EXPECT_EQ(last["logprobs"]["tokens"].items().size(), last["logprobs"]["top_logprobs"].items().size());
}

TEST(Job, IsBusyBeforeAnythingIsSaid) {
  const auto api = TinyApi();
  BackendOf(*api).busy_from = 0;
  const auto reply = Ask(api, Request("/v1/chat/completions",
                                      R"({"model": "tiny", "stream": true, "messages": [{"role": "user", "content": "Q"}]})"));
  EXPECT_EQ(reply->status, 429);
  EXPECT_FALSE(reply->streaming);
  EXPECT_FALSE(reply->usage.has_value());
}

TEST(Job, CancelsWhenTheClientLeaves) {
  const auto api = TinyApi();
  auto& backend = BackendOf(*api);
  backend.unending = true;
  Router router;
  AddApiRoutes(router, api);
  auto reply = std::make_shared<NotedReply>(
      Request("/v1/chat/completions", R"({"model": "tiny", "stream": true, "messages": [{"role": "user", "content": "Q"}]})"));
  reply->gone = true;  // the first write finds nobody
  router.Find("POST", "/v1/chat/completions").route->handler(reply->request(), reply);
  ASSERT_EQ(backend.streams.size(), 1u);
  EXPECT_TRUE(backend.streams[0]->cancelled);
  engine::Event error;
  error.kind = engine::Event::Kind::kError;
  error.error = {ErrorCode::kCancelled, "cancelled"};
  error.usage = {4, 0, 3};
  backend.streams[0]->events.push_back(error);
  backend.notifies[0]();
  EXPECT_TRUE(reply->ended);
  ASSERT_TRUE(reply->usage.has_value());
  EXPECT_EQ(reply->usage->finish_reason, "abort");
  EXPECT_EQ(reply->usage->prompt_tokens, 4);
  EXPECT_EQ(reply->usage->completion_tokens, 3);
}

TEST(Job, CancelsWhenTheTransportSaysSo) {
  const auto api = TinyApi();
  auto& backend = BackendOf(*api);
  backend.unending = true;
  const auto reply =
      Ask(api, Request("/v1/chat/completions", R"({"model": "tiny", "messages": [{"role": "user", "content": "Q"}]})"));
  ASSERT_TRUE(reply->on_closed);
  reply->on_closed();
  EXPECT_TRUE(backend.streams[0]->cancelled);
}

TEST(Job, KeepsResponsesForTheirCallerOnly) {
  const auto api = TinyApi();
  const auto first = Ask(api, Request("/v1/responses", R"({"model": "tiny", "input": "My name is Anna."})"));
  ASSERT_EQ(first->status, 200) << first->body;
  const std::string id = Parsed(first->body)["id"].AsString();
  HttpRequest get = Request("/v1/responses/" + id);
  get.method = "GET";
  EXPECT_EQ(Ask(api, get)->body, first->body);
  HttpRequest foreign = get;
  foreign.caller = std::make_shared<const Caller>(Caller{"other", ""});
  EXPECT_EQ(Ask(api, foreign)->status, 404);

  const auto second = Ask(
      api,
      Request("/v1/responses", Json::MakeObject({{"model", "tiny"}, {"input", "And?"}, {"previous_response_id", id}}).Dump()));
  ASSERT_EQ(second->status, 200) << second->body;
  const auto& requests = BackendOf(*api).requests;
  EXPECT_EQ(TinyText().tokenizer.Decode(requests[1].prompt),
            "<|startoftext|><|im_start|>user\nMy name is Anna.<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
            "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n");
  HttpRequest items = Request("/v1/responses/" + id + "/input_items");
  items.method = "GET";
  const Json page = Parsed(Ask(api, items)->body);
  ASSERT_EQ(page["data"].items().size(), 1u);
  EXPECT_EQ(page["data"].items()[0]["content"].Dump(), R"([{"type": "input_text", "text": "My name is Anna."}])");
  HttpRequest remove = get;
  remove.method = "DELETE";
  EXPECT_EQ(Ask(api, remove)->status, 200);
  EXPECT_EQ(Ask(api, get)->status, 404);
  const auto unkept = Ask(api, Request("/v1/responses", R"({"model": "tiny", "input": "x", "store": false})"));
  HttpRequest unkept_get = get;
  unkept_get.path = "/v1/responses/" + Parsed(unkept->body)["id"].AsString();
  EXPECT_EQ(Ask(api, unkept_get)->status, 404);
}

TEST(Routes, LookThingsUp) {
  const auto api = TinyApi();
  HttpRequest get = Request("/v1/models");
  get.method = "GET";
  const Json models = Parsed(Ask(api, get)->body);
  ASSERT_EQ(models["data"].items().size(), 2u);
  EXPECT_EQ(models["data"].items()[0]["max_model_len"].AsInt(), 512);
  get.path = "/v1/models/liquid/tiny";
  EXPECT_EQ(Parsed(Ask(api, get)->body)["id"].AsString(), "liquid/tiny");
  get.path = "/v1/models/nope";
  EXPECT_EQ(Ask(api, get)->status, 404);
  get.path = "/tokenizer_info";
  EXPECT_EQ(Parsed(Ask(api, get)->body)["eos_token"].AsString(), "<|im_end|>");
  get.path = "/openapi.json";
  const Json document = Parsed(Ask(api, get)->body);
  EXPECT_TRUE(document["paths"]["/v1/models/{id}"].is_object());
  EXPECT_EQ(document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]["required"]
                .Dump(),
            R"(["model", "messages"])");
}

TEST(Routes, TokenizeAndBack) {
  const auto api = TinyApi();
  const auto tokens = Ask(api, Request("/tokenize", R"({"content": "Hi <|im_end|>ü", "add_special": true})"));
  const Json document = Parsed(tokens->body);
  const auto ids = TinyText().tokenizer.Encode("Hi <|im_end|>ü", true);
  ASSERT_EQ(document["tokens"].items().size(), ids.size());
  EXPECT_EQ(document["count"].AsInt(), static_cast<int64_t>(ids.size()));
  EXPECT_EQ(document["tokens"].items().back().AsInt(), ids.back());
  const auto text = Ask(api, Request("/detokenize", Json::MakeObject({{"tokens", document["tokens"]}}).Dump()));
  EXPECT_EQ(Parsed(text->body)["content"].AsString(), "<|startoftext|>Hi <|im_end|>ü");
  EXPECT_EQ(Ask(api, Request("/detokenize", R"({"tokens": [99999999]})"))->status, 400);
  const auto pieces = Ask(api, Request("/tokenize", R"({"content": "媽", "with_pieces": true})"));
  EXPECT_FALSE(Parsed(pieces->body)["tokens"].items()[0]["piece"].is_null());
  EXPECT_EQ(Ask(api, Request("/tokenize", "{}"))->status, 400);
  EXPECT_EQ(Ask(api, Request("/v1/embeddings", "{}"))->status, 400);
}

}  // namespace
}  // namespace lfm::server
