#include "quant/plan.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "kernels/kernels.h"
#include "quant/encode.h"
#include "quant/mixes.h"

namespace lfm::quant {
namespace {

// What a tensor may become, from small to large; types that do not fit its rows fall out.
constexpr TensorType kCandidates[] = {TensorType::kQ2_K,   TensorType::kQ3_K, TensorType::kIQ4_XS,
                                      TensorType::kIQ4_NL, TensorType::kQ4_K, TensorType::kQ5_0,
                                      TensorType::kQ5_K,   TensorType::kQ6_K, TensorType::kQ8_0};
constexpr int64_t kSampleRows = 96;

struct Choice {
  TensorType type;
  uint64_t n_bytes;
  double error;
};

uint64_t BytesOf(const ModelTensor& tensor, TensorType type) {
  return static_cast<uint64_t>(tensor.n_rows) * RowBytes(type, static_cast<size_t>(tensor.k));
}

// How much an error of this matrix matters beside the others. The head's goes into the logits unhindered, and the same
// matrix is often the embedding, under everything else. So large a factor that its step to Q6_K comes before the other
// matrices leave 4 bits, and its step to Q8_0 after they have 6; docs/quantize.md has the measurements.
double Weight(const ModelTensor& tensor) {
  const bool is_head = tensor.field == model::TensorField::kHead || tensor.field == model::TensorField::kEmbedding;
  return is_head ? 40 : 1;
}

// Relative error of a type on rows that are spread over the tensor.
double MeasureError(const ModelTensor& tensor, TensorType type, std::span<const float> importance, Threads& threads) {
  const int64_t n = std::min(kSampleRows, tensor.n_rows);
  const auto k = static_cast<size_t>(tensor.k);
  std::vector<double> lost(static_cast<size_t>(n)), all(static_cast<size_t>(n));
  threads.For(n, 1, [&](int64_t begin, int64_t end, int) {
    std::vector<float> x(k), y(k);
    std::vector<std::byte> stored(RowBytes(type, k));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i * tensor.n_rows / n;
      const float* weights = nullptr;
      if (importance.size() == k) weights = importance.data();
      if (importance.size() > k) weights = importance.data() + row / (tensor.n_rows / tensor.n_experts()) * tensor.k;
      ReadRow(tensor, row, x.data());
      EncodeRow(type, x.data(), weights, tensor.k, stored.data());
      kernels::Dequantize(type, stored.data(), tensor.k, y.data());
      for (size_t j = 0; j < k; ++j) {
        const double w = weights ? static_cast<double>(weights[j]) : 1, v = static_cast<double>(x[j]);
        const double e = v - static_cast<double>(y[j]);
        lost[static_cast<size_t>(i)] += w * e * e;
        all[static_cast<size_t>(i)] += w * v * v;
      }
    }
  });
  double sum_lost = 0, sum_all = 0;
  for (size_t i = 0; i < lost.size(); ++i) {
    sum_lost += lost[i];
    sum_all += all[i];
  }
  return sum_all > 0 ? sum_lost / sum_all : 0;
}

// The choices on the lower convex hull of (bytes, error): each step up is worth less for a byte than the one before.
std::vector<Choice> Hull(std::vector<Choice> choices) {
  std::sort(choices.begin(), choices.end(),
            [](const Choice& a, const Choice& b) { return a.n_bytes != b.n_bytes ? a.n_bytes < b.n_bytes : a.error < b.error; });
  std::vector<Choice> hull;
  const auto slope = [](const Choice& a, const Choice& b) {
    return (a.error - b.error) / static_cast<double>(b.n_bytes - a.n_bytes);
  };
  for (const Choice& choice : choices) {
    if (!hull.empty() && (choice.n_bytes == hull.back().n_bytes || choice.error >= hull.back().error)) continue;
    while (hull.size() >= 2 && slope(hull[hull.size() - 2], hull.back()) <= slope(hull.back(), choice)) hull.pop_back();
    hull.push_back(choice);
  }
  return hull;
}

struct Step {
  size_t i_row, i_choice;
  double worth;  // error taken away for a byte
};

}  // namespace

Result<Plan> MakePlan(const formats::Checkpoint& checkpoint, std::span<const ModelTensor> tensors,
                      std::span<const std::optional<TensorType>> fixed, const Imatrix* imatrix, const PlanGoal& goal,
                      MeasuredErrors& measured, Threads& threads, const formats::Progress& progress) {
  Plan plan;
  std::vector<std::vector<Choice>> hulls;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ModelTensor& tensor = tensors[i];
    plan.types.push_back(tensor.always_f32() ? TensorType::kF32 : fixed[i].value_or(TensorType::kF16));
    if (tensor.always_f32() || fixed[i]) {
      plan.n_bytes += BytesOf(tensor, plan.types[i]);
      continue;
    }
    std::vector<float> importance;
    if (imatrix) {
      LFM_TRY(importance, imatrix->Importance(tensor.name, tensor.n_experts(), tensor.k));
    }
    std::vector<Choice> choices;
    for (const TensorType type : kCandidates) {
      if (tensor.k % InfoOf(type).block_size != 0) continue;
      const auto [error, is_new] = measured.try_emplace({i, type}, 0);
      if (is_new) error->second = Weight(tensor) * MeasureError(tensor, type, importance, threads);
      choices.push_back({type, BytesOf(tensor, type), error->second});
      if (progress && !progress(i, tensors.size())) return Error{ErrorCode::kCancelled, "cancelled"};
    }
    if (choices.empty()) choices.push_back({TensorType::kF16, BytesOf(tensor, TensorType::kF16), 0});
    ReleaseRows(checkpoint, tensor, 0, tensor.n_rows);
    hulls.push_back(Hull(std::move(choices)));
    const Choice& least = hulls.back().front();
    plan.rows.push_back({i, least.type, least.n_bytes, least.error});
    plan.n_bytes += least.n_bytes;
    plan.error += least.error;
    if (progress && !progress(i + 1, tensors.size())) return Error{ErrorCode::kCancelled, "cancelled"};
  }
  if (goal.n_bytes && plan.n_bytes > *goal.n_bytes) {
    return Error{ErrorCode::kInvalidArgument, StrCat("the smallest file that is possible has ", plan.n_bytes,
                                                     " bytes of weights (", HumanBytes(plan.n_bytes), "); name a larger size")};
  }
  std::vector<Step> steps;
  for (size_t i = 0; i < hulls.size(); ++i) {
    for (size_t j = 1; j < hulls[i].size(); ++j) {
      const Choice &from = hulls[i][j - 1], &to = hulls[i][j];
      steps.push_back({i, j, (from.error - to.error) / static_cast<double>(to.n_bytes - from.n_bytes)});
    }
  }
  // Of equal worth the earlier tensor goes first, so that a plan can be repeated.
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.worth > b.worth; });
  std::vector<size_t> at(hulls.size(), 0);
  for (const Step& step : steps) {
    if (goal.kl && plan.error * goal.kl_per_error <= *goal.kl) break;
    if (step.i_choice != at[step.i_row] + 1) continue;  // an earlier step of this tensor did not fit
    const Choice& to = hulls[step.i_row][step.i_choice];
    PlanRow& row = plan.rows[step.i_row];
    const uint64_t n_bytes = plan.n_bytes - row.n_bytes + to.n_bytes;
    if (goal.n_bytes && n_bytes > *goal.n_bytes) continue;
    plan.n_bytes = n_bytes;
    plan.error += to.error - row.error;
    row = {row.i_tensor, to.type, to.n_bytes, to.error};
    at[step.i_row] = step.i_choice;
  }
  plan.predicted_kl = plan.error * goal.kl_per_error;
  if (goal.kl && plan.predicted_kl > *goal.kl && !goal.or_nearest) {
    return Error{ErrorCode::kInvalidArgument, StrCat("the least that types up to Q8_0 are predicted to lose is ",
                                                     plan.predicted_kl, " nats; name a larger loss, or use bf16")};
  }
  for (const PlanRow& row : plan.rows) plan.types[row.i_tensor] = row.type;
  return plan;
}

}  // namespace lfm::quant
