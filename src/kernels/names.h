// Names of operations, as `lfm info` and warnings print them.
#pragma once

#include <string>

#include "base/tensor_type.h"

namespace lfm::kernels {

// "matmul_q4_k_q8" or "matmul_q4_k_f32".
inline std::string MatmulName(TensorType type, bool q8) {
  std::string name = "matmul_";
  for (const char c : InfoOf(type).name) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name + (q8 ? "_q8" : "_f32");
}

}  // namespace lfm::kernels
