#include "report/limits.h"

#include <algorithm>
#include <cmath>

#include "model/state.h"
#include "model/tensors.h"

namespace lfm::report {
namespace {

using model::TensorField;

// Adds up what a step does with each tensor.
class Counter {
 public:
  explicit Counter(const StepShape& shape) : shape_(shape) {}

  // A matrix that n_tokens meet, of which `share` of the bytes is read. Absent ones count nothing.
  void Add(const formats::Tensor* tensor, double n_tokens, double share = 1) {
    if (tensor == nullptr || n_tokens == 0) return;
    work_.read_bytes += share * static_cast<double>(tensor->n_bytes());
    AddOperations(2 * n_tokens * static_cast<double>(tensor->n_elements()),
                  shape_.compute == model::Compute::kAuto && InfoOf(tensor->type).quantized);
  }
  // One tensor of the walk: how many tokens meet it, and which share of it is read.
  void AddTensor(const model::Config& config, const model::TensorPlace& place, const formats::Tensor& tensor) {
    using enum TensorField;
    // Behind the last mixer only the token that gets logits is left.
    const auto n_mixer = static_cast<double>(shape_.n_tokens);
    const double n = place.i_layer == config.n_layers - 1 ? 1 : n_mixer;
    const double used = config.n_experts == 0 ? 0 : static_cast<double>(config.n_experts_used) / config.n_experts;
    switch (place.field) {
      case kConvIn:
      case kConvOut:
      case kAttentionQ:
      case kAttentionK:
      case kAttentionV:
      case kAttentionQkv:
      case kAttentionOut: return Add(&tensor, n_mixer);
      case kFfnGate:
      case kFfnUp:
      case kFfnDown:
      case kRouter: return Add(&tensor, n);
      case kExpertGate:
      case kExpertUp:
      case kExpertDown:
      case kExpertsGate:
      case kExpertsUp:
      case kExpertsDown:
      case kExpertsGateUp: return Add(&tensor, used * n, 1 - std::pow(1 - used, n));
      default: return;  // vectors, and the embedding and the head, which CountWork knows
    }
  }

  void AddAttention(const model::Config& config, int i_layer) {
    const auto n = static_cast<double>(shape_.n_tokens), past = static_cast<double>(shape_.n_past);
    if (config.layers[static_cast<size_t>(i_layer)].mixer != model::Mixer::kAttention) return;
    const double page = static_cast<double>(kernels::KvPageBytes(shape_.kv_type, config.head_dim));
    work_.read_bytes += config.n_kv_heads * page / kernels::kPagePositions * (past + n);
    AddOperations(model::AttentionOperations(shape_.kv_type) * (n * past + n * (n + 1) / 2) * config.n_heads * config.head_dim,
                  false);
  }

  const Work& work() const { return work_; }

 private:
  void AddOperations(double n, bool int8) { (int8 ? work_.int8_operations : work_.f32_operations) += n; }

  const StepShape& shape_;
  Work work_;
};

}  // namespace

Work WorkOf(const model::Profile& profile) {
  const auto f32 = static_cast<double>(profile.f32_operations);
  return {static_cast<double>(profile.all_read_bytes()), static_cast<double>(profile.operations) - f32, f32,
          static_cast<double>(std::max<int64_t>(1, profile.n_steps))};
}

Work CountWork(const formats::Checkpoint& checkpoint, const model::Config& config, const StepShape& shape) {
  Counter counter(shape);
  model::ForEachTensor(checkpoint, config, [&](const model::TensorPlace& place, const formats::Tensor& tensor) {
    counter.AddTensor(config, place, tensor);
  });
  for (int i = 0; i < config.n_layers; ++i) counter.AddAttention(config, i);
  const formats::Tensor* head = model::FindTensor(checkpoint, TensorField::kHead);
  counter.Add(head != nullptr ? head : model::FindTensor(checkpoint, TensorField::kEmbedding), 1);
  return counter.work();
}

double MemorySeconds(const Work& work, const Roofline& roofline) {
  const bool cached = work.read_bytes / work.n_steps <= static_cast<double>(roofline.cache_bytes);
  return cached || roofline.read.sustained <= 0 ? 0 : work.read_bytes / roofline.read.sustained;
}

double ArithmeticSeconds(const Work& work, const Roofline& roofline) {
  if (roofline.int8_ops_per_s <= 0 || roofline.f32_ops_per_s <= 0) return 0;
  return work.int8_operations / roofline.int8_ops_per_s + work.f32_operations / roofline.f32_ops_per_s;
}

double LeastSeconds(const Work& work, const Roofline& roofline) {
  return std::max(MemorySeconds(work, roofline), ArithmeticSeconds(work, roofline));
}

const char* LimitName(const Work& work, const Roofline& roofline) {
  return MemorySeconds(work, roofline) >= ArithmeticSeconds(work, roofline) ? "memory" : "arithmetic";
}

}  // namespace lfm::report
