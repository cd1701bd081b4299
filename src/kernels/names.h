// Names of operations, as `lfm info` and warnings print them.
#pragma once

#include <string>
#include <string_view>

#include "base/tensor_type.h"
#include "kernels/kernels.h"

namespace lfm::kernels {

constexpr std::string_view kKvTypeNames[kKvTypes] = {"f16", "f32", "q8_0", "i16"};  // index KvType

// "matmul_q4_k_q8", "matmul_q4_k_f32" or "matmul_q4_k_tiles".
inline std::string MatmulName(TensorType type, std::string_view form) {
  std::string name = "matmul_";
  for (const char c : InfoOf(type).name) name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name.append("_").append(form);
}

}  // namespace lfm::kernels
