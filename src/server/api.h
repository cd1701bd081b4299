// The routes of all APIs: OpenAI's chat, completions, responses and models, Anthropic's messages, tokens, templates, and the
// description of them all.
#pragma once

#include <memory>
#include <string>

#include "server/backend.h"
#include "server/http.h"
#include "server/response_store.h"
#include "server/schema.h"
#include "server/served_model.h"

namespace lfm::server {

// What the routes share. Lives as long as requests may run.
struct Api {
  ServedModel model;
  std::shared_ptr<Backend> backend;
  ResponseStore responses;
  std::string version;                 // of the program
  int n_parallel = 0;                  // sequences at a time, for /props
  double limit_tokens_per_second = 0;  // what the machine allows one answer, for /props; 0: not measured
};

void AddApiRoutes(Router& router, const std::shared_ptr<Api>& api);

// The documents of the routes that only look something up.
std::string ModelsDocument(const ServedModel& model);
std::string OpenRouterDocument(const ServedModel& model);
Json ModelJson(const ServedModel& model, const std::string& name);
std::string OpenApiDocument(const Api& api);
Json PropsJson(const Api& api);
Json TokenizerInfoJson(const ServedModel& model);

const Schema& TokenizeSchema();
const Schema& DetokenizeSchema();
const Schema& ApplyTemplateSchema();
ApiResult<std::string> Tokenize(const Json& body, const ServedModel& model);
ApiResult<std::string> Detokenize(const Json& body, const ServedModel& model);

}  // namespace lfm::server
