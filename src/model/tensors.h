// Names of the family's tensors in both conventions, from the one table tensors.inc.
#pragma once

#include <string>

#include "formats/checkpoint.h"

namespace lfm::model {

enum class TensorField {
#define TENSOR(field, gguf, hugging_face, shape) field,
#include "model/tensors.inc"
#undef TENSOR
};

// The tensor's name in this convention, or "" where it has none. i_layer and i_expert fill {} and {e}.
std::string TensorName(TensorField field, formats::Naming naming, int i_layer = -1, int i_expert = -1);

// The tensor, or null when the checkpoint has none of that name.
const formats::Tensor* FindTensor(const formats::Checkpoint& checkpoint, TensorField field, int i_layer = -1,
                                  int i_expert = -1);

}  // namespace lfm::model
