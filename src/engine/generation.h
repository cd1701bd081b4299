// What is asked of an answer, and what it is made of: shared by Generate() for one sequence and Engine for many.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/sampler.h"
#include "engine/token_mask.h"
#include "text/stream_decoder.h"

namespace lfm::engine {

enum class StopReason {
  kEos,        // an end-of-generation token was sampled
  kLength,     // max_tokens, or the end of the context
  kStop,       // a stop string
  kCancelled,  // the caller wanted no more
};
std::string_view StopReasonName(StopReason reason);  // "eos", "length", "stop", "cancelled"

struct GenerationParams {
  SamplingParams sampling;
  int64_t max_tokens = -1;         // at most; -1: to the end of the context
  std::vector<std::string> stops;  // stop strings; the text ends before the first one
  bool ignore_eos = false;         // end tokens are tokens like any other; not with a mask
  int n_logprobs = -1;             // alternatives per token; -1: no log probabilities at all
  text::StreamDecoder::Special special = text::StreamDecoder::Special::kShown;
  std::shared_ptr<const TokenMask> mask;  // the state before the first token, forked for each answer; null: all may come
};
constexpr int kMaxLogprobs = 1000;

struct TokenInfo {
  int32_t id = 0;
  float logprob = 0;              // of the model's own distribution, before penalties, mask and temperature
  std::vector<TokenLogprob> top;  // the n_logprobs best
};

struct Timings {
  int64_t n_prompt = 0;  // tokens read; the reused ones are not among them
  int64_t n_reused = 0;
  double queued_ms = 0;  // from the request to its first step; 0 without a queue
  double prompt_ms = 0;
  int64_t n_predicted = 0;
  double predicted_ms = 0;
  double prompt_per_second() const { return prompt_ms > 0 ? 1e3 * static_cast<double>(n_prompt) / prompt_ms : 0; }
  double predicted_per_second() const { return predicted_ms > 0 ? 1e3 * static_cast<double>(n_predicted) / predicted_ms : 0; }
};

}  // namespace lfm::engine
