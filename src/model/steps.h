// The steps that Forward() is made of.
#pragma once

#include <cstdint>
#include <span>

#include "model/forward.h"
#include "model/workspace.h"

namespace lfm::model {

// The steps of a layer, each in a file of its own. All read and write Buffers.
struct StepContext {
  const Model& model;
  std::span<const BatchItem> batch;
  Workspace::Buffers& b;
  Threads& threads;
  Profile* profile;
  int64_t n;  // rows that are still computed
  ProductObserver* observer = nullptr;
};

inline void Observe(const StepContext& step, const Matrix& matrix, std::span<const Tile> tiles) {
  if (step.observer) step.observer->OnProduct(matrix, tiles);
}

// x += conv(norm(x)), advancing the conv states.
void ShortConvStep(const StepContext& step, const Layer& layer, int i_conv);
// x += attention(norm(x)), storing keys and values.
void AttentionStep(const StepContext& step, const Layer& layer, int i_attention);
// x += ffn(norm(x)).
void DenseStep(const StepContext& step, const Layer& layer);
void MoeStep(const StepContext& step, const Layer& layer);

// Final norm and the logits that b.head.ids asks for, of the rows that are left. Computes no row of the head that none asks for.
void HeadStep(const StepContext& step);

// Norms every row of x and stores it in the forms that `forms` names, as tiles of `b.in`.
void NormRows(const StepContext& step, std::span<const float> weight, Forms forms);

}  // namespace lfm::model
