// Parameters that several endpoints share: their tables, and what a checked body asks the engine for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "server/api_result.h"
#include "server/schema.h"
#include "server/served_model.h"

namespace lfm::server {

// Limits of one request (docs/server.md lists them).
constexpr int kMaxDepth = 100;                // of JSON
constexpr size_t kMaxJsonValues = 2'000'000;  // numbers, texts, lists and objects of a body
constexpr int kMaxStopStrings = 16;
constexpr size_t kMaxStopBytes = 256;
constexpr int kMaxTopLogprobs = 20;
constexpr int kMaxTools = 128;
constexpr int kMaxMessages = 10'000;
constexpr int kMaxParts = 1'000;  // of one message's content

// A request's JSON: an object of at most kMaxDepth, valid UTF-8, finite numbers.
ApiResult<Json> ParseBody(std::string_view body);

// temperature ... logit_bias and the extensions that local servers have. `max_temperature`: 2, Anthropic's is 1.
SchemaMembers SamplingMembers(double max_temperature);
// seed, stop, n and others of OpenAI's two older endpoints.
SchemaMembers OpenAiMembers();
// stream_options needs stream.
SchemaRule StreamOptionsRule();
// cache_prompt, cache_salt, priority, timeout, return_progress.
SchemaMembers ServingMembers();
// What other servers know and this one does not: refused by name, so that nothing is silently ignored.
SchemaMembers RefusedMembers();
Schema StopSchema();

// Appends.
void Append(SchemaMembers& members, SchemaMembers more);

// Sampling, seed and ignore_eos of a body that its table has checked.
ApiResult<engine::GenerationParams> ReadGeneration(const Json& body, const ServedModel& model);
// `stop` (or Anthropic's stop_sequences): a text, a list of texts, or null.
std::vector<std::string> ReadStops(const Json& stop);
// Who asks, cache, priority, deadline.
ApiStatus ReadServing(const Json& body, const HttpRequest& http, engine::Request& request);

// The smaller one of max_tokens and max_completion_tokens, or the server's default.
int64_t ReadMaxTokens(const Json& body, const ServedModel& model);

// 400 context_length_exceeded, in words that clients match.
ApiError ContextExceeded(int64_t n_prompt, int64_t n_ctx, const std::string& param);
// What Engine::Submit or a running answer failed with, as the client may see it.
ApiError FromEngine(const Error& error, double retry_after_seconds = 1);

}  // namespace lfm::server
