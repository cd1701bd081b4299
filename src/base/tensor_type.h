// The element types of stored tensors: names, block sizes and numeric ids as GGUF defines them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lfm {

// Values are GGUF's type ids (ggml_type), so a header field can be compared directly.
enum class TensorType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;  // "Q4_K"
  uint32_t block_size;    // elements of a block along the row
  uint32_t block_bytes;   // bytes of a block
  bool quantized;
};

// The table row of a type that lfm runs; every enumerator has one.
const TensorTypeInfo& InfoOf(TensorType type);
// The type with this GGUF id, if lfm runs it.
std::optional<TensorType> TensorTypeFromId(uint32_t id);
// The type of this name, case-insensitively ("q4_k", "BF16").
std::optional<TensorType> TensorTypeFromName(std::string_view name);
// The name of any known GGUF type id, also of those lfm does not run ("NVFP4"), or "".
std::string_view TensorTypeIdName(uint32_t id);
// Bytes of a row of n elements; n must be a multiple of the block size.
size_t RowBytes(TensorType type, size_t n);

}  // namespace lfm
