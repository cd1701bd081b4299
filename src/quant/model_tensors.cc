#include "quant/model_tensors.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "base/strings.h"
#include "kernels/float16.h"
#include "kernels/kernels.h"

namespace lfm::quant {
namespace {

using formats::Checkpoint;
using formats::Naming;
using formats::Tensor;
using model::Config;
using model::TensorField;

class Lister {
 public:
  Lister(const Checkpoint& checkpoint, const Config& config) : checkpoint_(checkpoint), config_(config) {}

  Result<std::vector<ModelTensor>> List() {
    LFM_RETURN_IF_ERROR(Add(TensorField::kEmbedding, -1));
    for (int i = 0; i < config_.n_layers; ++i) LFM_RETURN_IF_ERROR(AddLayer(i));
    LFM_RETURN_IF_ERROR(Add(TensorField::kFinalNorm, -1));
    if (Find(TensorField::kHead, -1)) LFM_RETURN_IF_ERROR(Add(TensorField::kHead, -1));
    return std::move(tensors_);
  }

 private:
  Status AddAll(std::initializer_list<TensorField> fields, int i) {
    for (const TensorField field : fields) LFM_RETURN_IF_ERROR(Add(field, i));
    return Ok();
  }

  Status AddLayer(int i) {
    using enum TensorField;
    const model::LayerConfig& kind = config_.layers[static_cast<size_t>(i)];
    LFM_RETURN_IF_ERROR(Add(kOperatorNorm, i));
    LFM_RETURN_IF_ERROR(kind.mixer == model::Mixer::kConv ? AddAll({kConvIn, kConvTaps, kConvOut}, i) : AddAttention(i));
    LFM_RETURN_IF_ERROR(Add(kFfnNorm, i));
    return kind.ffn == model::Ffn::kMoe ? AddExperts(i) : AddAll({kFfnGate, kFfnUp, kFfnDown}, i);
  }

  Status AddAttention(int i) {
    using enum TensorField;
    if (const Tensor* fused = Find(kAttentionQkv, i)) {
      LFM_RETURN_IF_ERROR(CheckShape(*fused, Shape(kAttentionQkv)));
      int64_t row = 0;
      for (const TensorField field : {kAttentionQ, kAttentionK, kAttentionV}) {
        const int64_t rows = Shape(field)[0];
        AddParts(field, i, Shape(field), {{fused, row, rows}});
        row += rows;
      }
    } else {
      LFM_RETURN_IF_ERROR(AddAll({kAttentionQ, kAttentionK, kAttentionV}, i));
    }
    return AddAll({kAttentionQNorm, kAttentionKNorm, kAttentionOut}, i);
  }

  Status AddExperts(int i) {
    using enum TensorField;
    LFM_RETURN_IF_ERROR(Add(kRouter, i));
    if (config_.use_expert_bias) LFM_RETURN_IF_ERROR(Add(kExpertBias, i));
    if (const Tensor* fused = Find(kExpertsGateUp, i)) {
      const int64_t f = config_.d_ff_expert;
      LFM_RETURN_IF_ERROR(CheckShape(*fused, Shape(kExpertsGateUp)));
      std::vector<RowRange> gate, up;
      for (int64_t x = 0; x < config_.n_experts; ++x) {
        gate.push_back({fused, x * 2 * f, f});
        up.push_back({fused, x * 2 * f + f, f});
      }
      AddParts(kExpertsGate, i, Shape(kExpertsGate), std::move(gate));
      AddParts(kExpertsUp, i, Shape(kExpertsUp), std::move(up));
    } else {
      LFM_RETURN_IF_ERROR(AddStacked(kExpertsGate, kExpertGate, i));
      LFM_RETURN_IF_ERROR(AddStacked(kExpertsUp, kExpertUp, i));
    }
    return AddStacked(kExpertsDown, kExpertDown, i);
  }

  // A stacked tensor, or one tensor an expert.
  Status AddStacked(TensorField stacked, TensorField single, int i) {
    if (Find(stacked, i) || checkpoint_.naming == Naming::kGguf) return Add(stacked, i);
    std::vector<int64_t> shape = Shape(stacked);
    std::vector<RowRange> parts;
    for (int e = 0; e < static_cast<int>(shape[0]); ++e) {
      const Tensor* tensor = model::FindTensor(checkpoint_, single, i, e);
      if (!tensor) return Missing(single, i, e);
      LFM_RETURN_IF_ERROR(CheckShape(*tensor, {shape[1], shape[2]}));
      parts.push_back({tensor, 0, shape[1]});
    }
    AddParts(stacked, i, std::move(shape), std::move(parts));
    return Ok();
  }

  Status Add(TensorField field, int i) {
    std::vector<int64_t> shape = Shape(field);
    const Tensor* tensor = Find(field, i);
    if (!tensor) return Missing(field, i, -1);
    LFM_RETURN_IF_ERROR(CheckShape(*tensor, shape));
    const int64_t rows = shape.size() == 1 ? 1 : shape.size() == 2 ? shape[0] : shape[0] * shape[1];
    AddParts(field, i, std::move(shape), {{tensor, 0, rows}});
    return Ok();
  }

  void AddParts(TensorField field, int i, std::vector<int64_t> shape, std::vector<RowRange> parts) {
    ModelTensor tensor;
    tensor.field = field;
    tensor.i_layer = i;
    tensor.name = model::TensorName(field, Naming::kGguf, i);
    tensor.k = shape.back();
    for (const RowRange& part : parts) tensor.n_rows += part.n_rows;
    tensor.shape = std::move(shape);
    tensor.parts = std::move(parts);
    tensors_.push_back(std::move(tensor));
  }

  std::vector<int64_t> Shape(TensorField field) const { return model::ShapeOf(field, config_); }
  const Tensor* Find(TensorField field, int i) const { return model::FindTensor(checkpoint_, field, i); }

  // Dimensions of 1 in the middle do not count: the convolution is [d, 1, taps] in Hugging Face folders.
  Status CheckShape(const Tensor& tensor, const std::vector<int64_t>& expected) const {
    std::vector<int64_t> shape = tensor.shape;
    if (shape.size() == 3 && shape[1] == 1 && expected.size() == 2) shape.erase(shape.begin() + 1);
    if (shape == expected) return Ok();
    const auto text = [](const std::vector<int64_t>& dims) {
      std::string out;
      for (const int64_t n : dims) out += StrCat(out.empty() ? "" : " x ", n);
      return out;
    };
    return Error{ErrorCode::kCorrupt, StrCat(checkpoint_.path, ": tensor ", tensor.name, " has shape ", text(tensor.shape),
                                             ", expected ", text(expected))};
  }

  Error Missing(TensorField field, int i, int e) const { return model::MissingTensor(checkpoint_, field, i, e); }

  const Checkpoint& checkpoint_;
  const Config& config_;
  std::vector<ModelTensor> tensors_;
};

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
  LFM_TRY(auto tensors, Lister(checkpoint, config).List());
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
