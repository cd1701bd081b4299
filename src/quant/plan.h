// Types per tensor for a wanted size or loss: each tensor's error is measured for each type, and bytes go where they
// take away most of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "formats/progress.h"
#include "quant/imatrix.h"
#include "quant/model_tensors.h"

namespace lfm::quant {

struct PlanRow {
  size_t i_tensor = 0;
  TensorType type = TensorType::kF32;
  uint64_t n_bytes = 0;
  double error = 0;  // relative: weighted squared error over weighted square, measured on sampled rows
};

struct Plan {
  std::vector<TensorType> types;  // of all tensors
  std::vector<PlanRow> rows;      // of those that had a choice
  uint64_t n_bytes = 0;           // of all tensors' data
  double error = 0;               // sum over rows
  double predicted_kl = 0;        // goal.kl_per_error * error
};

struct PlanGoal {
  std::optional<uint64_t> n_bytes;  // of tensor data, at most
  std::optional<double> kl;         // predicted, at most
  // Mean KL divergence in nats for each unit of summed relative error. It depends on the model: the default is an order
  // of magnitude, a measured one says more (docs/quantize.md).
  double kl_per_error = 0.5;
  bool or_nearest = false;  // where no plan is predicted to reach `kl`: the one that loses least, instead of an error
};

// What has been measured of a source's tensors (PlanRow::error, by tensor and type), for further plans from the same
// source and imatrix.
using MeasuredErrors = std::map<std::pair<size_t, TensorType>, double>;

// Exactly one goal is set. `fixed` types (TensorType per tensor, or nothing) are taken as they are. What is
// in `measured` is not measured again, what is not is added to it.
// Errors: a size below the smallest that is possible (says which), a goal that cannot be reached, cancelled.
Result<Plan> MakePlan(const formats::Checkpoint& checkpoint, std::span<const ModelTensor> tensors,
                      std::span<const std::optional<TensorType>> fixed, const Imatrix* imatrix, const PlanGoal& goal,
                      MeasuredErrors& measured, Threads& threads, const formats::Progress& progress);

}  // namespace lfm::quant
