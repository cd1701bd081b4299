// The limits of AVX-512 VNNI: independent chains of its widest integer product and of its f32 fma, all in registers.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {

int64_t Int8Peak(int64_t rounds) noexcept {
  constexpr int kChains = 10;
  __m512i sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_epi32(i);
  const __m512i a = _mm512_set1_epi32(3), b = _mm512_set1_epi32(5);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
      asm volatile("" : "+v"(sums[i]));  // every product is really made
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"v"(sums[i]));
  return rounds * kChains * 128;
}

int64_t F32Peak(int64_t rounds) noexcept {
  constexpr int kChains = 10;
  __m512 sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.75f), b = _mm512_set1_ps(0.5f);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = _mm512_fmadd_ps(a, b, sums[i]);
      asm volatile("" : "+v"(sums[i]));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"v"(sums[i]));
  return rounds * kChains * 32;
}

constexpr int kReadBytes = 64;
#include "kernels/peak_read.inl"

}  // namespace

void Fill_peak__avx512vnni(Table& table) {
  table.int8_peak = &Int8Peak;
  table.f32_peak = &F32Peak;
  table.read_peak = &ReadPeak;
}

}  // namespace lfm::kernels
