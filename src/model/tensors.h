// The family's tensors: names in both conventions, shapes, and the one walk over them, from the table tensors.inc.
// Loading, listing, converting, counting, synthetic files and importance matrices all take this walk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "model/config.h"

namespace lfm::model {

enum class TensorField {
#define TENSOR(field, gguf, hugging_face, shape) field,
#include "model/tensors.inc"
#undef TENSOR
};

// The tensor's name in this convention, or "" where it has none. i_layer and i_expert fill {} and {e}.
std::string TensorName(TensorField field, formats::Naming naming, int i_layer = -1, int i_expert = -1);

// The tensor, or null when the checkpoint has none of that name. Other spellings that the field uses are found too:
// ollama's output_norm.weight, folders without "model." or with a prefix of a wrapper. A head beside a configuration that
// ties it to the embedding is not found: the model does not read it.
const formats::Tensor* FindTensor(const formats::Checkpoint& checkpoint, TensorField field, int i_layer = -1, int i_expert = -1);

// That the tensor is missing, with what helps: the type of a tensor of that name that lfm cannot read, or to download.
Error MissingTensor(const formats::Checkpoint& checkpoint, TensorField field, int i_layer = -1, int i_expert = -1);

// The shape that a configuration gives a tensor, slowest first.
std::vector<int64_t> ShapeOf(TensorField field, const Config& config);

// The walk: every tensor of a model of this configuration in the form that GGUF gives it (experts stacked, projections apart),
// embedding first, then layer by layer, then the final norm and the head. Visited too, though a model can do without: the
// head, which the embedding may be, and the experts' bias. An error of `visit` ends the walk.
Status ForEachField(const Config& config, const std::function<Status(TensorField field, int i_layer)>& visit);

// Rows of a stored tensor, counted over the tensor flattened to rows.
struct RowRange {
  const formats::Tensor* tensor = nullptr;
  int64_t first_row = 0;
  int64_t n_rows = 0;
};
// Where a checkpoint holds a tensor of the walk: one range (in a tensor of its own or a fused one), or one for each expert,
// where experts are stored one by one or fused with others. All ranges are equally long. Errors: missing, another shape.
Result<std::vector<RowRange>> Locate(const formats::Checkpoint& checkpoint, const Config& config, TensorField field, int i_layer);

// Visits every tensor of the checkpoint that the model reads; where a file has several forms of the same thing (fused or
// single projections, stacked or single experts), only those of the form that counts. Absent ones are left out.
struct TensorPlace {
  TensorField field;
  int i_layer = -1, i_expert = -1;
};
void ForEachTensor(const formats::Checkpoint& checkpoint, const Config& config,
                   const std::function<void(const TensorPlace&, const formats::Tensor&)>& visit);

}  // namespace lfm::model
