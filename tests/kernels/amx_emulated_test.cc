// The AMX kernels with emulated tiles over the scalar backend: their use of tiles is right on hosts without AMX too.
#include <gtest/gtest.h>

#define LFM_NO_FORCED_INLINE
#include "kernels/isa_begin.h"
#include "kernels_support.h"

#pragma GCC diagnostic ignored "-Wunused-function"

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_scalar.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/dot_generic.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_q8.inl"
#include "kernels/amx_tiles_emulated.inl"
#include "kernels/matmul_amx.inl"
#include "kernels/peak_amx.inl"

TEST(AmxEmulated, GivesTheScalarBits) {
  MatmulQ8 amx[kTypeCount] = {};
  FillMatmulAmx(amx);
  Rng rng(21);
  for (int index = 0; index < kTypeCount; index++) {
    const TensorType type = kTypeOrder[index];
    if (!InfoOf(type).quantized) continue;
    const int64_t k = 256;
    for (const Fill fill : {Fill::kRandom, Fill::kOnes}) {
      Unit unit(rng, type, k, 1.0f, fill);
      for (const int n : {1, 8, 16, 23, 64}) {
        Aligned<Q8Block> x(static_cast<size_t>(k / kBlock * n));
        for (int t = 0; t < n; t++) {
          std::vector<float> row(static_cast<size_t>(k));
          for (float& v : row) v = fill == Fill::kOnes ? -1.0f : Uniform(rng, -1, 1);
          Scalar().quantize_q8(row.data(), k, &x[static_cast<size_t>(t)], n);
        }
        std::vector<float> expected(static_cast<size_t>(n * kUnitRows)), out(expected.size());
        Scalar().matmul_q8[index](unit.panel(0), unit.panel(1), k / kBlock, x.data(), n, expected.data(), kUnitRows);
        amx[index](unit.panel(0), unit.panel(1), k / kBlock, x.data(), n, out.data(), kUnitRows);
        ASSERT_TRUE(SameBits(out.data(), expected.data(), out.size())) << InfoOf(type).name << " tokens " << n;
      }
    }
  }
}

// Four products of 16 x 64 by 64 x 16 a round.
TEST(AmxEmulated, PeakCountsItsOperations) { EXPECT_EQ(AmxInt8Peak(3), int64_t{3} * 4 * 2 * 16 * 16 * 64); }

}  // namespace
}  // namespace lfm::kernels
