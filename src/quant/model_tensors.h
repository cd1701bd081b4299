// The tensors of a model under their GGUF names, whatever file they lie in: experts stacked, fused matrices taken apart.
// What converts and quantises walks this list and never asks which convention the source has.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "formats/checkpoint.h"
#include "model/config.h"
#include "model/tensors.h"

namespace lfm::quant {

using model::RowRange;

struct ModelTensor {
  model::TensorField field{};
  int i_layer = -1;
  std::string name;             // in GGUF
  std::vector<int64_t> shape;   // in GGUF, slowest first
  int64_t n_rows = 0;           // of all experts together
  int64_t k = 0;                // elements of a row
  std::vector<RowRange> parts;  // in order; their rows add up to n_rows

  int64_t n_elements() const { return n_rows * k; }
  int64_t n_experts() const { return shape.size() == 3 ? shape[0] : 1; }
  // The type of the parts, or F32 where they differ.
  TensorType source_type() const;
  // Vectors, the router and the convolution's taps stay in F32, as llama.cpp demands.
  bool always_f32() const;
};

// Every tensor of the model, embedding first, then layer by layer, then the final norm and a separate head.
// `config` is what ReadConfig() gave for this checkpoint. Errors name a tensor that is missing or of a wrong shape.
// The result points into `checkpoint`.
Result<std::vector<ModelTensor>> ListModelTensors(const formats::Checkpoint& checkpoint, const model::Config& config);

// Rows [first, first + n) as they are stored, where no part begins inside of the range and the type is `type`; else empty.
std::span<const std::byte> StoredRows(const ModelTensor& tensor, TensorType type, int64_t first, int64_t n);

// One row as f32 [k]. Thread-safe.
void ReadRow(const ModelTensor& tensor, int64_t i_row, float* out);

// Tells the system that rows [first, first + n) are not needed in memory any more.
void ReleaseRows(const formats::Checkpoint& checkpoint, const ModelTensor& tensor, int64_t first, int64_t n);

// "tensor NAME, row 17 (expert 3)": for errors; names the source's tensor.
std::string DescribeRow(const ModelTensor& tensor, int64_t i_row);

}  // namespace lfm::quant
