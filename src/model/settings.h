// What a file says beyond sizes: every setting that would change the computation is either what the family computes or an
// error that names it, and so is every tensor. Nothing is assumed harmless because nobody here has heard of it.
#pragma once

#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "model/config.h"

namespace lfm::model {

// GGUF: the keys of the architecture, general.type and adapters. Folder: config.json and what else would make
// transformers or sentence-transformers compute something else.
Status CheckSettings(const formats::Checkpoint& checkpoint, const Config& config);

// The tensors that the model does not read and that change nothing: buffers, tables of other programs, a copy of the tied
// head. What would change the computation (a bias, a head of another kind, an adapter, scales) is an error.
Result<std::vector<const formats::Tensor*>> UnusedTensors(const formats::Checkpoint& checkpoint, const Config& config);

}  // namespace lfm::model
