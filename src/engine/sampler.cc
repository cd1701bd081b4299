// The filters keep a list of candidates in the order of their ids. Cheap bounds on the raw logits come first,
// so that with top-k or min-p only a handful of a vocabulary of 128,000 is ever looked at closely.
#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>

#include "base/check.h"
#include "base/strings.h"
#include "engine/random.h"

namespace lfm::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Below this distance from the best logit a share is under 2^-72: no draw of 53 bits meets it.
constexpr float kNegligible = -50.0F;

// exp(x) for x <= 0, to about 1e-11 of its value: it is rounded to a float. Own, because a choice must not
// depend on the machine's libm: multiplications and additions in a fixed order (the build forbids
// contraction), nothing else.
inline double ExpNegative(double x) {
  if (!(x > -700)) return 0;
  const int k = static_cast<int>(x * 1.4426950408889634 - 0.5);  // rounds to the nearest: x is not positive
  const double n = k;
  const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;  // x - k log 2, in two parts
  const double r2 = r * r,
               r4 = r2 * r2;  // Taylor's series to r^9 / 9! with |r| <= log(2) / 2, in Estrin's order
  const double low = (1 + r) + (1.0 / 2 + r * (1.0 / 6)) * r2;
  const double high = (1.0 / 24 + r * (1.0 / 120)) + (1.0 / 720 + r * (1.0 / 5040)) * r2;
  const double top = 1.0 / 40320 + r * (1.0 / 362880);
  return (low + (high + top * r4) * r4) * std::bit_cast<double>(static_cast<uint64_t>(1023 + k) << 52);
}

// log(x) for a positive, normal x, for the same reason: 2 atanh((m - 1) / (m + 1)) of the mantissa m, by its
// series.
double LogPositive(double x) {
  const auto bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFU) | 0x3FF0000000000000U);  // [1, 2)
  if (mantissa > 1.4142135623730951) mantissa /= 2, ++exponent;
  const double t = (mantissa - 1) / (mantissa + 1);
  double sum = 0;
  for (int k = 25; k >= 1; k -= 2) sum = sum * (t * t) + 1.0 / k;
  return 2 * t * sum + exponent * 0.69314718055994531;
}

// The largest value, NaN ignored; -inf when there is none.
float MaxOf(std::span<const float> values) {
  constexpr size_t kLanes = 8;
  float lanes[kLanes];
  std::fill(lanes, lanes + kLanes, -kInfinity);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) lanes[k] = values[i + k] > lanes[k] ? values[i + k] : lanes[k];
  }
  for (; i < values.size(); ++i) lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
  return *std::max_element(lanes, lanes + kLanes);
}

// The first token with the largest logit; absent when none is above -inf.
std::optional<int32_t> ArgMax(std::span<const float> logits) {
  const float best = MaxOf(logits);
  if (best == -kInfinity) return std::nullopt;
  return static_cast<int32_t>(std::find(logits.begin(), logits.end(), best) - logits.begin());
}

// The k-th largest value above -inf, or -inf when there are fewer. `scratch` is overwritten.
float KthLargest(std::span<const float> values, size_t k, std::vector<float>& scratch) {
  constexpr size_t kHeapUpTo = 1024;
  scratch.clear();
  if (k > kHeapUpTo) {
    std::copy_if(values.begin(), values.end(), std::back_inserter(scratch), [](float v) { return v > -kInfinity; });
    if (scratch.size() < k) return -kInfinity;
    const auto kth = scratch.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(scratch.begin(), kth, scratch.end(), std::greater<>());
    return *kth;
  }
  // A heap of the k best so far, its least on top: nearly every value fails one comparison.
  for (const float v : values) {
    if (scratch.size() < k) {
      if (v > -kInfinity) scratch.push_back(v), std::push_heap(scratch.begin(), scratch.end(), std::greater<>());
    } else if (v > scratch.front()) {
      std::pop_heap(scratch.begin(), scratch.end(), std::greater<>());
      scratch.back() = v;
      std::push_heap(scratch.begin(), scratch.end(), std::greater<>());
    }
  }
  return scratch.size() < k ? -kInfinity : scratch.front();
}

Error OutOfRange(const char* field, double value, const char* range) {
  return {ErrorCode::kInvalidArgument, StrCat(field, " is ", value, "; it must be ", range)};
}

}  // namespace

Status Validate(const SamplingParams& p, int n_vocab) {
  // Written so that NaN fails.
  if (!(p.temperature >= 0 && p.temperature < kInfinity))
    return OutOfRange("temperature", p.temperature, "0 or more, and finite");
  if (p.top_k < 0) return OutOfRange("top_k", p.top_k, "0 (off) or more");
  if (!(p.top_p >= 0 && p.top_p <= 1)) return OutOfRange("top_p", p.top_p, "between 0 and 1 (off)");
  if (!(p.min_p >= 0 && p.min_p <= 1)) return OutOfRange("min_p", p.min_p, "between 0 (off) and 1");
  if (!(p.typical_p > 0 && p.typical_p <= 1)) return OutOfRange("typical_p", p.typical_p, "above 0 and at most 1 (off)");
  if (!(p.repetition_penalty > 0 && p.repetition_penalty < kInfinity)) {
    return OutOfRange("repetition_penalty", p.repetition_penalty, "above 0 (1: off), and finite");
  }
  if (!std::isfinite(p.presence_penalty)) return OutOfRange("presence_penalty", p.presence_penalty, "finite");
  if (!std::isfinite(p.frequency_penalty)) return OutOfRange("frequency_penalty", p.frequency_penalty, "finite");
  for (const auto& [id, bias] : p.logit_bias) {
    if (id < 0 || (n_vocab > 0 && id >= n_vocab)) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat("logit_bias names token ", id, "; the vocabulary has ", n_vocab, " tokens")};
    }
    if (std::isnan(bias) || bias == HUGE_VALF) {
      return Error{ErrorCode::kInvalidArgument, StrCat("logit_bias of token ", id, " is ", bias, "; it must be finite, or -inf")};
    }
  }
  return Ok();
}

Sampler::Sampler(SamplingParams params, int n_vocab)
    : params_(std::move(params)), n_vocab_(n_vocab), counts_(params_.presence_penalty != 0 || params_.frequency_penalty != 0),
      n_of_(counts_ ? static_cast<size_t>(n_vocab) : 0),
      is_seen_(params_.repetition_penalty != 1 ? static_cast<size_t>(n_vocab) : 0) {}

void Sampler::AcceptPrompt(std::span<const int32_t> ids) {
  if (is_seen_.empty()) return;
  for (const int32_t id : ids) {
    if (id < 0 || id >= n_vocab_ || is_seen_[static_cast<size_t>(id)]) continue;
    is_seen_[static_cast<size_t>(id)] = true;
    seen_.push_back(id);
  }
}

void Sampler::Accept(int32_t id) {
  ++n_generated_;
  AcceptPrompt({&id, 1});
  if (counts_ && id >= 0 && id < n_vocab_ && n_of_[static_cast<size_t>(id)]++ == 0) generated_.push_back(id);
}

// Float operations in the very order of Hugging Face's processors: a low temperature magnifies every
// rounding.
void Sampler::Penalize(std::span<float> logits) const {
  for (const int32_t id : seen_) {
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit < 0 ? logit * params_.repetition_penalty : logit / params_.repetition_penalty;
  }
  for (const int32_t id : generated_) {
    const auto n = static_cast<float>(n_of_[static_cast<size_t>(id)]);
    logits[static_cast<size_t>(id)] -= params_.presence_penalty + params_.frequency_penalty * n;
  }
  for (const auto& [id, bias] : params_.logit_bias) {
    if (id >= 0 && id < n_vocab_) logits[static_cast<size_t>(id)] += bias;
  }
}

// Fills candidates_; `logits` are penalized. Leaves at least one, unless every logit is -inf or NaN.
void Sampler::Filter(std::span<float> logits) {
  candidates_.clear();
  const float best_raw = MaxOf(logits);
  if (best_raw == -kInfinity) return;
  const float temperature = params_.temperature;
  const float best = best_raw / temperature;
  if (!std::isfinite(best)) {  // infinite logits, or made so by a tiny temperature: only the best are left
    for (int32_t id = 0; id < n_vocab_; ++id) {
      if (logits[static_cast<size_t>(id)] == best_raw) candidates_.push_back({best_raw, 1, id});
    }
    return;
  }

  // Bounds on the raw logits that are a little too low, and the exact ones after them.
  float lowest_raw = -kInfinity, lowest = best + kNegligible;
  if (params_.top_k > 0 && params_.top_k < n_vocab_) {
    const float kth = KthLargest(logits, static_cast<size_t>(params_.top_k), scratch_);
    lowest_raw = kth - std::abs(kth) * 1e-6F;  // what rounds to the same quotient ties with the k-th
    lowest = std::max(lowest, kth / temperature);
  }
  if (params_.min_p > 0 && params_.top_p >= 1) {  // top-p counts on what min-p has not yet removed
    const float slack = 0.01F * temperature + 1e-5F * std::abs(best_raw);
    lowest_raw = std::max(lowest_raw, best_raw + temperature * std::log(params_.min_p) - slack);
  }
  const float min_weight = params_.top_p >= 1 ? params_.min_p : 0;
  for (int32_t id = 0; id < n_vocab_; ++id) {
    const float raw = logits[static_cast<size_t>(id)];
    if (!(raw >= lowest_raw)) continue;
    const float logit = raw / temperature;
    if (!(logit >= lowest)) continue;
    const auto weight = static_cast<float>(ExpNegative(double{logit - best}));
    if (weight >= min_weight) candidates_.push_back({logit, weight, id});
  }
  if (params_.top_p < 1) {
    KeepTopP(best);
    std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < params_.min_p; });
  }
  if (params_.typical_p < 1) KeepTypical(best);
}

double Sampler::TotalWeight() const {
  double total = 0;
  for (const Candidate& c : candidates_) total += double{c.weight};
  return total;
}

// Where the weights in the order of rising distance (by id where equal) reach `share` of all: the candidate
// that does it. Only the candidates near that place are sorted: a histogram of weights over the distance
// finds the place.
template <typename Distance>
Sampler::Candidate Sampler::WhereSharesReach(double share, Distance distance) {
  constexpr size_t kBins = 1024;
  double farthest = 0;
  for (const Candidate& c : candidates_) farthest = std::max(farthest, double{distance(c)});
  const double scale = farthest > 0 ? (kBins - 1) / farthest : 0;
  const auto bin_of = [&](const Candidate& c) { return static_cast<size_t>(double{distance(c)} * scale); };
  std::array<double, kBins> weights{};
  for (const Candidate& c : candidates_) weights[bin_of(c)] += double{c.weight};
  double total = 0, sum = 0;
  for (const double weight : weights) total += weight;
  size_t bin = 0;
  while (bin + 1 < kBins && (weights[bin] == 0 || (sum + weights[bin]) / total < share)) sum += weights[bin++];
  while (weights[bin] == 0) sum -= weights[--bin];  // rounding kept the sum below: the last candidate it is

  sorted_.clear();
  std::copy_if(candidates_.begin(), candidates_.end(), std::back_inserter(sorted_),
               [&](const Candidate& c) { return bin_of(c) == bin; });
  std::sort(sorted_.begin(), sorted_.end(), [&](const Candidate& a, const Candidate& b) {
    const float of_a = distance(a), of_b = distance(b);
    return of_a != of_b ? of_a < of_b : a.id < b.id;
  });
  for (const Candidate& c : sorted_) {
    sum += double{c.weight};
    if (sum / total >= share) return c;
  }
  return sorted_.back();
}

// Keeps the best tokens until they hold top_p; of equal ones, those with lower ids.
void Sampler::KeepTopP(float best) {
  const auto distance = [best](const Candidate& c) { return best - c.logit; };
  const Candidate last = WhereSharesReach(double{params_.top_p}, distance);
  std::erase_if(candidates_, [&](const Candidate& c) {
    return distance(c) > distance(last) || (distance(c) == distance(last) && c.id > last.id);
  });
}

// Keeps the tokens whose information -log p is nearest to its mean (the entropy) until they hold typical_p,
// and those as near as the last one. Every step is rounded to float as in the reference: in a flat
// distribution that makes the ties that decide.
void Sampler::KeepTypical(float best) {
  const double total = TotalWeight();
  const auto log_total = static_cast<float>(LogPositive(total));
  const auto log_p = [&](const Candidate& c) { return c.logit - best - log_total; };
  float partial[4][8] = {};  // the reference's order of summation, for rows of a few hundred tokens
  for (const Candidate& c : candidates_) {
    const float p = static_cast<float>(ExpNegative(double{std::min(log_p(c), 0.0F)}));
    partial[c.id / 8 % 4][c.id % 8] -= p * log_p(c);
  }
  float entropy = 0;
  for (size_t k = 0; k < 8; ++k) entropy += partial[0][k] + partial[1][k] + partial[2][k] + partial[3][k];
  const auto distance = [&](const Candidate& c) { return std::abs(-log_p(c) - entropy); };
  const float farthest = distance(WhereSharesReach(double{params_.typical_p}, distance));
  std::erase_if(candidates_, [&](const Candidate& c) { return distance(c) > farthest; });
}

std::optional<int32_t> Sampler::Sample(std::span<float> logits) {
  LFM_CHECK(logits.size() == static_cast<size_t>(n_vocab_));
  Penalize(logits);
  if (params_.temperature == 0) return ArgMax(logits);
  Filter(logits);
  if (candidates_.empty()) return std::nullopt;
  const double goal = UniformDraw(params_.seed, static_cast<uint64_t>(n_generated_)) * TotalWeight();
  double sum = 0;
  for (const Candidate& c : candidates_) {
    sum += double{c.weight};
    if (sum > goal) return c.id;
  }
  return candidates_.back().id;
}

std::vector<double> Sampler::Probabilities(std::span<float> logits) {
  LFM_CHECK(logits.size() == static_cast<size_t>(n_vocab_));
  std::vector<double> probabilities(logits.size(), 0);
  Penalize(logits);
  if (params_.temperature > 0) Filter(logits);
  if (params_.temperature == 0 || candidates_.empty()) {
    if (const auto best = ArgMax(logits)) probabilities[static_cast<size_t>(*best)] = 1;
    return probabilities;
  }
  const double total = TotalWeight();
  for (const Candidate& c : candidates_) probabilities[static_cast<size_t>(c.id)] = double{c.weight} / total;
  return probabilities;
}

}  // namespace lfm::engine
