// Collects the importance matrix while a model reads text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/threads.h"
#include "model/forward.h"
#include "quant/imatrix.h"

namespace lfm::quant {

struct CollectOptions {
  int64_t n_ctx = 512;                                          // tokens of a window; each begins with bos, if there is one
  int32_t bos = -1;                                             // -1: none
  std::string dataset;                                          // noted in the file
  std::function<bool(uint64_t done, uint64_t total)> progress;  // in windows; false cancels
};

// Reads `tokens` in windows (a last one that is not full is left out; a text shorter than one window is one window)
// and sums the squared activations that every matrix meets. The model must compute in f32 (Compute::kF32).
Result<Imatrix> CollectImatrix(const model::Model& model, model::PagePool& pages, std::span<const int32_t> tokens,
                               Threads& threads, const CollectOptions& options);

}  // namespace lfm::quant
