// What a step of a model needs, in bytes and operations, and how fast it can be at most on a machine with given limits.
#pragma once

#include <cstdint>

#include "report/machine.h"
#include "formats/checkpoint.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/model.h"
#include "model/profile.h"

namespace lfm::report {

// Of n_steps steps together. A multiply-add is two operations.
struct Work {
  double read_bytes = 0;       // weights and keys and values
  double int8_operations = 0;  // products of quantised weights
  double f32_operations = 0;   // of other weights, and attention
  double n_steps = 1;

  double operations() const { return int8_operations + f32_operations; }
};

// What was counted while the model ran.
Work WorkOf(const model::Profile& profile);

// What one step of n_tokens after n_past others needs, counted from the headers of a file. Only the last token gets
// logits. How many experts a step of several tokens meets is what balanced routing gives.
struct StepShape {
  int64_t n_tokens = 1, n_past = 0;
  model::Compute compute = model::Compute::kAuto;
  kernels::KvType kv_type = kernels::KvType::kI16;
};
Work CountWork(const formats::Checkpoint& checkpoint, const model::Config& config, const StepShape& shape);

// The two times that no machine with these limits can go below, in seconds. Memory is no limit (0) where a step's bytes
// fit into the cache.
double MemorySeconds(const Work& work, const Roofline& roofline);
double ArithmeticSeconds(const Work& work, const Roofline& roofline);
double LeastSeconds(const Work& work, const Roofline& roofline);

// "memory" or "arithmetic": which of them is the limit.
const char* LimitName(const Work& work, const Roofline& roofline);

}  // namespace lfm::report
