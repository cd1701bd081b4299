#include "model/workspace.h"

#include <algorithm>
#include <new>

#include "base/host.h"
#include "base/strings.h"
#include "model/memory_check.h"

namespace lfm::model {

Workspace::Workspace() = default;
Workspace::~Workspace() = default;
int64_t Workspace::max_tokens() const { return buffers_->max_tokens; }
int64_t Workspace::max_logits() const { return buffers_->max_logits; }
int64_t Workspace::n_logits() const { return buffers_->n_logits; }
bool Workspace::finite(int64_t i_item) const { return buffers_->is_finite[static_cast<size_t>(i_item)] != 0; }
std::span<float> Workspace::logits(int64_t i) const {
  const HeadPlan::LogitRow row = buffers_->head.rows[static_cast<size_t>(i)];
  return {buffers_->logits.data() + row.offset, static_cast<size_t>(row.size)};
}

namespace {

void ReserveRows(const Config& config, int64_t n, int n_threads, Workspace::Buffers& b) {
  const int64_t d = config.d_model, q = int64_t{config.n_heads} * config.head_dim;
  const int64_t kv = int64_t{config.n_kv_heads} * config.head_dim;
  const auto size = [](int64_t count) { return static_cast<size_t>(count); };
  b.rows.reserve(size(n));
  b.first_row.reserve(size(n));
  b.first_block.reserve(size(n));
  b.wanted.reserve(size(n));
  b.head.ids.reserve(size(n));
  b.head.groups.reserve(size(n + 1));
  b.head.group_of_row.reserve(size(n));
  b.head.slot_of_row.reserve(size(n));
  b.head.rows.reserve(size(n));
  b.head.sizes.reserve(size(n + 1));
  b.head.first_tile.reserve(size(n + 2));
  b.is_finite.reserve(size(n));
  b.x.resize(size(n * d));
  b.normed.resize(size(n_threads * d));
  b.wide.resize(size(n * std::max(3 * d, q + 2 * kv)));
  b.mixed.resize(size(n * std::max(d, q)));
  b.cos.resize(size(n * (config.head_dim / 2)));
  b.sin.resize(b.cos.size());
}

void ReserveExperts(const Config& config, int64_t n, Workspace::Buffers& b) {
  if (config.n_experts == 0) return;
  const auto pairs = static_cast<size_t>(n * config.n_experts_used), experts = static_cast<size_t>(config.n_experts);
  b.scores.resize(static_cast<size_t>(n) * experts);
  b.y.resize(pairs * static_cast<size_t>(config.d_model));
  b.routing.experts.resize(pairs);
  b.routing.weights.resize(pairs);
  b.routing.slots.resize(pairs);
  b.routing.row_of_slot.resize(pairs);
  b.routing.cursor.resize(experts);
  b.routing.active.reserve(experts);
  b.routing.sizes.reserve(experts);
  b.routing.first_tile.reserve(experts + 1);
  b.work.reserve(experts);
}

void ReserveTiles(const Model& model, int64_t n, Workspace::Buffers& b) {
  const Config& config = model.config;
  const int64_t width = std::max<int64_t>(config.d_model, int64_t{config.n_heads} * config.head_dim);
  const bool q8 = model.compute == Compute::kAuto;
  const int64_t used = std::max(1, config.n_experts_used);
  const kernels::Table& kernels = *model.kernels;
  b.in.Reserve(kernels, n, n, width, q8);  // groups of the head
  b.hidden.Reserve(kernels, n, 1, std::max(config.d_ff, 32), q8);
  if (config.n_experts > 0) {
    b.expert_in.Reserve(kernels, n * used, config.n_experts, config.d_model, q8);
    b.hidden.Reserve(kernels, n * used, config.n_experts, config.d_ff_expert, q8);
  }
}

// About the bytes of all buffers that grow with a step.
uint64_t StepBytes(const Config& config, int64_t n, int64_t n_logits) {
  const int64_t d = config.d_model, q = int64_t{config.n_heads} * config.head_dim,
                kv = int64_t{config.n_kv_heads} * config.head_dim;
  const int64_t used = std::max(1, config.n_experts_used), ffn = std::max<int64_t>(config.d_ff, used * config.d_ff_expert);
  const int64_t floats = d + std::max(3 * d, q + 2 * kv) + std::max(d, q) + used * d + ffn;
  const int64_t tiles = 5 * (std::max(d, q) + used * d + ffn) / 4;  // rows as f32 and as int8
  return 4 * static_cast<uint64_t>(n_logits * config.vocab_size + n * (floats + tiles));
}

}  // namespace

Result<std::unique_ptr<Workspace>> Workspace::Create(const Model& model, int64_t max_tokens, int64_t max_logits,
                                                     int64_t max_positions, int n_threads) try {
  constexpr uint64_t kSmall = uint64_t{64} << 20;  // is not looked after
  if (const uint64_t wanted = StepBytes(model.config, max_tokens, max_logits); wanted > kSmall) {
    const uint64_t obtainable = ObtainableBytes(ReadMemory());
    if (obtainable > 0 && wanted > obtainable) {
      return Error{ErrorCode::kOutOfMemory, StrCat("a step of ", max_tokens, " tokens needs ", HumanBytes(wanted), " of memory, ",
                                                   HumanBytes(wanted - obtainable), " more than is free; choose a smaller one")};
    }
  }
  std::unique_ptr<Workspace> workspace(new Workspace);
  workspace->buffers_ = std::make_unique<Buffers>();
  Buffers& b = *workspace->buffers_;
  b.max_tokens = max_tokens;
  b.max_logits = max_logits;
  b.max_positions = max_positions;
  b.vocab_size = model.config.vocab_size;
  b.logits.resize(static_cast<size_t>(max_logits) * static_cast<size_t>(model.config.vocab_size));
  ReserveRows(model.config, max_tokens, n_threads, b);
  ReserveExperts(model.config, max_tokens, b);
  ReserveTiles(model, max_tokens, b);
  const auto n_splits = static_cast<size_t>((max_positions + kSplitPositions - 1) / kSplitPositions);
  b.partials.state.resize(static_cast<size_t>(n_threads) * n_splits * kMaxQueries);
  const auto head_dim = static_cast<size_t>(std::max(1, model.config.head_dim));
  b.partials.acc.resize(b.partials.state.size() * head_dim);
  b.partials.queries.resize(static_cast<size_t>(n_threads) * kMaxQueries * head_dim);
  return workspace;
} catch (const std::bad_alloc&) {
  return Error{ErrorCode::kOutOfMemory, StrCat("no memory for the buffers of a step of ", max_tokens, " tokens over ",
                                               max_positions, " positions; choose a smaller context")};
}

}  // namespace lfm::model
