// Feed-forward networks: one dense SwiGLU, or a router and its experts. Tokens are grouped by expert, so that an expert's
// weights are read once a step and meet all its tokens together. The results are added in the router's order.
#include <algorithm>

#include "model/steps.h"

namespace lfm::model {
namespace {

using kernels::kMaxTile;
using kernels::kUnitRows;

// hidden = silu(gate x) * (up x), for units [begin, end) of a network. A unit of 32 rows is a block of the hidden
// activations, so it is quantised where it is made.
void GateUp(const StepContext& step, const NetworkWork& work, int64_t begin, int64_t end) {
  Forms forms;
  Need(step.model, work.ffn->down, forms);
  const kernels::Table& kernels = *step.model.kernels;
  alignas(64) float gate[kMaxTile * kUnitRows], up[kMaxTile * kUnitRows];
  kernels::Q8Block blocks[kMaxTile];
  for (size_t i = 0; i < work.tiles.size(); ++i) {
    const Tile& tile = work.tiles[i];
    const int64_t i_hidden = work.first_tile + static_cast<int64_t>(i);
    for (int64_t unit = begin; unit < end; ++unit) {
      MultiplyUnit(step.model, work.ffn->gate, unit, tile, gate, kUnitRows);
      MultiplyUnit(step.model, work.ffn->up, unit, tile, up, kUnitRows);
      if (forms.q8_tiles && step.b.hidden.tiles()[static_cast<size_t>(i_hidden)].q8_tiles) {
        kernels.swiglu_q8(gate, up, tile.n_tokens, kUnitRows, blocks);
        step.b.hidden.StoreBlock(i_hidden, unit, blocks);
      } else if (!forms.f32) {
        kernels.swiglu_q8(gate, up, tile.n_tokens, kUnitRows, step.b.hidden.q8(i_hidden, unit));
      } else {
        kernels.swiglu_f32(gate, up, tile.n_tokens, kUnitRows, step.b.hidden.f32(i_hidden, unit));
      }
    }
  }
}

// Runs `body(i_work, begin, end)` over all units of all networks, which have `n_units` each.
template <typename Body>
void ForUnits(const StepContext& step, size_t n_work, int64_t n_units, int64_t n_tokens, const Body& body) {
  const int64_t grain = UnitGrain(n_units * static_cast<int64_t>(n_work), n_tokens, step.threads.size());
  const int64_t n_tasks = (n_units + grain - 1) / grain;
  step.threads.For(n_tasks * static_cast<int64_t>(n_work), 1, [&](int64_t first, int64_t last, int) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i % n_tasks * grain;
      body(static_cast<size_t>(i / n_tasks), begin, std::min(begin + grain, n_units));
    }
  });
}

// The experts of one row: the highest scores plus bias, the lower index first where they tie; weights from the scores.
void Choose(const Config& config, const Moe& moe, const float* scores, int32_t* experts, float* weights) {
  const int used = config.n_experts_used;
  float best[256];
  int n = 0;
  for (int32_t e = 0; e < config.n_experts; ++e) {
    const float rank = moe.expert_bias.empty() ? scores[e] : scores[e] + moe.expert_bias[static_cast<size_t>(e)];
    if (n == used && !(rank > best[n - 1])) continue;
    int at = n < used ? n++ : used - 1;
    for (; at > 0 && rank > best[at - 1]; --at) {
      best[at] = best[at - 1];
      experts[at] = experts[at - 1];
    }
    best[at] = rank;
    experts[at] = e;
  }
  float sum = 0;
  for (int j = 0; j < used; ++j) sum += weights[j] = scores[experts[j]];
  for (int j = 0; j < used; ++j) {
    if (config.norm_topk_prob) weights[j] /= sum + 1e-6f;
    weights[j] *= config.routed_scaling_factor;
  }
}

// Sorts (row, choice) pairs by expert: fills slots, row_of_slot, active and sizes.
void GroupByExpert(const Config& config, int64_t n, Routing& routing) {
  const int64_t n_pairs = n * config.n_experts_used;
  auto& cursor = routing.cursor;
  std::fill(cursor.begin(), cursor.end(), 0);
  for (int64_t i = 0; i < n_pairs; ++i) ++cursor[static_cast<size_t>(routing.experts[static_cast<size_t>(i)])];
  routing.active.clear();
  routing.sizes.clear();
  int64_t next = 0;
  for (int32_t e = 0; e < config.n_experts; ++e) {
    int64_t& at = cursor[static_cast<size_t>(e)];
    if (at > 0) {
      routing.active.push_back(e);
      routing.sizes.push_back(at);
    }
    const int64_t size = at;
    at = next;
    next += size;
  }
  for (int64_t i = 0; i < n_pairs; ++i) {
    const auto at = static_cast<size_t>(i);
    routing.slots[at] = cursor[static_cast<size_t>(routing.experts[at])]++;
    routing.row_of_slot[static_cast<size_t>(routing.slots[at])] = static_cast<int32_t>(i / config.n_experts_used);
  }
}

void Route(const StepContext& step, const Moe& moe) {
  const PhaseTimer timer(step.profile, Phase::kRouter);
  const Config& config = step.model.config;
  const Product product{&moe.router, step.b.scores.data(), config.n_experts};
  Multiply(step.model, {&product, 1}, step.b.in.tiles(), step.threads, step.profile);
  for (int64_t i = 0; i < step.n; ++i) {
    float* scores = step.b.scores.data() + i * config.n_experts;
    step.model.kernels->sigmoid(scores, config.n_experts, scores);
    Choose(config, moe, scores, step.b.routing.experts.data() + i * config.n_experts_used,
           step.b.routing.weights.data() + i * config.n_experts_used);
  }
  GroupByExpert(config, step.n, step.b.routing);
}

// The active experts with their tiles. A single row goes to its experts as it lies; else rows are copied together.
void GatherByExpert(const StepContext& step, const Moe& moe, Forms forms) {
  Routing& routing = step.b.routing;
  const int64_t n_pairs = step.n * step.model.config.n_experts_used;
  step.b.expert_in.ArrangeGroups(routing.sizes, step.model.config.d_model, routing.first_tile);
  if (step.n > 1) {
    step.threads.For(n_pairs, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t slot = begin; slot < end; ++slot) {
        step.b.expert_in.CopyRow(forms, slot, step.b.in, routing.row_of_slot[static_cast<size_t>(slot)]);
      }
    });
  }
  const std::span<const Tile> all = step.n > 1 ? step.b.expert_in.tiles() : step.b.in.tiles();
  step.b.work.clear();
  for (size_t i = 0; i < routing.active.size(); ++i) {
    const auto first = static_cast<size_t>(routing.first_tile[i]), end = static_cast<size_t>(routing.first_tile[i + 1]);
    step.b.work.push_back({&moe.experts[static_cast<size_t>(routing.active[i])],
                           step.n > 1 ? all.subspan(first, end - first) : all, static_cast<int64_t>(first)});
  }
}

// Shows the experts' hidden activations to an observer.
void ObserveDown(const StepContext& step) {
  if (!step.observer) return;
  const std::span<const Tile> tiles = step.b.hidden.tiles();
  const std::vector<int64_t>& first_tile = step.b.routing.first_tile;
  for (size_t i = 0; i < step.b.work.size(); ++i) {
    const auto first = static_cast<size_t>(first_tile[i]), last = static_cast<size_t>(first_tile[i + 1]);
    Observe(step, step.b.work[i].ffn->down, tiles.subspan(first, last - first));
  }
}

// x += sum_j w_j y_j for every row, in the router's order.
void Combine(const StepContext& step) {
  const Config& config = step.model.config;
  const kernels::Table& kernels = *step.model.kernels;
  const int64_t d = config.d_model;
  step.threads.For(step.n, 8, [&](int64_t begin, int64_t end, int i_thread) {
    float* sum = step.b.normed.data() + i_thread * d;
    for (int64_t i = begin; i < end; ++i) {
      std::fill(sum, sum + d, 0.0f);
      for (int j = 0; j < config.n_experts_used; ++j) {
        const auto at = static_cast<size_t>(i * config.n_experts_used + j);
        kernels.add_scaled(step.b.y.data() + step.b.routing.slots[at] * d, step.b.routing.weights[at], d, sum);
      }
      kernels.add(sum, d, step.b.x.data() + i * d);
    }
  });
}

}  // namespace

void DenseStep(const StepContext& step, const Layer& layer) {
  const SwiGlu& ffn = layer.dense;
  Forms forms;
  Need(step.model, ffn.gate, forms);
  Need(step.model, ffn.up, forms);
  const PhaseTimer timer(step.profile, Phase::kDense);
  NormRows(step, layer.ffn_norm, forms);
  step.b.hidden.Arrange(step.n, ffn.down.k);
  const NetworkWork work{&ffn, step.b.in.tiles(), 0};
  Observe(step, ffn.gate, work.tiles);
  Observe(step, ffn.up, work.tiles);
  Count(step.profile, step.model, ffn.gate, step.n);
  Count(step.profile, step.model, ffn.up, step.n);
  ForUnits(step, 1, ffn.gate.n_units(), step.n, [&](size_t, int64_t begin, int64_t end) { GateUp(step, work, begin, end); });
  Observe(step, ffn.down, step.b.hidden.tiles());
  const Product down{&ffn.down, step.b.x.data(), step.model.config.d_model, true};
  Multiply(step.model, {&down, 1}, step.b.hidden.tiles(), step.threads, step.profile);
}

void MoeStep(const StepContext& step, const Layer& layer) {
  const Moe& moe = layer.moe;
  const int64_t d = step.model.config.d_model;
  Forms forms;
  for (const SwiGlu& expert : moe.experts) {
    Need(step.model, expert.gate, forms);
    Need(step.model, expert.up, forms);
  }
  Forms router_forms = forms;
  Need(step.model, moe.router, router_forms);
  {
    const PhaseTimer timer(step.profile, Phase::kRouter);
    NormRows(step, layer.ffn_norm, router_forms);
  }
  Route(step, moe);

  const PhaseTimer timer(step.profile, Phase::kExperts);
  GatherByExpert(step, moe, forms);
  const std::vector<NetworkWork>& work = step.b.work;
  for (size_t i = 0; i < work.size(); ++i) {
    for (const Matrix* matrix : {&work[i].ffn->gate, &work[i].ffn->up, &work[i].ffn->down}) {
      Count(step.profile, step.model, *matrix, step.b.routing.sizes[i]);
    }
  }
  step.b.hidden.ArrangeGroups(step.b.routing.sizes, moe.experts[0].down.k, step.b.routing.first_tile);
  for (const NetworkWork& one : work) {
    Observe(step, one.ffn->gate, one.tiles);
    Observe(step, one.ffn->up, one.tiles);
  }
  ForUnits(step, work.size(), moe.experts[0].gate.n_units(), step.n,
           [&](size_t i, int64_t begin, int64_t end) { GateUp(step, work[i], begin, end); });
  ObserveDown(step);
  ForUnits(step, work.size(), moe.experts[0].down.n_units(), step.n, [&](size_t i, int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(step.b.routing.first_tile[i]);
    const auto last = static_cast<size_t>(step.b.routing.first_tile[i + 1]);
    for (const Tile& tile : std::span(step.b.hidden.tiles()).subspan(first, last - first)) {
      for (int64_t unit = begin; unit < end; ++unit) {
        MultiplyUnit(step.model, work[i].ffn->down, unit, tile, step.b.y.data() + tile.first_row * d + unit * kUnitRows, d);
      }
    }
  });
  Combine(step);
}

}  // namespace lfm::model
