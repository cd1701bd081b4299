// Distances of prefetching: whatever they are, results keep their bits.
#include "kernels/prefetch.h"

#include <gtest/gtest.h>

#include "kernels_support.h"

namespace lfm::kernels {
namespace {

TEST(Prefetching, UsualUnlessSet) {
  for (const Table* table : AllTables()) {
    for (const TensorType type : kTypeOrder) {
      EXPECT_EQ(GetPrefetch(table->isa, type), UsualPrefetch(LanesOf(table->isa), type)) << table->isa;
    }
  }
  EXPECT_EQ(LanesOf("neon"), 4);
  EXPECT_EQ(LanesOf("i8mm"), 4);
  EXPECT_EQ(LanesOf("avx2"), 8);
  EXPECT_EQ(LanesOf("avxvnni"), 8);
  EXPECT_EQ(LanesOf("amx"), 16);
}

TEST(Prefetching, OneTypeOfOneWidthIsSetWithinBounds) {
  const Prefetch usual = GetPrefetch("avx2", TensorType::kQ4_0);
  SetPrefetch("avxvnni", TensorType::kQ4_0, {-1, kMostAhead + 1});
  EXPECT_EQ(GetPrefetch("avx2", TensorType::kQ4_0), (Prefetch{0, kMostAhead}));
  EXPECT_EQ(GetPrefetch("avx2", TensorType::kQ4_1), UsualPrefetch(8, TensorType::kQ4_1));
  EXPECT_EQ(GetPrefetch("neon", TensorType::kQ4_0), UsualPrefetch(4, TensorType::kQ4_0));
  EXPECT_EQ(GetPrefetch("amx", TensorType::kQ4_0), UsualPrefetch(16, TensorType::kQ4_0));
  SetPrefetch("avx2", TensorType::kIQ2_XS, {640, 64});  // not tunable
  EXPECT_EQ(GetPrefetch("avx2", TensorType::kIQ2_XS), UsualPrefetch(8, TensorType::kIQ2_XS));
  SetPrefetch("avx2", TensorType::kQ4_0, usual);
}

// Odd sizes too, whose last lines lie beyond the panel.
TEST(Prefetching, EveryDistanceGivesTheSameBits) {
  Rng rng(21);
  for (int index = 0; index < kTypeCount; index++) {
    const TensorType type = kTypeOrder[index];
    const int64_t k = InfoOf(type).block_size == 256 ? 768 : 608;
    Unit unit(rng, type, k);
    Activations one(rng, k, 1), three(rng, k, 3);
    for (const Table* table : AllTables()) {
      const auto run = [&] {
        std::vector<float> out(8 * kUnitRows);
        float* at = out.data();
        for (Activations* x : {&one, &three}) {
          const int n = x->n_tokens;
          table->matmul_f32[index](unit.panel(0), unit.panel(1), k / 32, x->f32.data(), n, at, kUnitRows);
          at += n * kUnitRows;
          if (!InfoOf(type).quantized) continue;
          table->matmul_q8[index](unit.panel(0), unit.panel(1), k / 32, x->q8.data(), n, at, kUnitRows);
          at += n * kUnitRows;
        }
        return out;
      };
      const Prefetch usual = GetPrefetch(table->isa, type);
      const std::vector<float> expected = run();
      for (const Prefetch& prefetch :
           {Prefetch{0, 0}, Prefetch{0, 1}, Prefetch{2304, 0}, Prefetch{8192, 1024}, Prefetch{kMostAhead, kMostAhead}}) {
        SetPrefetch(table->isa, type, prefetch);
        const std::vector<float> out = run();
        EXPECT_TRUE(SameBits(out.data(), expected.data(), out.size())) << table->isa << " " << InfoOf(type).name;
      }
      SetPrefetch(table->isa, type, usual);
    }
  }
}

}  // namespace
}  // namespace lfm::kernels
