// Blocks of 32 with one scale: Q4_0, Q5_0, Q8_0, IQ4_NL and MXFP4.
#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "quant/encode_blocks.h"
#include "quant/scale_search.h"

namespace lfm::quant {
namespace {

constexpr int kSize = 32;

void PackNibbles(const uint8_t* codes, std::byte* out) {
  for (int i = 0; i < 16; ++i) out[i] = static_cast<std::byte>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
}

// A block after its scale: Q8_0 holds signed bytes, Q5_0 the fifth bits first.
void StoreBlock(TensorType type, float scale, const uint8_t* codes, std::byte* out) {
  StoreHalf(out, scale);
  if (type == TensorType::kQ8_0) {
    for (int i = 0; i < kSize; ++i) out[2 + i] = static_cast<std::byte>(codes[i] - 127);
    return;
  }
  if (type == TensorType::kQ5_0) {
    uint32_t fifth = 0;
    for (int i = 0; i < kSize; ++i) fifth |= uint32_t{codes[i] / 16u} << i;
    std::memcpy(out + 2, &fifth, 4);
    PackNibbles(codes, out + 6);
    return;
  }
  PackNibbles(codes, out + 2);
}

template <class Levels, int kSteps, bool kBothEnds>
LFM_INLINE void EncodeLevels(TensorType type, float spread, const float* x, const float* importance, int64_t n,
                             std::byte* out) {
  const size_t block_bytes = InfoOf(type).block_bytes;
  Group<kSize> group;
  Lanes code[kSize];
  uint8_t codes[kSize * kLaneCount];
  for (int64_t at = 0; at < n; at += kSize * kLaneCount) {
    const auto n_sub = static_cast<int>(std::min<int64_t>(kLaneCount, (n - at) / kSize));
    Load<kSize>(x + at, importance ? importance + at : nullptr, n_sub, group);
    Lanes scale = SearchScale<Levels, kSize, kSteps, kBothEnds>(group, spread).scale;
    for (int l = 0; l < kLaneCount; ++l) scale[l] = RoundToHalf(scale[l]);
    const Lanes inverse = Ratio(Fill(1), scale);
    for (int i = 0; i < kSize; ++i) code[i] = Levels::Code(group.x[i] * inverse);
    StoreCodes<kSize>(code, n_sub, codes);
    for (int l = 0; l < n_sub; ++l, out += block_bytes) StoreBlock(type, scale[l], codes + l * kSize, out);
  }
}

LFM_CLONES void EncodeQ4_0(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<UniformLevels<-8, 7>, 6, true>(TensorType::kQ4_0, 0.18f, x, importance, n, out);
}
LFM_CLONES void EncodeQ5_0(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<UniformLevels<-16, 15>, 5, true>(TensorType::kQ5_0, 0.1f, x, importance, n, out);
}
LFM_CLONES void EncodeQ8_0(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<UniformLevels<-127, 127>, 2, false>(TensorType::kQ8_0, 0.006f, x, importance, n, out);
}
LFM_CLONES void EncodeIq4Nl(const float* x, const float* importance, int64_t n, std::byte* out) {
  EncodeLevels<Iq4NlLevels, 6, true>(TensorType::kIQ4_NL, 0.18f, x, importance, n, out);
}

// The magnitudes of MXFP4, doubled, have codes 0..7; the sign is bit 3.
LFM_INLINE Lanes Mxfp4Code(const Lanes& magnitude) {
  constexpr float kMiddles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10};
  Lanes code{};
  for (const float middle : kMiddles) code += magnitude > middle ? Fill(1) : Lanes{};
  return code;
}
LFM_INLINE Lanes Mxfp4Level(const Lanes& magnitude) {
  constexpr float kMiddles[7] = {0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10}, kSteps[7] = {1, 1, 1, 1, 2, 2, 4};
  Lanes level{};
  for (int i = 0; i < 7; ++i) level += magnitude > kMiddles[i] ? Fill(kSteps[i]) : Lanes{};
  return level;
}

LFM_CLONES void EncodeMxfp4(const float* x, const float* importance, int64_t n, std::byte* out) {
  Group<kSize> group;
  Lanes code[kSize];
  uint8_t codes[kSize * kLaneCount];
  for (int64_t at = 0; at < n; at += kSize * kLaneCount) {
    const auto n_sub = static_cast<int>(std::min<int64_t>(kLaneCount, (n - at) / kSize));
    Load<kSize>(x + at, importance ? importance + at : nullptr, n_sub, group);
    Lanes extreme{};
    for (int i = 0; i < kSize; ++i) extreme = Max(extreme, Abs(group.x[i]));
    // The stored exponent whose largest level (12 doubled) is next to the extreme, and its neighbours.
    int32_t exponent[kLaneCount], best_exponent[kLaneCount] = {};
    Lanes best_error = Fill(INFINITY), best_scale = Fill(1);
    for (int l = 0; l < kLaneCount; ++l) {
      exponent[l] = static_cast<int32_t>(std::bit_cast<uint32_t>(static_cast<float>(extreme[l])) >> 23) - 2;
    }
    for (int step = -1; step <= 2; ++step) {
      Lanes scale, error{};
      for (int l = 0; l < kLaneCount; ++l) {
        scale[l] = kernels::E8m0HalfToFloat(static_cast<uint8_t>(std::clamp(exponent[l] + step, 0, 254)));
      }
      const Lanes inverse = 1.0f / scale;
      for (int i = 0; i < kSize; ++i) {
        const Lanes magnitude = Abs(group.x[i]);
        const Lanes e = magnitude - scale * Mxfp4Level(magnitude * inverse);
        error += group.w[i] * e * e;
      }
      for (int l = 0; l < kLaneCount; ++l) {
        if (!(error[l] < best_error[l])) continue;
        best_error[l] = error[l];
        best_scale[l] = scale[l];
        best_exponent[l] = std::clamp(exponent[l] + step, 0, 254);
      }
    }
    const Lanes inverse = 1.0f / best_scale;
    for (int i = 0; i < kSize; ++i) {
      const Lanes magnitude = Mxfp4Code(Abs(group.x[i]) * inverse);
      code[i] = magnitude + (group.x[i] < Lanes{} ? Fill(8) : Lanes{});
    }
    StoreCodes<kSize>(code, n_sub, codes);
    for (int l = 0; l < n_sub; ++l, out += 17) {
      out[0] = static_cast<std::byte>(best_exponent[l]);
      PackNibbles(codes + l * kSize, out + 1);
    }
  }
}

}  // namespace

void EncodeSimple(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out) {
  switch (type) {
    case TensorType::kQ4_0: return EncodeQ4_0(x, importance, n, out);
    case TensorType::kQ5_0: return EncodeQ5_0(x, importance, n, out);
    case TensorType::kQ8_0: return EncodeQ8_0(x, importance, n, out);
    case TensorType::kIQ4_NL: return EncodeIq4Nl(x, importance, n, out);
    default: LFM_CHECK(type == TensorType::kMXFP4); return EncodeMxfp4(x, importance, n, out);
  }
}

}  // namespace lfm::quant
