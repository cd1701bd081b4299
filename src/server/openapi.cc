// /openapi.json: every route with its parameters, ranges and errors, from the tables that check the requests.
#include <utility>
#include <vector>

#include "base/strings.h"
#include "server/api.h"
#include "server/classification.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

Json Ref(const char* name) { return Json::MakeObject({{"$ref", StrCat("#/components/schemas/", name)}}); }

Json Content(const char* type, Json schema) {
  return Json::MakeObject({{type, Json::MakeObject({{"schema", std::move(schema)}})}});
}

// What every answer but the expected one looks like.
Json Errors(bool anthropic, std::initializer_list<const char*> statuses) {
  const std::pair<const char*, const char*> known[] = {{"400", "the request must be changed"},
                                                       {"401", "no key, or a wrong one"},
                                                       {"403", "a foreign host or origin"},
                                                       {"404", "no such model or object"},
                                                       {"408", "the request's timeout"},
                                                       {"413", "the body is too large"},
                                                       {"415", "the body is no JSON"},
                                                       {"421", "a foreign host"},
                                                       {"429", "too many requests; see Retry-After"},
                                                       {"500", "a defect of the server"},
                                                       {"503", "loading, draining, or out of memory; see Retry-After"}};
  Json out = Json::MakeObject();
  for (const auto& [status, what] : known) {
    bool wanted = false;
    for (const char* one : statuses) wanted |= std::string_view(one) == status;
    if (!wanted) continue;
    out.Set(status, Json::MakeObject({{"description", what},
                                      {"content", Content("application/json", Ref(anthropic ? "AnthropicError" : "Error"))}}));
  }
  return out;
}

struct Operation {
  const char* path;
  const char* method;
  const char* id;
  const char* summary;
  const Schema* body = nullptr;
  bool streams = false;
  bool anthropic = false;
};

// A pattern of the decimal numbers below n, for n > 0: those of fewer digits, and for each digit of n - 1 those that first
// differ from it there, or end.
std::string NumbersBelow(int64_t n) {
  const std::string most = std::to_string(n - 1);
  const auto digits = [](size_t count) { return count == 0 ? "" : StrCat("[0-9]{", count, "}"); };
  std::string pattern = "^(0";
  for (size_t length = 1; length < most.size(); ++length) pattern += StrCat("|[1-9]", digits(length - 1));
  for (size_t i = 0; i < most.size(); ++i) {
    const char low = i == 0 ? '1' : '0';
    if (most[i] <= low) continue;
    const char high = static_cast<char>(most[i] - 1);
    pattern +=
        StrCat("|", most.substr(0, i), "[", std::string(1, low), "-", std::string(1, high), "]", digits(most.size() - i - 1));
  }
  return StrCat(pattern, "|", most, ")$");
}

// Fills in the vocabulary's size where token ids are marked. Depth is bounded by the tables'.
void SetTokenIds(Json& schema, int32_t vocab_size) {
  if (!schema["x-token-id"].is_null()) {
    const bool integer = schema["type"].AsString() == "integer";
    schema = integer ? Json::MakeObject({{"type", "integer"}, {"minimum", 0}, {"maximum", int64_t{vocab_size} - 1}})
                     : Json::MakeObject({{"pattern", NumbersBelow(vocab_size)}});
    return;
  }
  for (Json& item : schema.items()) SetTokenIds(item, vocab_size);
  for (auto& [name, value] : schema.members()) SetTokenIds(value, vocab_size);
}

Json NamesSchema(const ServedModel& model) {
  Json names = Json::MakeArray();
  for (const std::string& name : model.names) names.Append(name);
  return Json::MakeObject({{"type", "string"}, {"enum", std::move(names)}});
}

// The body's schema with the names of the models that are served.
Json BodySchema(const Schema& schema, const ServedModel& model) {
  Json body = ToJsonSchema(schema);
  SetTokenIds(body, model.vocab_size);
  const Json& properties = body["properties"];
  if (!properties["model"].is_null() && !model.any_name) {
    Json changed = properties;
    changed.Set("model", NamesSchema(model));
    body.Set("properties", std::move(changed));
  }
  return body;
}

// "{id...}" is the router's; OpenAPI knows "{id}".
std::string PathOf(std::string path) {
  if (const size_t dots = path.find("..."); dots != std::string::npos) path.erase(dots, 3);
  return path;
}

Json OperationJson(const Operation& operation, const ServedModel& model) {
  Json responses =
      operation.body ? Errors(operation.anthropic, {"400", "401", "403", "404", "408", "413", "415", "421", "429", "500", "503"})
                     : Errors(operation.anthropic, {"400", "401", "403", "404", "421", "429", "503"});
  Json content = Content("application/json", Json::MakeObject({{"type", "object"}}));
  // Without a schema: 3.1 does not say whether one would hold for the whole stream or for an event of it.
  if (operation.streams) content.Set("text/event-stream", Json::MakeObject());
  responses.Set("200", Json::MakeObject({{"description", "the answer"}, {"content", std::move(content)}}));
  Json out = Json::MakeObject({{"operationId", operation.id}, {"summary", operation.summary}});
  const std::string path = PathOf(operation.path);
  if (const size_t open = path.find('{'); open != std::string::npos) {
    const std::string name = path.substr(open + 1, path.find('}') - open - 1);
    const bool of_model = path.find("/models/") != std::string::npos;
    Json schema = of_model ? NamesSchema(model) : Json::MakeObject({{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{1,64}$"}});
    out.Set(
        "parameters",
        Json::MakeArray({Json::MakeObject({{"name", name}, {"in", "path"}, {"required", true}, {"schema", std::move(schema)}})}));
  }
  if (operation.body) {
    out.Set("requestBody",
            Json::MakeObject({{"required", true}, {"content", Content("application/json", BodySchema(*operation.body, model))}}));
  }
  return out.Set("responses", std::move(responses));
}

Json ErrorSchemas() {
  const Json text = Json::MakeObject({{"type", "string"}});
  const Json text_or_null = Json::MakeObject({{"type", Json::MakeArray({"string", "null"})}});
  const Json error = Json::MakeObject(
      {{"type", "object"},
       {"properties", Json::MakeObject({{"message", text}, {"type", text}, {"param", text_or_null}, {"code", text_or_null}})},
       {"required", Json::MakeArray({"message", "type", "param", "code"})}});
  const Json anthropic = Json::MakeObject({{"type", "object"},
                                           {"properties", Json::MakeObject({{"message", text}, {"type", text}})},
                                           {"required", Json::MakeArray({"message", "type"})}});
  const auto wrapped = [](const Json& inner, Json::Object more) {
    more.emplace_back("error", inner);
    return Json::MakeObject(
        {{"type", "object"}, {"properties", Json::MakeObject(std::move(more))}, {"required", Json::MakeArray({"error"})}});
  };
  return Json::MakeObject({{"Error", wrapped(error, {})},
                           {"AnthropicError", wrapped(anthropic, {{"type", Json::MakeObject({{"const", "error"}})}})}});
}

}  // namespace

std::string OpenApiDocument(const Api& api) {
  const Operation operations[] = {
      {"/v1/chat/completions", "post", "createChatCompletion", "Answers a conversation (OpenAI)", &ChatSchema(), true},
      {"/v1/completions", "post", "createCompletion", "Continues text or tokens (OpenAI)", &CompletionsSchema(), true},
      {"/v1/responses", "post", "createResponse", "Answers with items; kept for later turns (OpenAI)", &ResponsesSchema(), true},
      {"/v1/responses/{id}", "get", "getResponse", "A kept response"},
      {"/v1/responses/{id}", "delete", "deleteResponse", "Forgets a kept response"},
      {"/v1/responses/{id}/input_items", "get", "listInputItems", "What a kept response was asked"},
      {"/v1/messages", "post", "createMessage", "Answers a conversation (Anthropic)", &MessagesRequestSchema(), true, true},
      {"/v1/messages/count_tokens", "post", "countMessageTokens", "Tokens of a conversation (Anthropic)", &CountTokensSchema(),
       false, true},
      {"/v1/classify", "post", "classify", "Texts to labels with probabilities", &ClassifySchema()},
      {"/v1/score", "post", "score", "Probabilities of tokens behind prompts (SGLang)", &ScoreSchema()},
      {"/generative_scoring", "post", "generativeScoring", "The same under vLLM's name", &ScoreSchema()},
      {"/v1/chat/completions/input_tokens", "post", "countChatTokens", "Tokens of a conversation", &ChatSchema()},
      {"/v1/models", "get", "listModels", "What is served; ?schema=openrouter for OpenRouter's document"},
      {"/v1/models/{id...}", "get", "getModel", "One model"},
      {"/tokenize", "post", "tokenize", "Text to token ids", &TokenizeSchema()},
      {"/detokenize", "post", "detokenize", "Token ids to text", &DetokenizeSchema()},
      {"/apply-template", "post", "applyTemplate", "A conversation to its prompt", &ApplyTemplateSchema()},
      {"/tokenizer_info", "get", "getTokenizerInfo", "Special tokens and the chat template"},
      {"/props", "get", "getProps", "Settings of the server"},
      {"/health", "get", "getHealth", "Whether the server is ready"},
  };
  Json paths = Json::MakeObject();
  for (const Operation& operation : operations) {
    Json path = paths[PathOf(operation.path)];
    path.Set(operation.method, OperationJson(operation, api.model));
    paths.Set(PathOf(operation.path), std::move(path));
  }
  const Json bearer = Json::MakeObject({{"type", "http"}, {"scheme", "bearer"}});
  return Compact(Json::MakeObject(
      {{"openapi", "3.1.0"},
       {"info", Json::MakeObject({{"title", "lfm serve"}, {"version", api.version}})},
       {"paths", std::move(paths)},
       {"components",
        Json::MakeObject({{"schemas", ErrorSchemas()}, {"securitySchemes", Json::MakeObject({{"key", bearer}})}})}}));
}

}  // namespace lfm::server
