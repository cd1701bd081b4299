// The limits of NEON with dot products: independent chains of sdot and of its f32 fma, all in registers.
#include "kernels/isa_begin.h"

#include <arm_neon.h>

namespace lfm::kernels {
namespace {

int64_t Int8Peak(int64_t rounds) noexcept {
  constexpr int kChains = 16;
  int32x4_t sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = vdupq_n_s32(i);
  const int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = vdotq_s32(sums[i], a, b);
      asm volatile("" : "+w"(sums[i]));  // every product is really made
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"w"(sums[i]));
  return rounds * kChains * 32;
}

int64_t F32Peak(int64_t rounds) noexcept {
  constexpr int kChains = 16;
  float32x4_t sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = vdupq_n_f32(static_cast<float>(i));
  const float32x4_t a = vdupq_n_f32(0.75f), b = vdupq_n_f32(0.5f);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = vfmaq_f32(sums[i], a, b);
      asm volatile("" : "+w"(sums[i]));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"w"(sums[i]));
  return rounds * kChains * 8;
}

constexpr int kReadBytes = 16;
#include "kernels/peak_read.inl"

}  // namespace

void Fill_peak__neon(Table& table) {
  table.int8_peak = &Int8Peak;
  table.f32_peak = &F32Peak;
  table.read_peak = &ReadPeak;
}

}  // namespace lfm::kernels
