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

// Coordinate i (0..7 or 0..3) of a point of a lattice.
template <typename T, size_t kPoints>
int Coordinate(const Grid<T, kPoints>& grid, int place, int i) {
  return static_cast<int8_t>(grid.points[place] >> (8 * i) & 255);
}
int LowNibble(uint8_t byte, bool high) { return high ? byte >> 4 : byte & 15; }
// Seven signs, and the eighth that makes the number of negative ones even.
int EightSigns(int seven) { return seven | (__builtin_popcount(static_cast<unsigned>(seven)) & 1) << 7; }
float Signed(float value, int signs, int i) { return (signs >> i & 1) != 0 ? -value : value; }

// Eight (IQ2) or four (IQ3) values of one place; d times the coordinate is exact, as all products of these types are.
template <typename T, size_t kPoints>
void Octet(const Grid<T, kPoints>& grid, int place, float d, int signs, float* out) {
  for (int i = 0; i < static_cast<int>(sizeof(T)); i++) {
    out[i] = Signed(d * static_cast<float>(Coordinate(grid, place, i)), signs, i);
  }
}

void DequantizeIq2Xxs(const uint8_t* b, float* out) {
  for (int j = 0; j < 32; j++) {
    const uint8_t* const block = b + 2 + 8 * (j / 4);
    uint32_t signs;
    std::memcpy(&signs, block + 4, 4);
    const float d = HalfAt(b) * (0.5f + static_cast<float>(signs >> 28)) * 0.25f;
    Octet(kIq2XxsGrid, block[j % 4], d, EightSigns((signs >> (7 * (j % 4))) & 127), out + 8 * j);
  }
}

void DequantizeIq2Xs(const uint8_t* b, float* out) {
  for (int j = 0; j < 32; j++) {
    const int word = b[2 + 2 * j] | b[3 + 2 * j] << 8;
    const float d = HalfAt(b) * (0.5f + static_cast<float>(LowNibble(b[66 + j / 4], j % 4 >= 2))) * 0.25f;
    Octet(kIq2XsGrid, word & 511, d, EightSigns(word >> 9), out + 8 * j);
  }
}

void DequantizeIq2S(const uint8_t* b, float* out) {
  for (int j = 0; j < 32; j++) {
    const int place = b[2 + j] | ((b[66 + j / 4] >> (2 * (j % 4))) & 3) << 8;
    const float d = HalfAt(b) * (0.5f + static_cast<float>(LowNibble(b[74 + j / 4], j % 4 >= 2))) * 0.25f;
    Octet(kIq2SGrid, place, d, b[34 + j], out + 8 * j);
  }
}

void DequantizeIq3Xxs(const uint8_t* b, float* out) {
  for (int j = 0; j < 64; j++) {
    uint32_t word;
    std::memcpy(&word, b + 66 + 4 * (j / 8), 4);
    const float d = HalfAt(b) * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    const int signs = EightSigns((word >> (7 * (j % 8 / 2))) & 127);
    Octet(kIq3XxsGrid, b[2 + j], d, signs >> (4 * (j % 2)), out + 4 * j);
  }
}

void DequantizeIq3S(const uint8_t* b, float* out) {
  for (int j = 0; j < 64; j++) {
    const int place = b[2 + j] | (b[66 + j / 8] >> (j % 8) & 1) << 8;
    const float d = HalfAt(b) * static_cast<float>(1 + 2 * LowNibble(b[106 + j / 16], j / 8 % 2 == 1));
    Octet(kIq3SGrid, place, d, b[74 + j / 2] >> (4 * (j % 2)), out + 4 * j);
  }
}

// d (g + delta): the grid has 8 g.
void OctetIq1(int place, float d, bool minus, float* out) {
  const float delta = minus ? -0.125f : 0.125f;
  for (int i = 0; i < 8; i++) out[i] = d * (0.125f * static_cast<float>(Coordinate(kIq1Grid, place, i)) + delta);
}

void DequantizeIq1S(const uint8_t* b, float* out) {
  for (int j = 0; j < 32; j++) {
    const int word = b[34 + j / 4 * 2] | b[35 + j / 4 * 2] << 8;
    const float d = HalfAt(b) * static_cast<float>(2 * ((word >> 12) & 7) + 1);
    OctetIq1(b[2 + j] | ((word >> (3 * (j % 4))) & 7) << 8, d, word >= 0x8000, out + 8 * j);
  }
}

void DequantizeIq1M(const uint8_t* b, float* out) {
  uint16_t word[4];
  std::memcpy(word, b + 48, 8);
  const auto half = static_cast<uint16_t>(word[0] >> 12 | (word[1] >> 12) << 4 | (word[2] >> 12) << 8 | (word[3] >> 12) << 12);
  for (int j = 0; j < 32; j++) {
    const float d = HalfToFloat(half) * static_cast<float>(2 * ((word[j / 8] >> (3 * (j / 2 % 4))) & 7) + 1);
    const int high = LowNibble(b[32 + j / 2], j % 2 == 1);
    OctetIq1(b[j] | (high & 7) << 8, d, high >= 8, out + 8 * j);
  }
}

void DequantizeTq1(const uint8_t* b, float* out) {
  constexpr int kPowers[] = {1, 3, 9, 27, 81};
  for (int i = 0; i < 256; i++) {
    const int byte = i < 160 ? b[i % 32] : i < 240 ? b[32 + i % 16] : b[48 + i % 4];
    const int digit = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
    out[i] = HalfAt(b + 52) * static_cast<float>((((byte * kPowers[digit]) & 255) * 3 >> 8) - 1);
  }
}

void DequantizeTq2(const uint8_t* b, float* out) {
  for (int i = 0; i < 256; i++) out[i] = HalfAt(b + 64) * static_cast<float>(QuadTwoBits(b, i) - 1);
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
      case TensorType::kIQ1_S: DequantizeIq1S(b, out); break;
      case TensorType::kIQ1_M: DequantizeIq1M(b, out); break;
      case TensorType::kIQ2_XXS: DequantizeIq2Xxs(b, out); break;
      case TensorType::kIQ2_XS: DequantizeIq2Xs(b, out); break;
      case TensorType::kIQ2_S: DequantizeIq2S(b, out); break;
      case TensorType::kIQ3_XXS: DequantizeIq3Xxs(b, out); break;
      case TensorType::kIQ3_S: DequantizeIq3S(b, out); break;
      case TensorType::kTQ1_0: DequantizeTq1(b, out); break;
      case TensorType::kTQ2_0: DequantizeTq2(b, out); break;
      default: DequantizeSmall(type, b, out); break;
    }
  }
}

}  // namespace lfm::kernels
