// Conversions between f32 and the 16-bit formats for code that runs rarely (packing, dequantisation).
#pragma once

#include <bit>
#include <cstdint>

namespace lfm::kernels {

// Exact.
[[gnu::always_inline]] inline float HalfToFloat(uint16_t h) {
  const uint32_t sign = uint32_t{h & 0x8000u} << 16;
  const uint32_t magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ff) << 13));
  if (magnitude < 0x400) {  // denormal: magnitude * 2^-24, exact in f32
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
}

// Round to nearest, ties to even; overflow gives infinity, NaN stays NaN.
[[gnu::always_inline]] inline uint16_t FloatToHalf(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {  // a denormal half: adding 0.5 leaves its bits, rounded, at the end of the fraction
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

[[gnu::always_inline]] inline float Bfloat16ToFloat(uint16_t h) { return std::bit_cast<float>(uint32_t{h} << 16); }

// 2^(e - 128): half of the value of an e8m0 scale, because the levels of MXFP4 are stored doubled.
[[gnu::always_inline]] inline float E8m0HalfToFloat(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : uint32_t{e - 1u} << 23);
}

}  // namespace lfm::kernels
