// The int8 limit of plain integer code: independent chains of its widest integer product, all in registers.
#include "kernels/isa_begin.h"

namespace lfm::kernels {
namespace {

int64_t Int8Peak(int64_t rounds) noexcept {
  constexpr int kChains = 64;
  int32_t sums[kChains];
  int32_t a = 3, b = 5;
  for (int i = 0; i < kChains; ++i) sums[i] = i;
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+r"(a), "+r"(b) : : "memory");  // unknown anew in every round
    for (int i = 0; i < kChains; ++i) sums[i] += a * b;
  }
  asm volatile("" ::"r"(&sums[0]) : "memory");
  return rounds * kChains * 2;
}

}  // namespace

void Fill_peak__scalar(Table& table) { table.int8_peak = &Int8Peak; }

}  // namespace lfm::kernels
