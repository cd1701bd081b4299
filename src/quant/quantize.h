// A model with smaller weights: reads GGUF or a Hugging Face folder, writes GGUF, as a stream over all cores.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "formats/progress.h"
#include "quant/imatrix.h"
#include "quant/plan.h"

namespace lfm::quant {

struct QuantizeOptions {
  std::string type;                                           // a mix (mixes.h), or any one type: "q5_0"; empty with a goal
  std::vector<std::pair<std::string, TensorType>> overrides;  // regular expression on the GGUF name; the first that matches
  const Imatrix* imatrix = nullptr;
  std::string imatrix_path;            // noted in the file
  PlanGoal goal;                       // n_bytes is that of the whole file
  MeasuredErrors* measured = nullptr;  // kept from call to call by those who plan for one source more than once
  std::function<void(const Plan&, const std::vector<ModelTensor>&)> on_plan;  // before any work
  formats::Progress plan_progress, progress;
};

struct QuantizeResult {
  uint64_t n_bytes = 0;                         // of the file
  uint64_t n_source_bytes = 0;                  // of the source's tensors
  double plan_error = 0;                        // Plan::error, where there was a plan
  std::vector<std::string> without_importance;  // matrices that an imatrix says nothing about
};

// Writes `out`, which appears when it is whole. The bytes depend on source and options only, not on the threads.
// Errors: as Convert(); a bad regular expression or one that matches nothing; an imatrix of another model.
Result<QuantizeResult> Quantize(const formats::Checkpoint& source, const std::string& out, Threads& threads,
                                const QuantizeOptions& options);

}  // namespace lfm::quant
