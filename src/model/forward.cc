// The forward pass as a page: embed, then for every layer a mixer and a feed-forward network, then the head.
// The order of float operations is docs/numerics.md; the model's definition is Hugging Face's modeling_lfm2_moe.
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "model/forward.h"
#include "model/rotation.h"
#include "model/steps.h"

namespace lfm::model {
namespace {

using kernels::kLanes;
using kernels::kUnitRows;

// Lists the batch's rows with their positions, and the rows that want logits, with those that they want.
void ListRows(const Model& model, std::span<const BatchItem> batch, Workspace::Buffers& b) {
  b.rows.clear();
  b.first_row.clear();
  b.wanted.clear();
  b.head.ids.clear();
  b.is_finite.assign(batch.size(), 1);
  int64_t n_logits = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    const BatchItem& item = batch[i];
    const int64_t n = static_cast<int64_t>(item.tokens.size());
    b.first_row.push_back(static_cast<int64_t>(b.rows.size()));
    for (const int32_t id : item.ids) LFM_CHECK(id >= 0 && id < model.config.vocab_size);
    LFM_CHECK(n > 0 && item.state->n_tokens() + n <= b.max_positions);
    for (int64_t j = 0; j < n; ++j) {
      const int32_t token = item.tokens[static_cast<size_t>(j)];
      LFM_CHECK(token >= 0 && token < model.config.vocab_size);
      if (item.logits == Logits::kAll || (item.logits == Logits::kLast && j == n - 1)) {
        b.wanted.push_back(static_cast<int64_t>(b.rows.size()));
        b.head.ids.push_back(item.ids);
        n_logits += item.ids.empty() ? b.vocab_size : static_cast<int64_t>(item.ids.size());
      }
      LFM_CHECK(static_cast<int64_t>(b.rows.size()) < b.max_tokens);
      b.rows.push_back({static_cast<int32_t>(i), token, item.state->n_tokens() + j});
    }
  }
  LFM_CHECK(n_logits <= b.max_logits * b.vocab_size);
  b.n_logits = static_cast<int64_t>(b.wanted.size());
}

void Embed(const StepContext& step) {
  const PhaseTimer timer(step.profile, Phase::kEmbedding);
  const Matrix& matrix = step.model.weights.embedding;
  step.threads.For(step.n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t token = step.b.rows[static_cast<size_t>(i)].token;
      const std::byte* panel = matrix.panel(token / kUnitRows, static_cast<int>(token % kUnitRows / kLanes));
      kernels::UnpackRow(matrix.type, panel, static_cast<int>(token % kLanes), matrix.k, step.b.x.data() + i * matrix.k);
    }
  });
}

// Angles as the reference takes them: frequency and angle in f32, then sine and cosine (rotation.h).
void PrepareRope(const StepContext& step) {
  const Config& config = step.model.config;
  if (config.n_attention_layers() == 0) return;
  const int half = config.head_dim / 2;
  for (int i = 0; i < half; ++i) {
    const auto exponent = static_cast<double>(static_cast<float>(2 * i) / static_cast<float>(config.head_dim));
    const float frequency = 1.0f / static_cast<float>(PowerOf(config.rope_theta, exponent));
    for (int64_t j = 0; j < step.n; ++j) {
      const float angle = static_cast<float>(step.b.rows[static_cast<size_t>(j)].position) * frequency;
      const auto at = static_cast<size_t>(j * half + i);
      const SineCosine turn = SineCosineOf(static_cast<double>(angle));
      step.b.cos[at] = static_cast<float>(turn.cosine);
      step.b.sin[at] = static_cast<float>(turn.sine);
    }
  }
}

// Notes the items that have a non-finite number in the residual stream, where each that arises anywhere ends up: sums
// keep it. Row i of the stream is the batch's row `row_of(i)`.
template <typename RowOf>
void NoteNonFinite(const StepContext& step, const RowOf& row_of) {
  const int64_t d = step.model.config.d_model;
  step.threads.For(step.n, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = step.b.x.data() + i * d;
      float lanes[kLanes] = {};
      for (int64_t j = 0; j + kLanes <= d; j += kLanes) {
        for (int k = 0; k < kLanes; ++k) lanes[k] += x[j + k] * 0.0f;  // 0 of a number, else NaN
      }
      float sum = 0;
      for (int64_t j = d / kLanes * kLanes; j < d; ++j) sum += x[j] * 0.0f;
      for (const float lane : lanes) sum += lane;
      if (sum == 0.0f) continue;
      const int32_t item = step.b.rows[static_cast<size_t>(row_of(i))].i_item;
      std::atomic_ref(step.b.is_finite[static_cast<size_t>(item)]).store(0, std::memory_order_relaxed);
    }
  });
}

// From here on only the rows that get logits matter: the mixers of the last layer have seen all others.
void KeepWantedRows(StepContext& step) {
  const int64_t d = step.model.config.d_model;
  for (size_t i = 0; i < step.b.wanted.size(); ++i) {
    const int64_t from = step.b.wanted[i], to = static_cast<int64_t>(i);
    if (from != to) std::memcpy(step.b.x.data() + to * d, step.b.x.data() + from * d, sizeof(float) * static_cast<size_t>(d));
  }
  step.n = step.b.n_logits;
}

void CaptureFinalNorm(const StepContext& step, float* out) {
  const int64_t d = step.model.config.d_model;
  for (int64_t i = 0; i < step.n; ++i) {
    step.model.kernels->rms_norm(step.b.x.data() + i * d, step.model.weights.final_norm.data(), d, step.model.config.norm_eps,
                                 out + i * d);
  }
}

}  // namespace

void NormRows(const StepContext& step, std::span<const float> weight, Forms forms) {
  const int64_t d = step.model.config.d_model;
  step.b.in.Arrange(step.n, d);
  step.threads.For(step.n, 4, [&](int64_t begin, int64_t end, int i_thread) {
    float* normed = step.b.normed.data() + i_thread * d;
    for (int64_t i = begin; i < end; ++i) {
      step.model.kernels->rms_norm(step.b.x.data() + i * d, weight.data(), d, step.model.config.norm_eps, normed);
      step.b.in.Store(*step.model.kernels, forms, i, normed);
    }
  });
}

void Forward(const Model& model, std::span<const BatchItem> batch, Workspace& workspace, Threads& threads) {
  const Threads::Step awake(threads);
  const kernels::FloatMode float_mode;
  threads.CountWaiting(workspace.profile ? &workspace.profile->waiting_seconds : nullptr);
  Workspace::Buffers& b = workspace.buffers();
  ListRows(model, batch, b);
  StepContext step{model, batch, b, threads, workspace.profile, static_cast<int64_t>(b.rows.size()), workspace.observer};
  const int64_t n = step.n;
  const size_t stream_size = static_cast<size_t>(n * model.config.d_model);
  float* capture = workspace.capture;
  const auto save_stream = [&] {
    if (!capture) return;
    std::memcpy(capture, b.x.data(), stream_size * sizeof(float));
    capture += stream_size;
  };

  Embed(step);
  PrepareRope(step);
  save_stream();
  int i_conv = 0, i_attention = 0;
  for (int i = 0; i < model.config.n_layers; ++i) {
    const Layer& layer = model.weights.layers[static_cast<size_t>(i)];
    const LayerConfig& kind = model.config.layers[static_cast<size_t>(i)];
    if (kind.mixer == Mixer::kConv) {
      ShortConvStep(step, layer, i_conv++);
    } else {
      AttentionStep(step, layer, i_attention++);
    }
    if (i == model.config.n_layers - 1) {
      NoteNonFinite(step, [](int64_t row) { return row; });
      if (!capture) KeepWantedRows(step);
    }
    if (step.n == 0) continue;
    if (kind.ffn == Ffn::kMoe) {
      MoeStep(step, layer);
    } else {
      DenseStep(step, layer);
    }
    save_stream();
  }
  if (capture) {
    CaptureFinalNorm(step, capture);
    KeepWantedRows(step);
  }
  NoteNonFinite(step, [&b](int64_t row) { return b.wanted[static_cast<size_t>(row)]; });
  HeadStep(step);
  for (const BatchItem& item : batch) item.state->Advance(static_cast<int64_t>(item.tokens.size()));
  if (workspace.profile) {
    threads.CountWaiting(nullptr);  // the profile may end before the threads do
    workspace.profile->n_steps += 1;
    workspace.profile->n_tokens += n;
  }
}

}  // namespace lfm::model
