// The encoders of the block types, one function a family. Rows as EncodeRow() takes them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/tensor_type.h"

namespace lfm::quant {

constexpr int kKBlock = 256;  // values of a block of the types named _K, and of IQ4_XS

// One f16 scale a block of 32: Q4_0, Q5_0, Q8_0, IQ4_NL; and MXFP4, whose scale is a power of two.
void EncodeSimple(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out);
// One f16 scale and one f16 offset a block of 32: Q4_1, Q5_1.
void EncodeOffset(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out);
// Blocks of 256 with integer scales of either sign: Q3_K, Q6_K, IQ4_XS.
void EncodeScaled(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out);
// Blocks of 256 with integer scales and offsets: Q2_K, Q4_K, Q5_K.
void EncodeAffine(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out);

}  // namespace lfm::quant
