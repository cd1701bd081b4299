// The gated short convolution: in_proj, a causal depthwise convolution of a few taps between two gates, out_proj.
#include <algorithm>
#include <cstring>

#include "model/steps.h"

namespace lfm::model {
namespace {

// The u vector of the position `back` before row j of an item: in this batch, or in the sequence's state.
const float* Past(const float* u, const float* state, int64_t j, int64_t back, int n_history, int64_t d) {
  const int64_t at = j - back;
  return at >= 0 ? u + at * d : state + (n_history + at) * d;
}

// After each page's last position that this step passes, the last n_history inputs are saved in the page.
void SaveAtPageBounds(const BatchItem& item, const float* u, const float* state, int i_conv, int n_history, int64_t d) {
  const int64_t begin = item.state->n_tokens(), n = static_cast<int64_t>(item.tokens.size());
  const int64_t page_size = kernels::kPagePositions;
  for (int64_t p = (begin / page_size + 1) * page_size; p <= begin + n; p += page_size) {
    float* saved = item.state->PageConv(p / page_size - 1) + int64_t{i_conv} * n_history * d;
    for (int j = 0; j < n_history; ++j) {
      std::memcpy(saved + j * d, Past(u, state, p - begin, n_history - j, n_history, d), sizeof(float) * static_cast<size_t>(d));
    }
  }
}

// The state after the step: the last n_history of (old state, u). Moves towards the front, so in order.
void AdvanceState(float* state, const float* u, int64_t n, int n_history, int64_t d) {
  for (int j = 0; j < n_history; ++j) {
    const float* from = Past(u, state, n, n_history - j, n_history, d);
    std::memmove(state + j * d, from, sizeof(float) * static_cast<size_t>(d));
  }
}

}  // namespace

void ShortConvStep(const StepContext& step, const Layer& layer, int i_conv) {
  const PhaseTimer timer(step.profile, Phase::kConv);
  const Config& config = step.model.config;
  const kernels::Table& kernels = *step.model.kernels;
  const ShortConv& conv = layer.conv;
  const int64_t d = config.d_model;
  const int n_taps = config.n_taps, n_history = n_taps - 1;

  Forms forms;
  Need(step.model, conv.in_proj, forms);
  NormRows(step, layer.operator_norm, forms);
  Observe(step, conv.in_proj, step.b.in.tiles());
  const Product in{&conv.in_proj, step.b.wide.data(), 3 * d};
  Multiply(step.model, {&in, 1}, step.b.in.tiles(), step.threads, step.profile);

  // u = B * X of every row first: a row's convolution reads the rows before it.
  float* u = step.b.mixed.data();
  Forms out_forms;
  Need(step.model, conv.out_proj, out_forms);
  step.b.in.Arrange(step.n, d);
  step.threads.For(step.n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* bcx = step.b.wide.data() + i * 3 * d;
      for (int64_t c = 0; c < d; ++c) u[i * d + c] = bcx[c] * bcx[2 * d + c];
    }
  });
  step.threads.For(step.n, 8, [&](int64_t begin, int64_t end, int i_thread) {
    const float* history[64];
    float* y = step.b.normed.data() + i_thread * d;
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = step.b.rows[static_cast<size_t>(i)];
      const BatchItem& item = step.batch[static_cast<size_t>(row.i_item)];
      const int64_t j = row.position - item.state->n_tokens();
      for (int t = 0; t < n_history; ++t) {
        history[t] = Past(u + (i - j) * d, item.state->Conv(i_conv), j, n_history - t, n_history, d);
      }
      const float* c = step.b.wide.data() + i * 3 * d + d;
      kernels.short_conv(u + i * d, c, history, conv.taps.data(), n_taps, d, y);
      step.b.in.Store(kernels, out_forms, i, y);
    }
  });
  for (size_t i = 0; i < step.batch.size(); ++i) {
    const BatchItem& item = step.batch[i];
    const float* item_u = u + step.b.first_row[i] * d;
    float* state = item.state->Conv(i_conv);
    SaveAtPageBounds(item, item_u, state, i_conv, n_history, d);
    AdvanceState(state, item_u, static_cast<int64_t>(item.tokens.size()), n_history, d);
  }
  Observe(step, conv.out_proj, step.b.in.tiles());
  const Product out{&conv.out_proj, step.b.x.data(), d, true};
  Multiply(step.model, {&out, 1}, step.b.in.tiles(), step.threads, step.profile);
}

}  // namespace lfm::model
