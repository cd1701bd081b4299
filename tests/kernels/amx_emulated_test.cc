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
#include "kernels/amx_tiles_emulated.inl"
#include "kernels/matmul_tiles.inl"
#include "kernels/peak_amx.inl"

TEST(AmxEmulated, GivesTheScalarBits) {
  MatmulTiles by_tiles[kTypeCount] = {};
  FillMatmulTiles(by_tiles);
  Rng rng(21);
  int n_types = 0;
  for (int index = 0; index < kTypeCount; index++) {
    if (!by_tiles[index]) continue;
    n_types++;
    const TensorType type = kTypeOrder[index];
    for (const int64_t k : InfoOf(type).block_size == 256 ? std::vector<int64_t>{512} : std::vector<int64_t>{32, 288, 512}) {
      for (const Fill fill : {Fill::kRandom, Fill::kOnes}) {
        Unit unit(rng, type, k, 1.0f, fill);
        for (const int n : {1, 12, 16, 23, 33, 50, 128}) {
          Activations x(rng, k, n);
          if (fill == Fill::kOnes) Saturate(x, -127);
          std::vector<float> expected(static_cast<size_t>(n * kUnitRows)), out(expected.size());
          Scalar().matmul_q8[index](unit.panel(0), unit.panel(1), k / kBlock, x.q8.data(), n, expected.data(), kUnitRows);
          by_tiles[index](unit.panel(0), unit.panel(1), k / kBlock, x.Tiles().data(), n, out.data(), kUnitRows);
          ASSERT_TRUE(SameBits(out.data(), expected.data(), out.size())) << InfoOf(type).name << " k " << k << " tokens " << n;
        }
      }
    }
  }
  EXPECT_EQ(n_types, 16);
}

// Four products of 16 x 64 by 64 x 16 a round.
TEST(AmxEmulated, PeakCountsItsOperations) { EXPECT_EQ(AmxInt8Peak(3), int64_t{3} * 4 * 2 * 16 * 16 * 64); }

}  // namespace
}  // namespace lfm::kernels
