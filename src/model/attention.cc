// Grouped-query attention over paged keys and values.
// A block is up to kMaxQueries query vectors of one sequence and KV head. It meets the pages in order, in splits of fixed
// positions; the splits' partial results are merged in order. Which thread does which split changes nothing, nor do blocks of
// several heads that go through a split's pages together.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "model/steps.h"

namespace lfm::model {
namespace {

using kernels::AttentionState;
using kernels::kPagePositions;

// Queries of consecutive rows of one item that share a KV head.
struct Block {
  int64_t index;
  int64_t first_row;
  int n_rows;
  int kv_head;
};

// Where a block's partial results go, split after split.
struct Partial {
  AttentionState* state;
  float* acc;
};

class AttentionBlocks {
 public:
  AttentionBlocks(const StepContext& step, int i_attention)
      : step_(step), config_(step.model.config), i_attention_(i_attention), group_(config_.n_heads / config_.n_kv_heads),
        q_width_(int64_t{config_.n_heads} * config_.head_dim) {
    // The queries of a block share the unpacking of a page; with too few blocks threads would wait.
    CutIntoBlocks(std::max(1, kMaxQueries / group_));
    if (n_blocks_ < 8 * step.threads.size()) CutIntoBlocks(std::max(1, kMaxQueries / 2 / group_));
  }

  void Run() {
    // Few blocks over a long past (decoding): a task a split, so that no thread waits for another's whole block. Else a task a block,
    // whose splits its thread walks. Either of a few heads.
    const int n_threads = step_.threads.size();
    const int64_t block_partials = max_splits_ * max_queries_;
    const auto room = static_cast<int64_t>(step_.b.partials.state.size());
    if (max_splits_ > 1 && n_blocks_ < 16 * n_threads && n_blocks_ * block_partials <= room) {
      const int n_heads = HeadsPerTask(n_blocks_ * max_splits_);
      step_.threads.For(n_blocks_ / n_heads * max_splits_, 1, [&](int64_t begin, int64_t end, int i_thread) {
        for (int64_t i = begin; i < end; ++i) {
          const Block first = BlockAt(i / max_splits_ * n_heads);
          const int64_t split = i % max_splits_;
          if (split >= SplitsFor(LastPosition(first) + 1)) continue;
          RunSplit(first, n_heads, split, PartialAt(first.index * block_partials), QueriesOf(first, n_heads, i_thread));
        }
      });
      step_.threads.For(n_blocks_, 1, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) Merge(BlockAt(i), PartialAt(i * block_partials));
      });
      return;
    }
    const int n_heads = HeadsPerTask(n_blocks_);
    const int64_t n_tasks = n_blocks_ / n_heads;
    step_.threads.For(n_tasks, n_tasks >= 16 * n_threads ? 2 : 1, [&](int64_t begin, int64_t end, int i_thread) {
      const int64_t place = room / n_threads * i_thread;
      for (int64_t i = begin; i < end; ++i) {
        const Block first = BlockAt(i * n_heads);
        const float* const queries = QueriesOf(first, n_heads, i_thread);
        const int64_t n_splits = SplitsFor(LastPosition(first) + 1);
        for (int64_t split = 0; split < n_splits; ++split) RunSplit(first, n_heads, split, PartialAt(place), queries);
        for (int h = 0; h < n_heads; ++h) Merge(BlockAt(first.index + h), PartialAt(place + h * block_partials));
      }
    });
  }

 private:
  void CutIntoBlocks(int rows_per_block) {
    rows_per_block_ = rows_per_block;
    n_blocks_ = 0;
    max_queries_ = 1;
    max_splits_ = 1;
    step_.b.first_block.clear();
    for (const BatchItem& item : step_.batch) {
      step_.b.first_block.push_back(n_blocks_);
      const int64_t n = static_cast<int64_t>(item.tokens.size());
      n_blocks_ += (n + rows_per_block_ - 1) / rows_per_block_ * config_.n_kv_heads;
      max_queries_ = std::max(max_queries_, std::min<int64_t>(n, rows_per_block_) * group_);
      max_splits_ = std::max(max_splits_, SplitsFor(item.state->n_tokens() + n));
    }
  }

  // A page's heads lie side by side, and the next page elsewhere: memory is read faster by several heads (1.14 to 1.17 times as
  // fast by four or eight, AVX-512, Zen 5), where enough of n_tasks are left for the threads to end together.
  int HeadsPerTask(int64_t n_tasks) const {
    const int64_t most = std::min(kMaxQueries / max_queries_, n_tasks / (16 * step_.threads.size()));
    int n_heads = 1;
    while (n_heads * 2 <= most && config_.n_kv_heads % (n_heads * 2) == 0) n_heads *= 2;
    return n_heads;
  }

  Partial PartialAt(int64_t i) const {
    return {step_.b.partials.state.data() + i, step_.b.partials.acc.data() + i * config_.head_dim};
  }
  static int64_t SplitsFor(int64_t n_positions) { return (n_positions + kSplitPositions - 1) / kSplitPositions; }

  Block BlockAt(int64_t i) const {
    const std::vector<int64_t>& first_block = step_.b.first_block;
    const auto item = static_cast<size_t>(std::upper_bound(first_block.begin(), first_block.end(), i) - first_block.begin() - 1);
    const int64_t local = i - first_block[item];
    const int64_t chunk = local / config_.n_kv_heads * rows_per_block_;
    const int64_t n = static_cast<int64_t>(step_.batch[item].tokens.size());
    return {i, step_.b.first_row[item] + chunk, static_cast<int>(std::min<int64_t>(rows_per_block_, n - chunk)),
            static_cast<int>(local % config_.n_kv_heads)};
  }

  const Row& RowAt(int64_t i) const { return step_.b.rows[static_cast<size_t>(i)]; }
  int64_t LastPosition(const Block& block) const { return RowAt(block.first_row + block.n_rows - 1).position; }
  // A page's part of the block's head, or of the i_head-th after it.
  const std::byte* KvOf(const Block& block, int i_head, int64_t page) const {
    const State& sequence = *step_.batch[static_cast<size_t>(RowAt(block.first_row).i_item)].state;
    return sequence.Kv(page, i_attention_, block.kv_head + i_head);
  }
  // What comes after a page of n_heads blocks where one thread takes all in order.
  const std::byte* KvAfter(const Block& first, int n_heads, int64_t page) const {
    if (page < LastPosition(first) / kPagePositions) return KvOf(first, 0, page + 1);
    const int64_t after = first.index + n_heads;
    return after < n_blocks_ ? KvOf(BlockAt(after), 0, 0) : nullptr;
  }

  // The queries of n_heads blocks from `first`, scaled and prepared, in the thread's own place.
  const float* QueriesOf(const Block& first, int n_heads, int i_thread) const {
    const int width = group_ * config_.head_dim;
    float* const queries = step_.b.partials.queries.data() + int64_t{i_thread} * kMaxQueries * config_.head_dim;
    const float scale = 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
    float* out = queries;
    for (int h = 0; h < n_heads; ++h) {
      for (int r = 0; r < first.n_rows; ++r) {
        const float* q = step_.b.wide.data() + (first.first_row + r) * Stride() + int64_t{first.kv_head + h} * width;
        for (int i = 0; i < width; ++i) *out++ = q[i] * scale;
      }
    }
    step_.model.kernels->prepare_queries[KvTypeIndex()](queries, n_heads * first.n_rows * group_, config_.head_dim);
    return queries;
  }

  // n_heads blocks from `first`, of the same rows, meet the pages of a split, which some row sees. `partial` is the first block's,
  // and the others' follow.
  void RunSplit(const Block& first, int n_heads, int64_t split, Partial partial, const float* queries) const {
    const int n_queries = first.n_rows * group_, d = config_.head_dim;
    const int64_t stride = max_splits_ * max_queries_;
    partial.state += split * n_queries;
    partial.acc += split * n_queries * d;
    for (int h = 0; h < n_heads; ++h) {
      AttentionState* const state = partial.state + h * stride;
      float* const acc = partial.acc + h * stride * d;
      std::fill(state, state + n_queries, AttentionState{-std::numeric_limits<float>::infinity(), 0.0f});
      std::fill(acc, acc + n_queries * d, 0.0f);
    }

    int n_keys[kMaxQueries];
    std::fill(n_keys, n_keys + n_queries, kPagePositions);
    const int64_t position = RowAt(first.first_row).position;
    const int64_t last_page = std::min((split + 1) * kSplitPages - 1, LastPosition(first) / kPagePositions);
    for (int64_t page = split * kSplitPages; page <= last_page; ++page) {
      if ((page + 1) * kPagePositions > position + 1) {  // some see a part of it
        for (int i = 0; i < n_queries; ++i) {
          const int64_t visible = position + i / group_ + 1 - page * kPagePositions;
          n_keys[i] = static_cast<int>(std::clamp<int64_t>(visible, 0, kPagePositions));
        }
      }
      for (int h = 0; h < n_heads; ++h) {
        const std::byte* const next = h + 1 < n_heads ? KvOf(first, h + 1, page) : KvAfter(first, n_heads, page);
        Kernel()(KvOf(first, h, page), next, queries + int64_t{h} * n_queries * d, n_keys, n_queries, d,
                 partial.state + h * stride, partial.acc + h * stride * d);
      }
    }
  }

  void Merge(const Block& block, const Partial& partial) const {
    const int n_queries = block.n_rows * group_, d = config_.head_dim;
    for (int i = 0; i < n_queries; ++i) {
      const int64_t row = block.first_row + i / group_;
      const auto n_splits = static_cast<int>(SplitsFor(RowAt(row).position + 1));
      float* out = step_.b.mixed.data() + row * q_width_ + (int64_t{block.kv_head} * group_ + i % group_) * d;
      step_.model.kernels->attend_merge(partial.state + i, n_queries, partial.acc + i * d, int64_t{n_queries} * d, n_splits, d,
                                        out);
    }
  }

  int64_t Stride() const { return q_width_ + int64_t{2} * config_.n_kv_heads * config_.head_dim; }
  size_t KvTypeIndex() const { return static_cast<size_t>(step_.batch[0].state->layout().kv_type); }
  auto Kernel() const -> std::remove_cvref_t<decltype(kernels::Table::attend_page[0])> {
    return step_.model.kernels->attend_page[KvTypeIndex()];
  }

  const StepContext& step_;
  const Config& config_;
  const int i_attention_;
  const int group_;
  const int64_t q_width_;
  int rows_per_block_ = 1;
  int64_t n_blocks_ = 0, max_splits_ = 1, max_queries_ = 1;
};

// Norms and rotates queries and keys in place, then stores keys and values in the pages.
void PrepareHeads(const StepContext& step, const Attention& attention, int i_attention) {
  const Config& config = step.model.config;
  const kernels::Table& kernels = *step.model.kernels;
  const int d = config.head_dim, half = d / 2;
  const int64_t q_width = int64_t{config.n_heads} * d, kv_width = int64_t{config.n_kv_heads} * d;
  const int64_t stride = q_width + 2 * kv_width;
  step.threads.For(step.n, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* q = step.b.wide.data() + i * stride;
      float *k = q + q_width, *v = k + kv_width;
      const float *cos = step.b.cos.data() + i * half, *sin = step.b.sin.data() + i * half;
      for (int h = 0; h < config.n_heads; ++h) {
        kernels.norm_rope(q + h * d, attention.q_norm.data(), cos, sin, d, config.norm_eps);
      }
      const Row& row = step.b.rows[static_cast<size_t>(i)];
      const State& state = *step.batch[static_cast<size_t>(row.i_item)].state;
      const auto store = kernels.kv_store[static_cast<size_t>(state.layout().kv_type)];
      for (int h = 0; h < config.n_kv_heads; ++h) {
        kernels.norm_rope(k + h * d, attention.k_norm.data(), cos, sin, d, config.norm_eps);
        store(state.Kv(row.position / kPagePositions, i_attention, h), static_cast<int>(row.position % kPagePositions), k + h * d,
              v + h * d, d);
      }
    }
  });
}

// Keys and values are read once a step and sequence; every query meets every position before it.
void CountAttention(const StepContext& step) {
  if (!step.profile) return;
  const Config& config = step.model.config;
  for (const BatchItem& item : step.batch) {
    const StateLayout& layout = item.state->layout();
    const int64_t n = static_cast<int64_t>(item.tokens.size()), past = item.state->n_tokens();
    const double layer_bytes = layout.kv_bytes_per_token() / layout.n_attention;
    step.profile->CountBytes(static_cast<uint64_t>(layer_bytes * static_cast<double>(past + n)));
    const int64_t n_pairs = n * past + n * (n + 1) / 2;
    const auto operations =
        static_cast<uint64_t>(AttentionOperations(layout.kv_type) * n_pairs * config.n_heads * config.head_dim);
    step.profile->operations += operations;
    step.profile->f32_operations += operations;
  }
}

}  // namespace

void AttentionStep(const StepContext& step, const Layer& layer, int i_attention) {
  const PhaseTimer timer(step.profile, Phase::kAttention);
  const Config& config = step.model.config;
  const Attention& attention = layer.attention;
  const int64_t q_width = int64_t{config.n_heads} * config.head_dim;
  const int64_t kv_width = int64_t{config.n_kv_heads} * config.head_dim, stride = q_width + 2 * kv_width;

  Forms forms;
  for (const Matrix* matrix : {&attention.q, &attention.k, &attention.v}) Need(step.model, *matrix, forms);
  NormRows(step, layer.operator_norm, forms);
  float* q = step.b.wide.data();
  const Product qkv[] = {
      {&attention.q, q, stride}, {&attention.k, q + q_width, stride}, {&attention.v, q + q_width + kv_width, stride}};
  for (const Product& product : qkv) Observe(step, *product.matrix, step.b.in.tiles());
  Multiply(step.model, qkv, step.b.in.tiles(), step.threads, step.profile);
  PrepareHeads(step, attention, i_attention);
  CountAttention(step);
  AttentionBlocks(step, i_attention).Run();

  Forms out_forms;
  Need(step.model, attention.out, out_forms);
  step.b.in.Arrange(step.n, q_width);
  step.threads.For(step.n, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      step.b.in.Store(*step.model.kernels, out_forms, i, step.b.mixed.data() + i * q_width);
    }
  });
  Observe(step, attention.out, step.b.in.tiles());
  const Product out{&attention.out, step.b.x.data(), config.d_model, true};
  Multiply(step.model, {&out, 1}, step.b.in.tiles(), step.threads, step.profile);
}

}  // namespace lfm::model
