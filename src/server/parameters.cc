#include "server/parameters.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "base/strings.h"

namespace lfm::server {
namespace {

constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();
constexpr int kMaxBiases = 100'000;  // a vocabulary may be banned but for a few ids

// NaN and the infinities, which the parser of model files lets pass. Depth is bounded by the parser.
bool HasNonFinite(const Json& value) {
  if (value.is_number()) return value.NumberText().find_first_of("Nn") != std::string::npos;
  for (const Json& item : value.items()) {
    if (HasNonFinite(item)) return true;
  }
  for (const auto& [name, member] : value.members()) {
    if (HasNonFinite(member)) return true;
  }
  return false;
}

ApiError InvalidJson(std::string message) { return ApiError{400, std::move(message), std::nullopt, "json_invalid"}; }

uint64_t DrawSeed() {
  static thread_local std::mt19937_64 generator{std::random_device{}()};
  return generator();
}

// "token id": bias
ApiStatus ReadLogitBias(const Json& map, int32_t vocab_size, engine::SamplingParams& sampling) {
  for (const auto& [name, bias] : map.members()) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc() || end != name.data() + name.size() || id < 0 || id >= vocab_size) {
      return BadRequest(StrCat("logit_bias names ", Quote(name), ", which is no token id from 0 to ", vocab_size - 1),
                        "logit_bias");
    }
    sampling.logit_bias.emplace_back(static_cast<int32_t>(id), static_cast<float>(bias.AsDouble()));
  }
  return {};
}

// What is above 0 stays so: the ranges of some parameters are open there.
void TakeFloat(const Json& body, const char* name, float& out) {
  if (!body[name].is_number()) return;
  const double value = body[name].AsDouble();
  out = static_cast<float>(value);
  if (out == 0 && value > 0) out = std::numeric_limits<float>::denorm_min();
}

}  // namespace

ApiResult<Json> ParseBody(std::string_view body) {
  // Every value but the first comes behind one of these; each takes some 100 bytes of memory.
  const auto n_values = std::count_if(body.begin(), body.end(), [](char c) { return c == ',' || c == '[' || c == '{'; });
  if (static_cast<size_t>(n_values) > kMaxJsonValues) {
    return InvalidJson(StrCat("the body holds more than ", kMaxJsonValues, " values"));
  }
  auto json = ParseJson(body, {.max_depth = kMaxDepth});
  if (!json.ok()) return InvalidJson(StrCat("the body is no valid JSON: ", json.error().message));
  if (body.find("N") != std::string_view::npos || body.find("Inf") != std::string_view::npos) {
    if (HasNonFinite(*json)) return InvalidJson("the body is no valid JSON: it holds NaN or Infinity");
  }
  if (!json->is_object()) return InvalidJson("the body must be a JSON object");
  return std::move(json).value();
}

Schema StopSchema() { return TextSchema(1, kMaxStopBytes).Or(ListSchema(TextSchema(1, kMaxStopBytes), 0, kMaxStopStrings)); }

SchemaMembers SamplingMembers(double max_temperature) {
  Schema repetition = NumberSchema(0, 100);
  repetition.above_min = true;
  Schema typical = NumberSchema(0, 1);
  typical.above_min = true;
  Schema biases = MapSchema(NumberSchema(-100, 100), kMaxBiases);
  biases.keys_are_tokens = true;
  return {
      Optional("temperature", NumberSchema(0, max_temperature), "0 takes the best token"),
      Optional("top_p", NumberSchema(0, 1), "1: off"),
      Optional("top_k", IntegerSchema(-1, 1 << 30), "0 and -1: off"),
      Optional("min_p", NumberSchema(0, 1), "0: off"),
      Optional("typical_p", typical, "1: off"),
      Optional("repetition_penalty", repetition, "1: off"),
      Optional("repeat_penalty", repetition, "the same under llama.cpp's name"),
      Optional("presence_penalty", NumberSchema(-2, 2), ""),
      Optional("frequency_penalty", NumberSchema(-2, 2), ""),
      Optional("seed", IntegerSchema(), "the same seed, prompt and parameters give the same answer"),
      Optional("logit_bias", biases, "token ids to what is added to their logits"),
      Optional("ignore_eos", BoolSchema(), "goes on after the model's end token"),
  };
}

SchemaMembers OpenAiMembers() {
  return {
      Optional("n", IntegerSchema(1, engine::kMaxChoices), "answers; choice i is the same for every larger n"),
      Optional("stop", StopSchema(), "the text ends before the first of these"),
      Optional("stream", BoolSchema(), "server-sent events"),
      Optional("stream_options",
               ObjectSchema({Optional("include_usage", BoolSchema(), "a last chunk with the usage"),
                             Optional("include_obfuscation", BoolSchema(), "accepted; nothing is padded")}),
               "only with stream"),
      Optional("user", TextSchema(), "accepted"),
  };
}

SchemaRule StreamOptionsRule() {
  return {SchemaRule::Kind::kNeeds, {"stream_options", "stream"}, "stream_options is only allowed with stream"};
}

SchemaMembers ServingMembers() {
  Schema timeout = NumberSchema(0, 86'400);
  timeout.above_min = true;
  timeout.promised_min = 1;  // less may be too short for any answer
  return {
      Optional("cache_prompt", BoolSchema(), "false: the prefix cache is neither used nor filled"),
      Optional("cache_salt", TextSchema(0, 256), "cached prefixes are shared among requests of one salt only"),
      Optional("priority", IntegerSchema(-1000, 1000), "lower goes first"),
      Optional("timeout", timeout, "seconds after which the request ends with an error"),
      Optional("return_progress", BoolSchema(), "events while the prompt is read (chat streams)"),
  };
}

SchemaMembers RefusedMembers() {
  const std::string use = "use structured_outputs";
  return {
      Refused("guided_json", use),
      Refused("guided_regex", use),
      Refused("guided_choice", use),
      Refused("guided_grammar", use),
      Refused("min_tokens", "an answer may end when the model ends it", {0}),
      Refused("stop_token_ids", "use stop", {Json::MakeArray()}),
      Refused("include_stop_str_in_output", "the text ends before a stop string", {false}),
      Refused("bad_words", "use logit_bias", {Json::MakeArray()}),
      Refused("use_beam_search", "there is no beam search", {false}),
      Refused("truncate_prompt_tokens", "a prompt is read whole or refused"),
      Refused("prompt_embeds", "prompts are text or token ids"),
      Refused("mirostat", "not one of this server's samplers", {0}),
      Refused("dry_multiplier", "not one of this server's samplers", {0, 0.0}),
      Refused("xtc_probability", "not one of this server's samplers", {0, 0.0}),
      Refused("dynatemp_range", "not one of this server's samplers", {0, 0.0}),
      Refused("top_n_sigma", "not one of this server's samplers", {-1, 0, -1.0, 0.0}),
      Refused("top_a", "not one of this server's samplers", {0, 0.0}),
      Refused("chat_template", "templates are the server's: --template"),
  };
}

void Append(SchemaMembers& members, SchemaMembers more) {
  members.insert(members.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

ApiResult<engine::GenerationParams> ReadGeneration(const Json& body, const ServedModel& model) {
  engine::GenerationParams params;
  params.sampling = model.sampling;
  engine::SamplingParams& sampling = params.sampling;
  TakeFloat(body, "temperature", sampling.temperature);
  TakeFloat(body, "top_p", sampling.top_p);
  TakeFloat(body, "min_p", sampling.min_p);
  TakeFloat(body, "typical_p", sampling.typical_p);
  TakeFloat(body, "repeat_penalty", sampling.repetition_penalty);
  TakeFloat(body, "repetition_penalty", sampling.repetition_penalty);
  TakeFloat(body, "presence_penalty", sampling.presence_penalty);
  TakeFloat(body, "frequency_penalty", sampling.frequency_penalty);
  if (body["top_k"].is_number()) sampling.top_k = std::max(0, static_cast<int>(body["top_k"].AsInt()));
  LFM_RETURN_IF_ERROR(ReadLogitBias(body["logit_bias"], model.vocab_size, sampling));
  if (body["seed"].is_number()) {
    sampling.seed = static_cast<uint64_t>(body["seed"].AsInt());
  } else if (!model.has_seed) {
    sampling.seed = DrawSeed();
  }
  params.ignore_eos = body["ignore_eos"].AsBool();
  if (params.ignore_eos) {  // as in llama.cpp: the text goes on, and no mark of a turn stands in it
    for (const int32_t id : model.text->tokenizer.end_of_generation()) sampling.logit_bias.emplace_back(id, -INFINITY);
  }
  return params;
}

std::vector<std::string> ReadStops(const Json& stop) {
  std::vector<std::string> stops;
  if (stop.is_string()) stops.push_back(stop.AsString());
  for (const Json& one : stop.items()) stops.push_back(one.AsString());
  return stops;
}

ApiStatus ReadServing(const Json& body, const HttpRequest& http, engine::Request& request) {
  request.client = http.caller ? http.caller->id : "";
  // A zero byte cannot stand in a key's id, so no salt can reach another key's prefixes.
  request.tenant = request.client + '\0' + body["cache_salt"].AsString();
  if (body["cache_prompt"].is_bool()) request.cache_prompt = body["cache_prompt"].AsBool();
  request.priority = static_cast<int>(body["priority"].AsInt());
  if (body["timeout"].is_number()) {
    const std::chrono::duration<double> seconds(body["timeout"].AsDouble());
    const auto from = http.arrived == Clock::time_point() ? Clock::now() : http.arrived;
    request.deadline = from + std::chrono::duration_cast<Clock::duration>(seconds);
  }
  return {};
}

int64_t ReadMaxTokens(const Json& body, const ServedModel& model) {
  int64_t max_tokens = -1;
  for (const char* name : {"max_tokens", "max_completion_tokens"}) {
    if (!body[name].is_number()) continue;
    const int64_t asked = body[name].AsInt();
    max_tokens = max_tokens < 0 ? asked : std::min(max_tokens, asked);
  }
  return max_tokens < 0 ? model.max_tokens : std::min(max_tokens, kMaxInt64 / 2);
}

ApiError ContextExceeded(int64_t n_prompt, int64_t n_ctx, const std::string& param) {
  ApiError error = BadRequest(StrCat("This model's maximum context length is ", n_ctx, " tokens. However, your ", param,
                                     " resulted in ", n_prompt, " tokens. Please reduce the length of the ", param, "."),
                              param, "context_length_exceeded");
  error.extra = Json::MakeObject({{"n_prompt_tokens", n_prompt}, {"n_ctx", n_ctx}});
  return error;
}

ApiError FromEngine(const Error& error, double retry_after_seconds) {
  const auto retry = [&](int status, std::string message, std::string code, std::string type) {
    const auto seconds = static_cast<int64_t>(std::ceil(std::clamp(retry_after_seconds, 1.0, 3600.0)));
    return ApiError{status,          std::move(message), std::nullopt,
                    std::move(code), std::move(type),    {{"Retry-After", std::to_string(seconds)}}};
  };
  switch (error.code) {
    case ErrorCode::kBusy:
      return retry(429, "The server's queue is full. Please try again later.", "rate_limit_exceeded", "rate_limit_error");
    case ErrorCode::kDeadline:
      return ApiError{408, "The request's timeout was reached.", "timeout", "request_timeout", "timeout_error"};
    case ErrorCode::kCancelled: return ApiError{503, "The request was cancelled.", std::nullopt, "cancelled", "server_error"};
    case ErrorCode::kOutOfMemory:
      return retry(503, "The server has no memory for this request now.", "overloaded", "server_error");
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kLimit:
    case ErrorCode::kUnsupported: return ApiError{400, error.message, std::nullopt, "invalid_value"};
    default: return ApiError{500, "The server failed to answer this request.", std::nullopt, std::nullopt, "server_error"};
  }
}

}  // namespace lfm::server
