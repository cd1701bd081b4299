#include "server/api.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "base/strings.h"
#include "server/classification.h"
#include "server/job.h"
#include "server/parameters.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

using ReplyPtr = std::shared_ptr<Reply>;
using ApiPtr = std::shared_ptr<Api>;
constexpr const char* kJson = "application/json";

// A handler that reads a JSON body and gives a document.
using Answering = std::function<ApiResult<std::string>(const Json& body, const HttpRequest& http)>;
Handler Documents(Answering answer) {
  return [answer = std::move(answer)](const HttpRequest& http, const ReplyPtr& reply) {
    auto body = ParseBody(http.body);
    if (!body.ok()) return reply->Fail(body.error());
    auto document = answer(*body, http);
    if (!document.ok()) return reply->Fail(document.error());
    reply->Send(200, kJson, std::move(document).value());
  };
}

// Routes without /v1 are asked by llama.cpp's clients, who know a prompt that is too long by this type.
ApiError AsAsked(ApiError error, const HttpRequest& http) {
  const bool too_long = error.code == "context_length_exceeded";
  if (too_long && error.type.empty() && !http.path.starts_with("/v1/")) error.type = "exceed_context_size_error";
  return error;
}

// A handler that reads a JSON body and starts work.
using Translating = std::function<ApiResult<Translated>(const Json& body, const HttpRequest& http)>;
Handler Works(const ApiPtr& api, Translating translate) {
  return [api, translate = std::move(translate)](const HttpRequest& http, const ReplyPtr& reply) {
    auto body = ParseBody(http.body);
    if (!body.ok()) return reply->Fail(body.error());
    auto translated = translate(*body, http);
    if (!translated.ok()) return reply->Fail(AsAsked(translated.error(), http));
    StartJob(std::move(translated).value(), api->model, *api->backend, reply);
  };
}

std::string CallerOf(const HttpRequest& http) { return http.caller ? http.caller->id : ""; }

std::string CountDocument(const char* object, size_t n) {
  Json out = Json::MakeObject();
  if (*object) out.Set("object", object);
  return Compact(out.Set("input_tokens", static_cast<int64_t>(n)));
}

void AddGeneration(Router& router, const ApiPtr& api) {
  const ServedModel& model = api->model;
  router.Add("POST", "/v1/chat/completions", Works(api, [&model](const Json& body, const HttpRequest& http) {
               return TranslateChat(body, http, model, IsLenient(http) || model.any_name);
             }));
  router.Add("POST", "/v1/completions", Works(api, [&model](const Json& body, const HttpRequest& http) {
               return TranslateCompletions(body, http, model, IsLenient(http) || model.any_name);
             }));
  router.Add("POST", "/v1/responses", Works(api, [api](const Json& body, const HttpRequest& http) {
               return TranslateResponses(body, http, api->model, api->responses);
             }));
  router.Add("POST", "/v1/messages",
             Works(api, [&model](const Json& body, const HttpRequest& http) { return TranslateMessages(body, http, model); }));
}

// A handler that reads a JSON body and asks for logits.
using Scoring = std::function<ApiResult<ScoringWork>(const Json& body, const HttpRequest& http)>;
Handler Scores(const ApiPtr& api, Scoring translate) {
  return [api, translate = std::move(translate)](const HttpRequest& http, const ReplyPtr& reply) {
    auto body = ParseBody(http.body);
    if (!body.ok()) return reply->Fail(body.error());
    auto work = translate(*body, http);
    if (!work.ok()) return reply->Fail(work.error());
    StartScoring(std::move(work).value(), api->model, *api->backend, reply);
  };
}

void AddScoring(Router& router, const ApiPtr& api) {
  const ServedModel& model = api->model;
  router.Add("POST", "/v1/classify",
             Scores(api, [&model, sets = std::make_shared<LabelSets>()](const Json& body, const HttpRequest& http) {
               return TranslateClassify(body, http, model, *sets);
             }));
  for (const char* path : {"/v1/score", "/generative_scoring"}) {
    router.Add("POST", path,
               Scores(api, [&model](const Json& body, const HttpRequest& http) { return TranslateScore(body, http, model); }));
  }
}

void AddCounting(Router& router, const ApiPtr& api) {
  const ServedModel& model = api->model;
  using Text = ApiResult<std::string>;
  router.Add("POST", "/v1/chat/completions/input_tokens", Documents([&model](const Json& body, const HttpRequest&) -> Text {
               LFM_TRY(const Prompt prompt, ChatPrompt(body, model));
               return CountDocument("", prompt.ids.size());
             }));
  router.Add("POST", "/v1/responses/input_tokens", Documents([api](const Json& body, const HttpRequest& http) -> Text {
               LFM_TRY(const Prompt prompt, ResponsesPrompt(body, http, api->model, api->responses));
               return CountDocument("response.input_tokens", prompt.ids.size());
             }));
  router.Add("POST", "/v1/messages/count_tokens", Documents([&model](const Json& body, const HttpRequest&) -> Text {
               LFM_TRY(const Prompt prompt, MessagesPrompt(body, model));
               return CountDocument("", prompt.ids.size());
             }));
  router.Add("POST", "/apply-template", Documents([&model](const Json& body, const HttpRequest&) -> Text {
               LFM_TRY(const Prompt prompt, ChatPrompt(body, model));
               return Compact(Json::MakeObject({{"prompt", prompt.text}, {"count", static_cast<int64_t>(prompt.ids.size())}}));
             }));
  router.Add("POST", "/tokenize", Documents([&model](const Json& body, const HttpRequest&) { return Tokenize(body, model); }),
             {.quick = true});
  router.Add("POST", "/detokenize", Documents([&model](const Json& body, const HttpRequest&) { return Detokenize(body, model); }),
             {.quick = true});
}

ApiError NoSuchResponse(const std::string& id) {
  return ApiError{404, StrCat("There is no response ", Quote(id, 100), " (any more)"), "response_id", "response_not_found"};
}

ApiResult<int64_t> QueryLimit(const HttpRequest& http) {
  const std::string_view text = http.query_value("limit");
  if (text.empty()) return int64_t{20};
  int64_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size() || limit < 1 || limit > 100) {
    return BadRequest(StrCat("limit is ", Quote(text), "; it must be a number from 1 to 100"), "limit");
  }
  return limit;
}

// A page of the stored items, newest first unless order=asc.
ApiResult<std::string> ItemsPage(const StoredResponse& stored, const HttpRequest& http) {
  LFM_TRY(const int64_t limit, QueryLimit(http));
  const std::string_view order = http.query_value("order"), after = http.query_value("after");
  if (!order.empty() && order != "asc" && order != "desc") {
    return BadRequest(StrCat("order is ", Quote(order), "; it must be asc or desc"), "order");
  }
  auto items = ParseJson(stored.input_items);
  Json::Array list = items.ok() ? std::move(items->items()) : Json::Array();
  if (order != "asc") std::reverse(list.begin(), list.end());
  if (!after.empty()) {
    const auto at = std::find_if(list.begin(), list.end(), [&](const Json& item) { return item["id"].AsString() == after; });
    list.erase(list.begin(), at == list.end() ? at : at + 1);
  }
  const bool more = list.size() > static_cast<size_t>(limit);
  if (more) list.resize(static_cast<size_t>(limit));
  const Json first = list.empty() ? Json() : list.front()["id"], last = list.empty() ? Json() : list.back()["id"];
  return Compact(Json::MakeObject({{"object", "list"},
                                   {"data", Json::MakeArray(std::move(list))},
                                   {"first_id", first},
                                   {"last_id", last},
                                   {"has_more", more}}));
}

void AddStoredResponses(Router& router, const ApiPtr& api) {
  router.Add("GET", "/v1/responses/{id}", [api](const HttpRequest& http, const ReplyPtr& reply) {
    const std::string id(http.param("id"));
    const auto stored = api->responses.Find(CallerOf(http), id);
    if (!stored) return reply->Fail(NoSuchResponse(id));
    if (http.query_value("stream") == "true") {
      return reply->Fail(BadRequest("a finished response is not streamed again", "stream", "unsupported_value"));
    }
    reply->Send(200, kJson, stored->response);
  });
  router.Add("DELETE", "/v1/responses/{id}", [api](const HttpRequest& http, const ReplyPtr& reply) {
    const std::string id(http.param("id"));
    if (!api->responses.Remove(CallerOf(http), id)) return reply->Fail(NoSuchResponse(id));
    reply->Send(200, kJson, Compact(Json::MakeObject({{"id", id}, {"object", "response.deleted"}, {"deleted", true}})));
  });
  router.Add("GET", "/v1/responses/{id}/input_items", [api](const HttpRequest& http, const ReplyPtr& reply) {
    const std::string id(http.param("id"));
    const auto stored = api->responses.Find(CallerOf(http), id);
    if (!stored) return reply->Fail(NoSuchResponse(id));
    auto page = ItemsPage(*stored, http);
    if (!page.ok()) return reply->Fail(page.error());
    reply->Send(200, kJson, std::move(page).value());
  });
  router.Add("POST", "/v1/responses/{id}/cancel",
             [api](const HttpRequest& http, const ReplyPtr& reply) {
               const std::string id(http.param("id"));
               if (!api->responses.Find(CallerOf(http), id)) return reply->Fail(NoSuchResponse(id));
               reply->Fail(BadRequest("only background responses can be cancelled, and this one is finished", "response_id"));
             },
             {.any_type = true});
}

void AddLookUps(Router& router, const ApiPtr& api) {
  const auto fixed = [&router](const char* path, std::string document) {
    router.Add("GET", path,
               [document = std::move(document)](const HttpRequest&, const ReplyPtr& reply) { reply->Send(200, kJson, document); },
               {.quick = true});
  };
  fixed("/props", Compact(PropsJson(*api)));
  fixed("/tokenizer_info", Compact(TokenizerInfoJson(api->model)));
  fixed("/openapi.json", OpenApiDocument(*api));
  router.Add("GET", "/v1/models",
             [document = ModelsDocument(api->model), open_router = OpenRouterDocument(api->model)](const HttpRequest& http,
                                                                                                   const ReplyPtr& reply) {
               const std::string_view schema = http.query_value("schema");
               if (!schema.empty() && schema != "openrouter" && schema != "openai") {
                 return reply->Fail(BadRequest(StrCat("schema is ", Quote(schema), "; supported: openai, openrouter"), "schema"));
               }
               reply->Send(200, kJson, schema == "openrouter" ? open_router : document);
             },
             {.quick = true});
  router.Add("GET", "/v1/models/{id...}",
             [api](const HttpRequest& http, const ReplyPtr& reply) {
               const Json name = std::string(http.param("id"));
               const auto& names = api->model.names;
               if (std::find(names.begin(), names.end(), name.AsString()) == names.end()) {
                 ServedModel strict;
                 strict.names = names;
                 return reply->Fail(CheckModelName(strict, &name, true).error());
               }
               reply->Send(200, kJson, Compact(ModelJson(api->model, name.AsString())));
             },
             {.quick = true});
  router.Add("POST", "/v1/embeddings", [](const HttpRequest&, const ReplyPtr& reply) {
    reply->Fail(ApiError{400, "This model makes text; it has no embeddings.", "model", "unsupported_value"});
  });
}

}  // namespace

void AddApiRoutes(Router& router, const std::shared_ptr<Api>& api) {
  AddGeneration(router, api);
  AddScoring(router, api);
  AddCounting(router, api);
  AddStoredResponses(router, api);
  AddLookUps(router, api);
}

}  // namespace lfm::server
