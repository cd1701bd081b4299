// The flags that shape an answer: sampling, penalties, what ends it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/args.h"
#include "engine/generate.h"

namespace lfm::cli {

struct SamplingArgs {
  std::optional<float> temperature, top_p, min_p, typical_p;
  std::optional<float> repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k, n_logprobs;
  std::optional<uint64_t> seed;
  std::optional<int64_t> max_tokens;
  std::vector<std::string> logit_bias, stops;
  bool ignore_eos = false, special = false;

  void Declare(Args& args);

  // The model's defaults with what was given on top, checked. Without --seed a random one is drawn.
  Result<engine::GenerationParams> Params(const engine::SamplingParams& defaults, int n_vocab) const;
};

}  // namespace lfm::cli
