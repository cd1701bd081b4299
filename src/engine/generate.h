// One answer: prompt in, tokens out, with everything that may end it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "text/stream_decoder.h"

namespace lfm::engine {

enum class StopReason {
  kEos,        // an end-of-generation token was sampled
  kLength,     // max_tokens, or the end of the context
  kStop,       // a stop string
  kCancelled,  // Session::cancel, or the callback wanted no more
};
std::string_view StopReasonName(StopReason reason);  // "eos", "length", "stop", "cancelled"

struct GenerationParams {
  SamplingParams sampling;
  int64_t max_tokens = -1;         // at most; -1: to the end of the context
  std::vector<std::string> stops;  // stop strings; the text ends before the first one
  bool ignore_eos = false;         // end tokens are tokens like any other
  int n_logprobs = -1;             // alternatives per token; -1: no log probabilities at all
  text::StreamDecoder::Special special = text::StreamDecoder::Special::kShown;
};
constexpr int kMaxLogprobs = 1000;

struct TokenInfo {
  int32_t id = 0;
  float logprob = 0;              // of the model's own distribution, before penalties and temperature
  std::vector<TokenLogprob> top;  // the n_logprobs best
};

struct Timings {
  int64_t n_prompt = 0;  // tokens read; the reused ones are not among them
  int64_t n_reused = 0;
  double prompt_ms = 0;
  int64_t n_predicted = 0;
  double predicted_ms = 0;
  double prompt_per_second() const {
    return prompt_ms > 0 ? 1e3 * static_cast<double>(n_prompt) / prompt_ms : 0;
  }
  double predicted_per_second() const {
    return predicted_ms > 0 ? 1e3 * static_cast<double>(n_predicted) / predicted_ms : 0;
  }
};

struct Generation {
  std::vector<int32_t> ids;  // generated; an end token is the last one when one was sampled
  std::string text;          // valid UTF-8
  StopReason stop_reason = StopReason::kLength;
  std::string stop;                 // the stop string that was found
  std::vector<TokenInfo> logprobs;  // one per id where asked for
  Timings timings;
};

// Called for each sampled token, with the text that is certain now (often empty); what is certain only at the
// end is in Generation::text alone, which begins with all the pieces. False ends the answer.
using TokenCallback = std::function<bool(const TokenInfo& token, std::string_view text)>;

// Reads `prompt` (reusing what the session has of it) and generates. All parameters and the room in the
// context are checked before any work. The model must have text. On return the session has read the prompt
// and all ids but the last one.
Result<Generation> Generate(Session& session, std::span<const int32_t> prompt, const GenerationParams& params,
                            const TokenCallback& on_token = {});

}  // namespace lfm::engine
