// The int8 limit of i8mm: independent chains of smmla (2 x 8 by 8 x 2), all in registers.
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
      sums[i] = vmmlaq_s32(sums[i], a, b);
      asm volatile("" : "+w"(sums[i]));  // every product is really made
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) asm volatile("" ::"w"(sums[i]));
  return rounds * kChains * 64;
}

}  // namespace

void Fill_peak__i8mm(Table& table) { table.int8_peak = &Int8Peak; }

}  // namespace lfm::kernels
