// Log-probabilities of the model's own distribution, for --logprobs.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/sampler.h"

namespace lfm::engine {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

float Clean(float logit) { return std::isnan(logit) ? kLowest : logit; }

// log(softmax): x - best - log(sum). An infinite best shares everything among its equals.
struct Normalizer {
  float best = kLowest;
  double log_sum = 0;

  explicit Normalizer(std::span<const float> logits) {
    for (const float logit : logits) best = std::max(best, Clean(logit));
    double sum = 0;
    for (const float logit : logits) sum += std::exp(Distance(logit));
    log_sum = std::log(sum);
  }
  double Distance(float logit) const {
    return Clean(logit) == best ? 0 : double{Clean(logit)} - double{best};
  }
  float LogProb(float logit) const { return static_cast<float>(Distance(logit) - log_sum); }
};

}  // namespace

std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int n) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const size_t n_top = std::min(logits.size(), static_cast<size_t>(std::max(n, 0)));
  const auto better = [&](int32_t a, int32_t b) {
    const float of_a = Clean(logits[static_cast<size_t>(a)]), of_b = Clean(logits[static_cast<size_t>(b)]);
    return of_a != of_b ? of_a > of_b : a < b;
  };
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n_top), ids.end(), better);
  const Normalizer normalizer(logits);
  std::vector<TokenLogprob> top;
  for (size_t i = 0; i < n_top; ++i)
    top.push_back({ids[i], normalizer.LogProb(logits[static_cast<size_t>(ids[i])])});
  return top;
}

float LogprobOf(std::span<const float> logits, int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= logits.size()) return kLowest;
  return Normalizer(logits).LogProb(logits[static_cast<size_t>(id)]);
}

}  // namespace lfm::engine
