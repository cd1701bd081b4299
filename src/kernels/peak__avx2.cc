// The limits of AVX2: independent chains of its widest integer product and of its f32 fma, all in registers.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {

// As the kernels use it at best: eight products of bytes are added in 16 bits before one widening step.
int64_t Int8Peak(int64_t rounds) noexcept {
  constexpr int kChains = 8;
  __m256i sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  const __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      __m256i product = _mm256_maddubs_epi16(a, b);
      asm volatile("" : "+x"(product));  // every product is really made
      sums[i] = _mm256_add_epi16(sums[i], product);
      asm volatile("" : "+x"(sums[i]));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"x"(sums[i]));
  return rounds * kChains * 64;
}

int64_t F32Peak(int64_t rounds) noexcept {
  constexpr int kChains = 10;
  __m256 sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.75f), b = _mm256_set1_ps(0.5f);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = _mm256_fmadd_ps(a, b, sums[i]);
      asm volatile("" : "+x"(sums[i]));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"x"(sums[i]));
  return rounds * kChains * 16;
}

constexpr int kReadBytes = 32;
#include "kernels/peak_read.inl"

}  // namespace

void Fill_peak__avx2(Table& table) {
  table.int8_peak = &Int8Peak;
  table.f32_peak = &F32Peak;
  table.read_peak = &ReadPeak;
}

}  // namespace lfm::kernels
