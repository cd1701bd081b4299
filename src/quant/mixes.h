// Which tensor gets which type: the mixes that are published for this family under names such as Q4_K_M.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"
#include "model/config.h"
#include "quant/model_tensors.h"

namespace lfm::quant {

struct Mix {
  std::string_view name;  // "q4_k_m"
  TensorType type;        // of most matrices
  uint32_t file_type;     // general.file_type
};

// All mixes, in the order of the help page.
std::span<const Mix> Mixes();
// The mix of this name, case-insensitively; an error lists the names.
Result<Mix> FindMix(std::string_view name);

// A type per tensor, as llama.cpp chooses it for the same name, so that files are of the same size.
std::vector<TensorType> TypesOfMix(const Mix& mix, std::span<const ModelTensor> tensors, const model::Config& config,
                                   bool has_imatrix);

// The type itself, or the one that llama.cpp takes where rows do not divide into its blocks.
TensorType FittingType(TensorType type, int64_t k);

}  // namespace lfm::quant
