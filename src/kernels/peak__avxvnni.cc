// The int8 limit of AVX-VNNI: independent chains of its widest integer product, all in registers.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {

int64_t Int8Peak(int64_t rounds) noexcept {
  constexpr int kChains = 10;
  __m256i sums[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) sums[i] = _mm256_set1_epi32(i);
  const __m256i a = _mm256_set1_epi32(3), b = _mm256_set1_epi32(5);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      sums[i] = _mm256_dpbusd_avx_epi32(sums[i], a, b);
      asm volatile("" : "+x"(sums[i]));  // every product is really made
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"x"(sums[i]));
  return rounds * kChains * 64;
}

}  // namespace

void Fill_peak__avxvnni(Table& table) { table.int8_peak = &Int8Peak; }

}  // namespace lfm::kernels
