// GGUF blocks to f32, by the formulas of gguf's reference implementation (products and sums rounded one by one).
#include <cstring>

#include "base/check.h"
#include "kernels/float16.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"

namespace lfm::kernels {
namespace {

float HalfAt(const uint8_t* p) {
  uint16_t bits;
  std::memcpy(&bits, p, 2);
  return HalfToFloat(bits);
}

// Blocks of 32 with 4-bit quants: low nibbles are elements 0..15, high nibbles 16..31.
int NibbleAt(const uint8_t* qs, int i) { return (qs[i % 16] >> (4 * (i / 16))) & 15; }
int FifthBit(const uint8_t* qh, int i) { return (qh[i / 8] >> (i % 8)) & 1; }

void DequantizeSmall(TensorType type, const uint8_t* b, float* out) {
  switch (type) {
    case TensorType::kQ4_0:
      for (int i = 0; i < 32; i++) out[i] = HalfAt(b) * static_cast<float>(NibbleAt(b + 2, i) - 8);
      return;
    case TensorType::kQ4_1:
      for (int i = 0; i < 32; i++) out[i] = HalfAt(b) * static_cast<float>(NibbleAt(b + 4, i)) + HalfAt(b + 2);
      return;
    case TensorType::kQ5_0:
      for (int i = 0; i < 32; i++) {
        out[i] = HalfAt(b) * static_cast<float>((NibbleAt(b + 6, i) | FifthBit(b + 2, i) << 4) - 16);
      }
      return;
    case TensorType::kQ5_1:
      for (int i = 0; i < 32; i++) {
        out[i] = HalfAt(b) * static_cast<float>(NibbleAt(b + 8, i) | FifthBit(b + 4, i) << 4) + HalfAt(b + 2);
      }
      return;
    case TensorType::kQ8_0:
      for (int i = 0; i < 32; i++) out[i] = HalfAt(b) * static_cast<float>(static_cast<int8_t>(b[2 + i]));
      return;
    case TensorType::kIQ4_NL:
      for (int i = 0; i < 32; i++) out[i] = HalfAt(b) * static_cast<float>(kIq4Levels[NibbleAt(b + 2, i)]);
      return;
    default:  // kMXFP4
      for (int i = 0; i < 32; i++) out[i] = E8m0HalfToFloat(b[0]) * static_cast<float>(kMxfp4Levels[NibbleAt(b + 1, i)]);
      return;
  }
}

// Element i of a block of 256, in 4-bit pairs of 32 (Q4_K, Q5_K), or 2-bit quads of 32 (Q2_K, Q3_K, Q6_K's high bits).
int PairNibble(const uint8_t* qs, int i) { return (qs[i / 64 * 32 + i % 32] >> (4 * (i / 32 % 2))) & 15; }
int QuadTwoBits(const uint8_t* qs, int i) { return (qs[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4))) & 3; }

void DequantizeQ4Q5K(const uint8_t* b, bool five, float* out) {
  const uint8_t* s = b + 4;
  const uint8_t* qh = b + 16;
  const uint8_t* qs = five ? b + 48 : b + 16;
  for (int j = 0; j < 8; j++) {
    const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | ((s[j - 4] >> 6) << 4);
    const int min = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | ((s[j] >> 6) << 4);
    const float d = HalfAt(b) * static_cast<float>(scale);
    const float m = HalfAt(b + 2) * static_cast<float>(min);
    for (int i = 32 * j; i < 32 * j + 32; i++) {
      const int fifth = five ? (qh[i % 32] >> j) & 1 : 0;
      out[i] = d * static_cast<float>(PairNibble(qs, i) | fifth << 4) - m;
    }
  }
}

void DequantizeQ6K(const uint8_t* b, float* out) {
  for (int i = 0; i < 256; i++) {
    const int low = (b[i / 128 * 64 + i % 64] >> (4 * (i / 64 % 2))) & 15;
    const int q = (low | QuadTwoBits(b + 128, i) << 4) - 32;
    const float d = HalfAt(b + 208) * static_cast<float>(static_cast<int8_t>(b[192 + i / 16]));
    out[i] = d * static_cast<float>(q);
  }
}

void DequantizeQ3K(const uint8_t* b, float* out) {
  const uint8_t* s = b + 96;
  for (int i = 0; i < 256; i++) {
    const int j = i / 16;
    const int scale = ((s[j % 8] >> (4 * (j / 8))) & 15) | (((s[8 + j % 4] >> (2 * (j / 4))) & 3) << 4);
    const int high = (b[i % 32] >> (i / 32)) & 1;
    const float d = HalfAt(b + 108) * static_cast<float>(scale - 32);
    out[i] = d * static_cast<float>(QuadTwoBits(b + 32, i) + 4 * high - 4);
  }
}

void DequantizeQ2K(const uint8_t* b, float* out) {
  for (int i = 0; i < 256; i++) {
    const float d = HalfAt(b + 80) * static_cast<float>(b[i / 16] & 15);
    const float m = HalfAt(b + 82) * static_cast<float>(b[i / 16] >> 4);
    out[i] = d * static_cast<float>(QuadTwoBits(b + 16, i)) - m;
  }
}

void DequantizeIq4Xs(const uint8_t* b, float* out) {
  for (int j = 0; j < 8; j++) {
    const int scale = ((b[4 + j / 2] >> (4 * (j % 2))) & 15) | (((b[2 + j / 4] >> (2 * (j % 4))) & 3) << 4);
    const float d = HalfAt(b) * static_cast<float>(scale - 32);
    for (int i = 0; i < 32; i++) out[32 * j + i] = d * static_cast<float>(kIq4Levels[NibbleAt(b + 8 + 16 * j, i)]);
  }
}

}  // namespace

void Dequantize(TensorType type, const std::byte* src, int64_t n, float* out) {
  const TensorTypeInfo& info = InfoOf(type);
  LFM_CHECK(n % info.block_size == 0);
  const uint8_t* b = reinterpret_cast<const uint8_t*>(src);
  for (int64_t i = 0; i < n; i += info.block_size, b += info.block_bytes, out += info.block_size) {
    switch (type) {
      case TensorType::kF32: std::memcpy(out, b, 4); break;
      case TensorType::kF16: *out = HalfAt(b); break;
      case TensorType::kBF16: *out = Bfloat16ToFloat(static_cast<uint16_t>(b[0] | b[1] << 8)); break;
      case TensorType::kQ4_K: DequantizeQ4Q5K(b, false, out); break;
      case TensorType::kQ5_K: DequantizeQ4Q5K(b, true, out); break;
      case TensorType::kQ6_K: DequantizeQ6K(b, out); break;
      case TensorType::kQ3_K: DequantizeQ3K(b, out); break;
      case TensorType::kQ2_K: DequantizeQ2K(b, out); break;
      case TensorType::kIQ4_XS: DequantizeIq4Xs(b, out); break;
      default: DequantizeSmall(type, b, out); break;
    }
  }
}

}  // namespace lfm::kernels
