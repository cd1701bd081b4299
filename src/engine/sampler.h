// From logits to the next token: penalties, filters and a seeded choice, in Hugging Face's order.
// docs/sampling.md gives every formula. The same logits, parameters and seed give the same token on every
// machine: own exp, own generator, sums in a fixed order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lfm::engine {

struct SamplingParams {
  float temperature = 0.3F;          // >= 0; 0 takes the best token, the lowest id of equal ones
  int top_k = 0;                     // >= 0; 0: off. Keeps the k best and what ties with the k-th
  float top_p = 1.0F;                // [0, 1]; 1: off. Keeps the fewest best tokens that hold at least this share
  float min_p = 0.15F;               // [0, 1]; 0: off. Drops what is below this share of the best token's probability
  float typical_p = 1.0F;            // (0, 1]; 1: off
  float repetition_penalty = 1.05F;  // > 0; 1: off. Each distinct token of prompt and output, once; at temperature 0 too
  float presence_penalty = 0.0F;     // taken from the logit of each generated token, once
  float frequency_penalty = 0.0F;    // taken for each time that the token was generated
  std::vector<std::pair<int32_t, float>> logit_bias;  // added to logits; -inf forbids a token
  uint64_t seed = 0;
};

// An error names the field, its value and the range. n_vocab > 0: ids of logit_bias are checked too.
Status Validate(const SamplingParams& params, int n_vocab = 0);

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;
};

// Chooses the tokens of one sequence. Copyable (a branch of a sequence takes a copy). Not thread-safe.
// Logits may hold -inf (never chosen), NaN (taken as -inf) and +inf (only these are chosen, with equal
// probability).
class Sampler {
 public:
  // params must be valid; ids of logit_bias outside the vocabulary have no effect.
  Sampler(SamplingParams params, int n_vocab);

  // Tokens of the prompt, for the repetition penalty. May be called in parts.
  void AcceptPrompt(std::span<const int32_t> ids);
  // A generated token becomes part of the sequence. Also moves the random generator to the next draw.
  void Accept(int32_t id);

  // The next token; absent when nothing is left to choose from. Overwrites the logits [n_vocab] (penalties are
  // applied in place). Until Accept, equal logits give the same token again.
  std::optional<int32_t> Sample(std::span<float> logits);

  // The distribution that Sample draws from [n_vocab], all 0 where it has nothing to draw; overwrites the logits.
  // For tests and inspection.
  std::vector<double> Probabilities(std::span<float> logits);

  const SamplingParams& params() const { return params_; }
  int64_t n_generated() const { return n_generated_; }

 private:
  struct Candidate {
    float logit;   // after penalties and temperature
    float weight;  // exp(logit - best): the share before division by the sum
    int32_t id;
  };
  void Penalize(std::span<float> logits) const;
  void Filter(std::span<float> logits);
  void KeepTopP(float best);
  void KeepTypical(float best);
  double TotalWeight() const;
  template <typename Distance>
  Candidate WhereSharesReach(double share, Distance distance);

  SamplingParams params_;
  int n_vocab_;
  int64_t n_generated_ = 0;
  bool counts_ = false;                // presence or frequency penalty: the next two are kept
  std::vector<uint32_t> n_of_;         // [n_vocab] generated so often
  std::vector<int32_t> generated_;     // distinct generated ids
  std::vector<bool> is_seen_;          // [n_vocab] in the prompt or the output
  std::vector<int32_t> seen_;          // the same, each id once
  std::vector<Candidate> candidates_;  // what is left, by rising id
  std::vector<Candidate> sorted_;      // scratch of WhereSharesReach
  std::vector<float> scratch_;         // of top-k
};

// log softmax of one row of logits: -inf and NaN have no share, an infinite best shares all among its equals.
class LogNormalizer {
 public:
  explicit LogNormalizer(std::span<const float> logits);
  float Of(float logit) const;
  double log_sum() const { return double{best_} + log_sum_; }  // of exp over all logits

 private:
  double Distance(float logit) const;

  float best_;
  double log_sum_;
};

// log softmax of the model's own logits (before penalties, bias and temperature): the n best, best first,
// lower id first among equals.
std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int n);
std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int n, const LogNormalizer& normalizer);
// The same of one token.
float LogprobOf(std::span<const float> logits, int32_t id);

}  // namespace lfm::engine
