// Log-probabilities of the model's own distribution.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/sampler.h"

namespace lfm::engine {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

float Clean(float logit) { return std::isnan(logit) ? kLowest : logit; }

}  // namespace

LogNormalizer::LogNormalizer(std::span<const float> logits) : best_(kLowest) {
  for (const float logit : logits) best_ = std::max(best_, Clean(logit));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(Distance(logit));
  log_sum_ = std::log(sum);
}

double LogNormalizer::Distance(float logit) const { return Clean(logit) == best_ ? 0 : double{Clean(logit)} - double{best_}; }

float LogNormalizer::Of(float logit) const { return static_cast<float>(Distance(logit) - log_sum_); }

std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int n, const LogNormalizer& normalizer) {
  const size_t n_top = std::min(logits.size(), static_cast<size_t>(std::max(n, 0)));
  if (n_top == 0) return {};
  // A heap of the best so far, its last one on top: nearly every logit fails one comparison.
  std::vector<TokenLogprob> top;
  top.reserve(n_top);
  const auto better = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
  };
  for (size_t i = 0; i < logits.size(); ++i) {
    const float logit = Clean(logits[i]);
    if (top.size() == n_top && !(logit > top.front().logprob)) continue;  // of equal ones the lower ids came first
    if (top.size() == n_top) {
      std::pop_heap(top.begin(), top.end(), better);
      top.pop_back();
    }
    top.push_back({static_cast<int32_t>(i), logit});
    std::push_heap(top.begin(), top.end(), better);
  }
  std::sort_heap(top.begin(), top.end(), better);
  for (TokenLogprob& token : top) token.logprob = normalizer.Of(token.logprob);
  return top;
}

std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int n) {
  return TopLogprobs(logits, n, LogNormalizer(logits));
}

float LogprobOf(std::span<const float> logits, int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= logits.size()) return kLowest;
  return LogNormalizer(logits).Of(logits[static_cast<size_t>(id)]);
}

}  // namespace lfm::engine
