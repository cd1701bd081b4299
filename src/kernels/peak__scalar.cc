// The limits of plain code, as the compiler makes it: independent sums of products.
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

int64_t F32Peak(int64_t rounds) noexcept {
  constexpr int kChains = 64;
  float sums[kChains];
  float a = 0.75f, b = 0.5f;
  for (int i = 0; i < kChains; ++i) sums[i] = static_cast<float>(i);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(a), "+m"(b) : : "memory");
    for (int i = 0; i < kChains; ++i) sums[i] += a * b;
  }
  asm volatile("" ::"r"(&sums[0]) : "memory");
  return rounds * kChains * 2;
}

constexpr int kReadBytes = 16;
#include "kernels/peak_read.inl"

}  // namespace

void Fill_peak__scalar(Table& table) {
  table.int8_peak = &Int8Peak;
  table.f32_peak = &F32Peak;
  table.read_peak = &ReadPeak;
}

}  // namespace lfm::kernels
