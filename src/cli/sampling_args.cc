#include "cli/sampling_args.h"

#include <limits>
#include <random>

#include "base/strings.h"
#include "cli/values.h"

namespace lfm::cli {
namespace {

template <typename T>
void Override(const std::optional<T>& given, T& field) {
  if (given) field = *given;
}

uint64_t RandomSeed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

void SamplingArgs::Declare(Args& args) {
  args.Integer("-n,--max-tokens", max_tokens, "N", "tokens to generate at most (default: to the end of the context)");
  args.Real("--temp,--temperature", temperature, "X", "temperature; 0 always takes the best token");
  args.Integer("--top-k", top_k, "N", "keep the N best tokens; 0: off");
  args.Real("--top-p", top_p, "X", "keep the best tokens that hold this share of the probability; 1: off");
  args.Real("--min-p", min_p, "X", "drop tokens below this share of the best one's probability; 0: off");
  args.Real("--typical-p", typical_p, "X", "keep the most typical tokens that hold this share; 1: off");
  args.Real("--repeat-penalty", repetition_penalty, "X", "divides the logits of tokens that were there before; 1: off");
  args.Real("--presence-penalty", presence_penalty, "X", "taken from the logit of each token generated before");
  args.Real("--frequency-penalty", frequency_penalty, "X", "the same, for each time it was generated");
  args.Texts("--logit-bias", logit_bias, "ID=VALUE", "added to a token's logit; -inf forbids it; may be repeated");
  args.Unsigned("--seed", seed, "N", "the same seed gives the same text (default: a random one)");
  args.Texts("--stop", stops, "TEXT", "end before this text; may be repeated");
  args.Flag("--ignore-eos", ignore_eos, "end tokens do not end the answer");
  args.Flag("--special", special, "write special tokens too");
  args.Integer("--logprobs", n_logprobs, "N", "with --json: log probabilities, and the N best alternatives");
}

Result<engine::GenerationParams> SamplingArgs::Params(const engine::SamplingParams& defaults, int n_vocab) const {
  engine::GenerationParams params;
  engine::SamplingParams& sampling = params.sampling;
  sampling = defaults;
  Override(temperature, sampling.temperature);
  Override(top_p, sampling.top_p);
  Override(min_p, sampling.min_p);
  Override(typical_p, sampling.typical_p);
  Override(repetition_penalty, sampling.repetition_penalty);
  Override(presence_penalty, sampling.presence_penalty);
  Override(frequency_penalty, sampling.frequency_penalty);
  if (top_k) {
    if (*top_k < 0 || *top_k > std::numeric_limits<int>::max()) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--top-k: ", *top_k, " is not 0 or more")};
    }
    sampling.top_k = static_cast<int>(*top_k);
  }
  for (const std::string& text : logit_bias) {
    LFM_TRY(const auto bias, ParseLogitBias(text));
    sampling.logit_bias.push_back(bias);
  }
  sampling.seed = seed ? *seed : RandomSeed();
  LFM_RETURN_IF_ERROR(engine::Validate(sampling, n_vocab));
  if (max_tokens && *max_tokens < -1) {
    return Error{ErrorCode::kInvalidArgument, StrCat("-n: ", *max_tokens,
                                                     " is no number of tokens; -1, or no -n at all, means "
                                                     "to the end of the context")};
  }
  if (n_logprobs && (*n_logprobs < 0 || *n_logprobs > engine::kMaxLogprobs)) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("--logprobs: ", *n_logprobs, " is not between 0 and ", engine::kMaxLogprobs)};
  }
  params.max_tokens = max_tokens.value_or(-1);
  params.n_logprobs = n_logprobs ? static_cast<int>(*n_logprobs) : -1;
  params.stops = stops;
  params.ignore_eos = ignore_eos;
  if (special) params.special = text::StreamDecoder::Special::kAll;
  return params;
}

}  // namespace lfm::cli
