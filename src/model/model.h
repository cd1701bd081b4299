// The model: configuration, weights and the kernels that run it.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/weights.h"

namespace lfm::model {

enum class Compute {
  kAuto,  // activations as int8 blocks where the weights are quantised
  kF32,   // activations in f32 everywhere
};

// Immutable after loading; shared by any number of sequences and threads.
struct Model {
  Config config;
  Weights weights;
  const kernels::Table* kernels = nullptr;
  Compute compute = Compute::kAuto;
};

struct ModelOptions {
  Compute compute = Compute::kAuto;
  std::string isa;  // "" is the host's best
  LoadProgress progress;
};

// Loads a model from an opened checkpoint (which may be closed afterwards).
Result<std::unique_ptr<const Model>> LoadModel(const formats::Checkpoint& checkpoint, Threads& threads,
                                               const ModelOptions& options = {});

}  // namespace lfm::model
