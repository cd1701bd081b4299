#include "report/limits.h"

#include <algorithm>
#include <cmath>

#include "model/tensors.h"

namespace lfm::report {
namespace {

using model::TensorField;

// Adds up the matrices of a checkpoint by field.
class Counter {
 public:
  Counter(const formats::Checkpoint& checkpoint, const StepShape& shape) : checkpoint_(checkpoint), shape_(shape) {}

  // A matrix that n_tokens meet, of which `share` of the bytes is read. Absent ones count nothing.
  void Add(const formats::Tensor* tensor, double n_tokens, double share = 1) {
    if (tensor == nullptr || n_tokens == 0) return;
    work_.read_bytes += share * static_cast<double>(tensor->n_bytes());
    AddOperations(2 * n_tokens * static_cast<double>(tensor->n_elements()),
                  shape_.compute == model::Compute::kAuto && InfoOf(tensor->type).quantized);
  }
  void Add(TensorField field, int i_layer, double n_tokens, double share = 1) {
    Add(model::FindTensor(checkpoint_, field, i_layer), n_tokens, share);
  }

  void AddMixer(const model::Config& config, int i_layer) {
    const auto n = static_cast<double>(shape_.n_tokens), past = static_cast<double>(shape_.n_past);
    for (const TensorField field : {TensorField::kConvIn, TensorField::kConvOut, TensorField::kAttentionQ,
                                    TensorField::kAttentionK, TensorField::kAttentionV, TensorField::kAttentionQkv,
                                    TensorField::kAttentionOut}) {
      Add(field, i_layer, n);
    }
    if (config.layers[static_cast<size_t>(i_layer)].mixer != model::Mixer::kAttention) return;
    const double page = static_cast<double>(kernels::KvPageBytes(shape_.kv_type, config.head_dim));
    work_.read_bytes += config.n_kv_heads * page / kernels::kPagePositions * (past + n);
    AddOperations(4 * (n * past + n * (n + 1) / 2) * config.n_heads * config.head_dim, false);
  }

  void AddFfn(const model::Config& config, int i_layer) {
    // Behind the last mixer only the token that gets logits is left.
    const double n = i_layer == config.n_layers - 1 ? 1 : static_cast<double>(shape_.n_tokens);
    for (const TensorField field : {TensorField::kFfnGate, TensorField::kFfnUp, TensorField::kFfnDown, TensorField::kRouter}) {
      Add(field, i_layer, n);
    }
    if (config.n_experts == 0) return;
    const double used = static_cast<double>(config.n_experts_used) / config.n_experts;
    const double met = 1 - std::pow(1 - used, n);
    for (const TensorField field : {TensorField::kExpertsGate, TensorField::kExpertsUp, TensorField::kExpertsDown,
                                    TensorField::kExpertsGateUp}) {
      Add(field, i_layer, used * n, met);
    }
    for (int e = 0; e < config.n_experts; ++e) {
      for (const TensorField field : {TensorField::kExpertGate, TensorField::kExpertUp, TensorField::kExpertDown}) {
        Add(model::FindTensor(checkpoint_, field, i_layer, e), used * n, met);
      }
    }
  }

  const Work& work() const { return work_; }

 private:
  void AddOperations(double n, bool int8) { (int8 ? work_.int8_operations : work_.f32_operations) += n; }

  const formats::Checkpoint& checkpoint_;
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
  Counter counter(checkpoint, shape);
  for (int i = 0; i < config.n_layers; ++i) {
    counter.AddMixer(config, i);
    counter.AddFfn(config, i);
  }
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
