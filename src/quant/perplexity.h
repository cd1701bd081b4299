// How well a model predicts text, and how far its predictions are from another model's.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "model/forward.h"
#include "quant/passages.h"

namespace lfm::quant {

// A figure with the half-width of its 95 % interval, from the spread between passages (of tokens, where there is only
// one passage). One token alone has no interval.
struct Estimate {
  double value = 0, interval = std::numeric_limits<double>::quiet_NaN();
  bool has_interval() const { return !std::isnan(interval); }
};

struct PerplexityReport {
  int64_t n_passages = 0, n_tokens = 0;         // n_tokens: those that count
  Estimate nll;                                 // mean, nats
  Estimate perplexity;                          // exp(nll)
  double standard_error = Estimate().interval;  // of the perplexity, over tokens, as llama.cpp prints it; NaN: none

  // Against a base.
  bool has_base = false;
  Estimate base_perplexity;
  Estimate kl;  // mean of KL(base || model), nats
  double kl_median = 0, kl_99 = 0, kl_max = 0;
  Estimate same_top;  // share of positions where both hold the same token for the best
};

struct PerplexityOptions {
  std::string base;       // predictions to compare with; empty: none
  std::string save_base;  // where to keep this model's; empty: nowhere. An interrupted run goes on where it stopped
  std::function<bool(uint64_t done, uint64_t total)> progress;  // in tokens; false cancels
};

// Reads every passage and scores the tokens that count. Passages must not be empty, and their ids be those of the model.
Result<PerplexityReport> MeasurePerplexity(const model::Model& model, model::PagePool& pages, std::span<const Passage> passages,
                                           Threads& threads, const PerplexityOptions& options);

// log softmax of a row of logits, in place. Sums are taken in double, in order.
void LogSoftmax(std::span<float> logits);

}  // namespace lfm::quant
