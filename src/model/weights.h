// The read-only half of a model: every matrix in the packed layout of the kernels, every vector as f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "base/threads.h"
#include "formats/checkpoint.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/tensors.h"

namespace lfm::model {

// A packed matrix [rows, k]: units of 32 rows (two panels). Unit u begins at data + u * unit_stride; its second panel
// follows the first. Rows beyond `rows` in the last unit are zero.
struct Matrix {
  TensorType type = TensorType::kF32;
  int64_t rows = 0;
  int64_t k = 0;
  const std::byte* data = nullptr;
  size_t panel_bytes = 0;
  size_t unit_stride = 0;

  int64_t n_units() const { return (rows + kernels::kUnitRows - 1) / kernels::kUnitRows; }
  int64_t n_blocks() const { return k / kernels::kBlock; }
  const std::byte* panel(int64_t unit, int i) const {
    return data + static_cast<size_t>(unit) * unit_stride + static_cast<size_t>(i) * panel_bytes;
  }
  bool quantized() const { return InfoOf(type).quantized; }
};

struct ShortConv {
  Matrix in_proj;           // [3 d, d]: B, C, X
  Matrix out_proj;          // [d, d]
  std::vector<float> taps;  // [n_taps][d], oldest first
};

struct Attention {
  Matrix q, k, v, out;
  std::vector<float> q_norm, k_norm;  // [head_dim]
};

// One SwiGLU network: down(silu(gate x) * up x). Gate and up units alternate in memory: one stream.
struct SwiGlu {
  Matrix gate, up;  // [f, d]
  Matrix down;      // [d, f]
};

struct Moe {
  Matrix router;                   // [experts, d]
  std::vector<float> expert_bias;  // [experts], or empty: added for choosing only
  std::vector<SwiGlu> experts;
};

struct Layer {
  std::vector<float> operator_norm, ffn_norm;  // [d]
  // One of each pair is used, as config.layers says.
  ShortConv conv;
  Attention attention;
  SwiGlu dense;
  Moe moe;
};

// Progress of loading: bytes done of all; false cancels.
using LoadProgress = std::function<bool(uint64_t done, uint64_t total)>;

struct Weights {
  Matrix embedding;               // [vocab, d]
  Matrix head;                    // the embedding itself when tied
  std::vector<float> final_norm;  // [d]
  std::vector<Layer> layers;
  size_t packed_bytes = 0;
  std::shared_ptr<const void> memory;  // keeps the packed bytes alive
};

// The matrix that a tensor of the walk (tensors.h) becomes; i_expert chooses one of stacked experts. Null for vectors.
const Matrix* MatrixOf(const Weights& weights, TensorField field, int i_layer, int i_expert = 0);

// Packs all tensors of a checkpoint, tensor by tensor on all threads; the source's pages are given back on the way, so
// that resident memory stays near the size of the weights. Errors name the tensor. A packed file is
// only mapped, and its weights are compared with their hashes unless that was done.
Result<Weights> LoadWeights(const formats::Checkpoint& checkpoint, const Config& config, Threads& threads,
                            const LoadProgress& progress = {});

// Writes the packed file of a checkpoint to `path`: the same bytes as LoadWeights makes in memory, ready to be mapped, and
// everything else of the model beside them. Needs no memory for weights.
Status PackModel(const formats::Checkpoint& checkpoint, const Config& config, Threads& threads, const std::string& path,
                 const LoadProgress& progress = {});

}  // namespace lfm::model
