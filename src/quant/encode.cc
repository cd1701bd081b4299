#include "quant/encode.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/float16.h"
#include "quant/encode_blocks.h"

namespace lfm::quant {
namespace {

void Store16(std::byte* out, int64_t i, uint16_t bits) { std::memcpy(out + 2 * i, &bits, 2); }

}  // namespace

uint16_t FloatToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

bool CanEncode(TensorType) { return true; }

void EncodeRow(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out) {
  LFM_CHECK(n % InfoOf(type).block_size == 0);
  switch (type) {
    case TensorType::kF32: std::memcpy(out, x, static_cast<size_t>(n) * 4); return;
    case TensorType::kF16:
      for (int64_t i = 0; i < n; ++i) Store16(out, i, kernels::FloatToHalf(x[i]));
      return;
    case TensorType::kBF16:
      for (int64_t i = 0; i < n; ++i) Store16(out, i, FloatToBfloat16(x[i]));
      return;
    case TensorType::kQ4_1:
    case TensorType::kQ5_1: return EncodeOffset(type, x, importance, n, out);
    case TensorType::kQ3_K:
    case TensorType::kQ6_K:
    case TensorType::kIQ4_XS: return EncodeScaled(type, x, importance, n, out);
    case TensorType::kQ2_K:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K: return EncodeAffine(type, x, importance, n, out);
    default: return EncodeSimple(type, x, importance, n, out);
  }
}

}  // namespace lfm::quant
