// Matrix products: the scalar kernels against plain formulas, every other ISA against the scalar bits.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels_support.h"

namespace lfm::kernels {
namespace {

class MatmulOfType : public testing::TestWithParam<int> {
 protected:
  TensorType type() const { return kTypeOrder[GetParam()]; }
};

// sum over k of the dequantised weight times the dequantised activation, in double.
TEST_P(MatmulOfType, ScalarIsCloseToTheExactSum) {
  Rng rng(10);
  for (const int64_t k : SizesOf(type())) {
    Unit unit(rng, type(), k);
    Activations x(rng, k, 3);
    std::vector<float> out(3 * kUnitRows), w(static_cast<size_t>(k));
    for (const bool q8 : {false, true}) {
      if (q8 && !InfoOf(type()).quantized) continue;
      if (q8) {
        Scalar().matmul_q8[GetParam()](unit.panel(0), unit.panel(1), k / 32, x.q8.data(), 3, out.data(), kUnitRows);
      } else {
        Scalar().matmul_f32[GetParam()](unit.panel(0), unit.panel(1), k / 32, x.f32.data(), 3, out.data(), kUnitRows);
      }
      for (int r = 0; r < kUnitRows; r++) {
        Dequantize(type(), unit.row(r), k, w.data());
        for (int t = 0; t < 3; t++) {
          double sum = 0, size = 0;
          for (int64_t i = 0; i < k; i++) {
            const Q8Block& b = x.q8[static_cast<size_t>(i / 32 * 3 + t)];
            const double a = q8 ? static_cast<double>(b.d) * b.q[i % 32] : x.rows[static_cast<size_t>(t * k + i)];
            sum += a * w[static_cast<size_t>(i)];
            size += std::abs(a * w[static_cast<size_t>(i)]);
          }
          ASSERT_NEAR(out[static_cast<size_t>(t * kUnitRows + r)], sum, 2e-6 * size)
              << InfoOf(type()).name << " k " << k << " row " << r << " token " << t << (q8 ? " q8" : " f32");
        }
      }
    }
  }
}

// Products of every ISA and form against the scalar ones; those by tiles against blocks, which hold the same numbers.
void ExpectEqualOnAllIsas(int index, Unit& unit, Activations& x, const char* what) {
  const size_t n = static_cast<size_t>(x.n_tokens) * 40;
  for (const std::string_view form : {"f32", "q8", "tiles"}) {
    if (form != "f32" && !InfoOf(unit.type).quantized) continue;
    Aligned<Q8Tile> tiles = x.Tiles();
    const auto run = [&](const Table& table, std::vector<float>& out) {
      const std::byte *panel0 = unit.panel(0), *panel1 = unit.panel(1);
      if (form == "f32") {
        table.matmul_f32[index](panel0, panel1, unit.k / 32, x.f32.data(), x.n_tokens, out.data(), 40);
      } else if (form == "tiles" && table.matmul_tiles[index]) {
        table.matmul_tiles[index](panel0, panel1, unit.k / 32, tiles.data(), x.n_tokens, out.data(), 40);
      } else {
        table.matmul_q8[index](panel0, panel1, unit.k / 32, x.q8.data(), x.n_tokens, out.data(), 40);
      }
    };
    std::vector<float> expected(n, -7.0f);
    run(Scalar(), expected);
    for (const Table* table : OtherTables()) {
      if (form == "tiles" && !table->matmul_tiles[index]) continue;
      std::vector<float> out(n, -7.0f);
      run(*table, out);
      for (size_t i = 0; i < n; i++) {
        ASSERT_EQ(out[i], expected[i]) << InfoOf(unit.type).name << " " << form << " " << table->isa << " " << what << " k "
                                       << unit.k << " tokens " << x.n_tokens << " at " << i;
      }
    }
  }
}

TEST_P(MatmulOfType, EveryIsaGivesTheScalarBits) {
  Rng rng(11);
  for (const int64_t k : SizesOf(type())) {
    Unit unit(rng, type(), k);
    for (const int n : {1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 33, 64}) {
      if (k > 512 && n > 8 && n < 64) continue;
      Activations x(rng, k, n);
      ExpectEqualOnAllIsas(GetParam(), unit, x, "random");
    }
  }
}

TEST_P(MatmulOfType, ExtremesGiveTheScalarBits) {
  Rng rng(12);
  for (const Fill fill : {Fill::kRandom, Fill::kOnes, Fill::kZeros}) {
    for (const float scale : {65504.0f, -65504.0f, 6e-8f, 0.0f}) {
      Unit unit(rng, type(), 512, scale, fill);
      for (const int n : {1, 2, 17}) {
        for (const int8_t value : {127, -127, 0}) {
          Activations x(rng, 512, n, scale == 6e-8f ? 1e-30f : 1.0f);
          Saturate(x, value);
          ExpectEqualOnAllIsas(GetParam(), unit, x, "extreme");
        }
      }
    }
  }
}

// A token's result does not depend on the tokens beside it.
TEST_P(MatmulOfType, BatchGivesTheBitsOfOne) {
  Rng rng(13);
  const int64_t k = 512;
  Unit unit(rng, type(), k);
  Activations x(rng, k, 13);
  const std::vector<const Table*> tables = AllTables();
  for (const Table* table : tables) {
    std::vector<float> all(13 * kUnitRows), one(kUnitRows);
    table->matmul_f32[GetParam()](unit.panel(0), unit.panel(1), k / 32, x.f32.data(), 13, all.data(), kUnitRows);
    Aligned<F32Block> f32(static_cast<size_t>(k / 32));
    Aligned<Q8Block> q8(static_cast<size_t>(k / 32));
    for (size_t b = 0; b < f32.size(); b++) {
      f32[b] = x.f32[b * 13 + 6];
      q8[b] = x.q8[b * 13 + 6];
    }
    table->matmul_f32[GetParam()](unit.panel(0), unit.panel(1), k / 32, f32.data(), 1, one.data(), kUnitRows);
    ASSERT_TRUE(SameBits(one.data(), &all[6 * kUnitRows], kUnitRows)) << table->isa;
    if (!InfoOf(type()).quantized) continue;
    table->matmul_q8[GetParam()](unit.panel(0), unit.panel(1), k / 32, x.q8.data(), 13, all.data(), kUnitRows);
    table->matmul_q8[GetParam()](unit.panel(0), unit.panel(1), k / 32, q8.data(), 1, one.data(), kUnitRows);
    ASSERT_TRUE(SameBits(one.data(), &all[6 * kUnitRows], kUnitRows)) << table->isa;
  }
}

// Without a second panel: rows 0..15 alone, of one token and weights that are floats.
TEST_P(MatmulOfType, FirstPanelAloneGivesTheSameBits) {
  if (InfoOf(type()).quantized) return;
  Rng rng(14);
  const int64_t k = 512;
  Unit unit(rng, type(), k);
  Activations x(rng, k, 1);
  const std::vector<const Table*> tables = AllTables();
  for (const Table* table : tables) {
    std::vector<float> both(kUnitRows), first(kUnitRows, -7.0f);
    table->matmul_f32[GetParam()](unit.panel(0), unit.panel(1), k / 32, x.f32.data(), 1, both.data(), kUnitRows);
    table->matmul_f32[GetParam()](unit.panel(0), nullptr, k / 32, x.f32.data(), 1, first.data(), kUnitRows);
    ASSERT_TRUE(SameBits(first.data(), both.data(), kLanes)) << table->isa;
    EXPECT_EQ(first[kLanes], -7.0f) << table->isa;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MatmulOfType, testing::Range(0, kTypeCount),
                         [](const auto& one) { return std::string(InfoOf(kTypeOrder[one.param]).name); });

}  // namespace
}  // namespace lfm::kernels
