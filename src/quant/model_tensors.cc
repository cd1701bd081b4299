#include "quant/model_tensors.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "kernels/float16.h"
#include "kernels/kernels.h"

namespace lfm::quant {
namespace {

using formats::Checkpoint;
using formats::Tensor;
using model::Config;
using model::TensorField;

struct Place {
  const RowRange* part;
  int64_t i_row;  // in the part's tensor
};

Place PlaceOf(const ModelTensor& tensor, int64_t i_row) {
  // Parts of a tensor are equally long.
  const int64_t n = tensor.parts[0].n_rows;
  const RowRange& part = tensor.parts[static_cast<size_t>(i_row / n)];
  return {&part, part.first_row + i_row % n};
}

}  // namespace

TensorType ModelTensor::source_type() const {
  for (const RowRange& part : parts) {
    if (part.tensor->type != parts[0].tensor->type) return TensorType::kF32;
  }
  return parts[0].tensor->type;
}

bool ModelTensor::always_f32() const {
  return shape.size() == 1 || field == TensorField::kRouter || field == TensorField::kConvTaps;
}

Result<std::vector<ModelTensor>> ListModelTensors(const Checkpoint& checkpoint, const Config& config) {
  std::vector<ModelTensor> tensors;
  LFM_RETURN_IF_ERROR(model::ForEachField(config, [&](TensorField field, int i_layer) -> Status {
    if (field == TensorField::kHead && !model::FindTensor(checkpoint, field)) return Ok();  // tied
    if (field == TensorField::kExpertBias && !config.use_expert_bias) return Ok();
    ModelTensor tensor;
    LFM_TRY(tensor.parts, model::Locate(checkpoint, config, field, i_layer));
    tensor.field = field;
    tensor.i_layer = i_layer;
    tensor.name = model::TensorName(field, formats::Naming::kGguf, i_layer);
    tensor.shape = model::ShapeOf(field, config);
    tensor.k = tensor.shape.back();
    for (const RowRange& part : tensor.parts) tensor.n_rows += part.n_rows;
    tensors.push_back(std::move(tensor));
    return Ok();
  }));
  for (const ModelTensor& tensor : tensors) {
    for (const RowRange& part : tensor.parts) {
      if (part.tensor->bytes.size() == part.tensor->n_bytes()) continue;
      return Error{ErrorCode::kUnsupported, StrCat(checkpoint.path, " is a packed file, whose weights are in another ",
                                                   "order; name the model that it was made from")};
    }
  }
  return tensors;
}

std::span<const std::byte> StoredRows(const ModelTensor& tensor, TensorType type, int64_t first, int64_t n) {
  const Place place = PlaceOf(tensor, first);
  if (place.part->tensor->type != type) return {};
  if (place.i_row + n > place.part->first_row + place.part->n_rows) return {};
  const size_t row_bytes = RowBytes(type, static_cast<size_t>(tensor.k));
  return place.part->tensor->bytes.subspan(static_cast<size_t>(place.i_row) * row_bytes, static_cast<size_t>(n) * row_bytes);
}

void ReadRow(const ModelTensor& tensor, int64_t i_row, float* out) {
  const Place place = PlaceOf(tensor, i_row);
  const TensorType type = place.part->tensor->type;
  const size_t row_bytes = RowBytes(type, static_cast<size_t>(tensor.k));
  const std::byte* from = place.part->tensor->bytes.data() + static_cast<size_t>(place.i_row) * row_bytes;
  if (type == TensorType::kF32) {
    std::memcpy(out, from, row_bytes);
  } else if (type == TensorType::kBF16) {  // the usual source: a loop that the compiler can vectorise
    for (int64_t i = 0; i < tensor.k; ++i) {
      uint16_t bits;
      std::memcpy(&bits, from + 2 * i, 2);
      out[i] = kernels::Bfloat16ToFloat(bits);
    }
  } else {
    kernels::Dequantize(type, from, tensor.k, out);
  }
}

void ReleaseRows(const Checkpoint& checkpoint, const ModelTensor& tensor, int64_t first, int64_t n) {
  for (int64_t i = first; i < first + n;) {
    const Place place = PlaceOf(tensor, i);
    const Tensor& source = *place.part->tensor;
    const int64_t n_here = std::min(first + n - i, place.part->first_row + place.part->n_rows - place.i_row);
    const size_t row_bytes = RowBytes(source.type, static_cast<size_t>(tensor.k));
    checkpoint.files[source.i_file].Release(
        source.bytes.subspan(static_cast<size_t>(place.i_row) * row_bytes, static_cast<size_t>(n_here) * row_bytes));
    i += n_here;
  }
}

std::string DescribeRow(const ModelTensor& tensor, int64_t i_row) {
  const Place place = PlaceOf(tensor, i_row);
  const std::vector<int64_t>& shape = place.part->tensor->shape;
  if (shape.size() == 1) return StrCat("tensor ", place.part->tensor->name);
  const bool stacked = tensor.n_experts() > 1 && shape.size() == 3;
  const int64_t rows = stacked ? shape[1] : shape[0];
  return stacked ? StrCat("tensor ", place.part->tensor->name, ", expert ", place.i_row / rows, ", row ", place.i_row % rows)
                 : StrCat("tensor ", place.part->tensor->name, ", row ", place.i_row);
}

}  // namespace lfm::quant
