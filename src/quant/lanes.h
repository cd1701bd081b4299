// Sixteen sub-blocks side by side: the search for scales treats each as one lane, so that no sum ever crosses lanes and
// the result is the same for every width of the machine's vectors.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/float16.h"
#include "kernels/layout.h"

// Copies of a function for newer CPUs, chosen when the program starts. Floats round alike in all of them (no fused
// multiply-add is allowed by the build). Sanitizers and other compilers take the plain one.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define LFM_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LFM_CLONES
#endif
#define LFM_INLINE [[gnu::always_inline]] inline

namespace lfm::quant {

constexpr int kLaneCount = 16;
typedef float Lanes __attribute__((vector_size(4 * kLaneCount)));
typedef int32_t IntLanes __attribute__((vector_size(4 * kLaneCount)));

LFM_INLINE Lanes Fill(float value) { return Lanes{} + value; }
LFM_INLINE Lanes Min(const Lanes& a, const Lanes& b) { return a < b ? a : b; }
LFM_INLINE Lanes Max(const Lanes& a, const Lanes& b) { return a > b ? a : b; }
LFM_INLINE Lanes Abs(const Lanes& a) { return a < Lanes{} ? -a : a; }
// a / b, or 0 where b is 0.
LFM_INLINE Lanes Ratio(const Lanes& a, const Lanes& b) {
  const Lanes zero{};
  return b == zero ? zero : a / (b == zero ? zero + 1.0f : b);
}
// To the nearest integer, ties to even, for |a| < 2^22.
LFM_INLINE Lanes Round(const Lanes& a) { return (a + 12582912.0f) - 12582912.0f; }

// N values of 16 sub-blocks and their weights. Lanes beyond the data are zero.
template <int N>
struct Group {
  Lanes x[N], w[N];
};

// Weights below this do not count as zero: a block whose columns were never seen still gets a scale.
constexpr float kLeastWeight = 1e-12f;

template <int N>
LFM_INLINE void Load(const float* x, const float* importance, int n_sub, Group<N>& group) {
  for (int i = 0; i < N; ++i) group.x[i] = group.w[i] = Lanes{};
  for (int l = 0; l < n_sub; ++l) {
    for (int i = 0; i < N; ++i) group.x[i][l] = x[l * N + i];
  }
  if (!importance) {
    for (int i = 0; i < N; ++i) group.w[i] = Fill(1);
    return;
  }
  for (int l = 0; l < n_sub; ++l) {
    for (int i = 0; i < N; ++i) group.w[i][l] = importance[l * N + i] + kLeastWeight;
  }
}

// Quants from kLow to kHigh that stand for themselves.
template <int kLowest, int kHighest>
struct UniformLevels {
  static constexpr float kLow = kLowest, kHigh = kHighest;
  // The level nearest to t.
  LFM_INLINE static Lanes Nearest(const Lanes& t) { return Round(Min(Max(t, Fill(kLow)), Fill(kHigh))); }
  // The stored number of a level.
  LFM_INLINE static Lanes Code(const Lanes& t) { return Nearest(t) - kLow; }
};

// The sixteen levels of IQ4_NL and IQ4_XS, by comparing with the points half-way between neighbours.
struct Iq4NlLevels {
  static constexpr float kLow = -127, kHigh = 113;
  LFM_INLINE static Lanes Nearest(const Lanes& t) {
    Lanes level = Fill(kLow);
    for (int i = 0; i < 15; ++i) {
      const float middle = static_cast<float>(kernels::kIq4Levels[i] + kernels::kIq4Levels[i + 1]) * 0.5f;
      const auto step = static_cast<float>(kernels::kIq4Levels[i + 1] - kernels::kIq4Levels[i]);
      level += t > middle ? Fill(step) : Lanes{};
    }
    return level;
  }
  LFM_INLINE static Lanes Code(const Lanes& t) {
    Lanes code{};
    for (int i = 0; i < 15; ++i) {
      const float middle = static_cast<float>(kernels::kIq4Levels[i] + kernels::kIq4Levels[i + 1]) * 0.5f;
      code += t > middle ? Fill(1) : Lanes{};
    }
    return code;
  }
};

// The nearest value that an f16 scale can take; out of range saturates.
inline float RoundToHalf(float value) {
  if (value > 65504.0f) value = 65504.0f;
  if (value < -65504.0f) value = -65504.0f;
  return kernels::HalfToFloat(kernels::FloatToHalf(value));
}

inline void StoreHalf(std::byte* out, float value) {
  const uint16_t bits = kernels::FloatToHalf(RoundToHalf(value));
  std::memcpy(out, &bits, 2);
}

// Codes of a group as bytes: codes[l * N + i].
template <int N>
LFM_INLINE void StoreCodes(const Lanes* code, int n_sub, uint8_t* codes) {
  for (int l = 0; l < n_sub; ++l) {
    for (int i = 0; i < N; ++i) codes[l * N + i] = static_cast<uint8_t>(static_cast<int>(code[i][l]));
  }
}

}  // namespace lfm::quant
