#include "quant/collect.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/strings.h"
#include "model/stepper.h"
#include "model/tensors.h"
#include "model/tiles.h"

namespace lfm::quant {
namespace {

using model::Matrix;
using model::TensorField;

class Collector : public model::ProductObserver {
 public:
  explicit Collector(const model::Model& model) {
    const model::Weights& weights = model.weights;
    const bool tied = weights.head.data == weights.embedding.data;
    const Status walked = model::ForEachField(model.config, [&](TensorField field, int i_layer) {
      const std::vector<int64_t> shape = model::ShapeOf(field, model.config);
      const int n_experts = shape.size() == 3 ? static_cast<int>(shape[0]) : 1;
      // Each row of the embedding is looked up, not multiplied, and the router stays in f32.
      if (field == TensorField::kEmbedding || field == TensorField::kRouter) return Ok();
      for (int e = 0; e < n_experts; ++e) {
        const Matrix* const matrix = model::MatrixOf(weights, field, i_layer, e);
        if (matrix) Add(*matrix, field == TensorField::kHead && tied ? TensorField::kEmbedding : field, i_layer, e, n_experts);
      }
      return Ok();
    });
    LFM_CHECK(walked.ok());
  }

  void OnProduct(const Matrix& matrix, std::span<const model::Tile> tiles) override {
    const auto found = places_.find(&matrix);
    if (found == places_.end()) return;
    Sums& sums = *found->second.sums;
    double* out = sums.squares.data() + found->second.expert * static_cast<size_t>(matrix.k);
    for (const model::Tile& tile : tiles) {
      LFM_CHECK(tile.f32);
      for (int64_t b = 0; b < matrix.n_blocks(); ++b) {
        for (int t = 0; t < tile.n_tokens; ++t) {
          const float* x = tile.f32[b * tile.n_tokens + t].x;
          for (int i = 0; i < kernels::kBlock; ++i) {
            out[b * kernels::kBlock + i] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
          }
        }
      }
      sums.counts[found->second.expert] += tile.n_tokens;
    }
  }

  Imatrix Take() const {
    Imatrix imatrix;
    for (const auto& [name, sums] : sums_) {
      ImatrixEntry entry;
      entry.sums.assign(sums.squares.begin(), sums.squares.end());
      entry.counts.assign(sums.counts.begin(), sums.counts.end());
      imatrix.entries.emplace(name, std::move(entry));
    }
    return imatrix;
  }

 private:
  struct Sums {
    std::vector<double> squares;  // [experts][k]
    std::vector<int64_t> counts;  // [experts]
  };
  struct Place {
    Sums* sums;
    size_t expert;
  };

  void Add(const Matrix& matrix, TensorField field, int i_layer, int i_expert, int n_experts) {
    Sums& sums = sums_[model::TensorName(field, formats::Naming::kGguf, i_layer)];
    sums.squares.resize(static_cast<size_t>(n_experts) * static_cast<size_t>(matrix.k));
    sums.counts.resize(static_cast<size_t>(n_experts));
    places_[&matrix] = {&sums, static_cast<size_t>(i_expert)};
  }

  std::map<std::string, Sums> sums_;
  std::unordered_map<const Matrix*, Place> places_;
};

}  // namespace

Result<Imatrix> CollectImatrix(const model::Model& model, model::PagePool& pages, std::span<const int32_t> tokens,
                               Threads& threads, const CollectOptions& options) {
  if (model.compute != model::Compute::kF32) {
    return Error{ErrorCode::kInternal, "an importance matrix needs a model that computes in f32"};
  }
  if (tokens.size() < 2) return Error{ErrorCode::kInvalidArgument, "the text has fewer than two tokens; give more text"};
  const int64_t n_text = static_cast<int64_t>(tokens.size());
  const int64_t n_ctx = std::min(options.n_ctx, n_text), n_windows = n_text / n_ctx;
  LFM_TRY(const auto stepper, model::Stepper::Create(model, threads, {n_ctx, n_ctx, n_ctx}));
  Collector collector(model);
  stepper->set_observer(&collector);
  model::Sequence sequence(pages);
  std::vector<int32_t> window;
  for (int64_t i = 0; i < n_windows; ++i) {
    const auto part = tokens.subspan(static_cast<size_t>(i * n_ctx), static_cast<size_t>(n_ctx));
    window.assign(part.begin(), part.end());
    if (options.bos >= 0) window[0] = options.bos;
    sequence.Clear();
    LFM_RETURN_IF_ERROR(stepper->Step(sequence, window, model::Logits::kAll));
    if (options.progress && !options.progress(static_cast<uint64_t>(i + 1), static_cast<uint64_t>(n_windows))) {
      return Error{ErrorCode::kCancelled, "cancelled; nothing was written"};
    }
  }
  Imatrix imatrix = collector.Take();
  imatrix.n_chunks = static_cast<uint32_t>(n_windows);
  imatrix.chunk_size = static_cast<uint32_t>(n_ctx);
  if (!options.dataset.empty()) imatrix.datasets.push_back(options.dataset);
  return imatrix;
}

}  // namespace lfm::quant
