// Products over units and over panels.
#include "model/tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lfm::model {
namespace {

// Few rows and many threads (a router): split by panels, with the bits of one thread, and nothing beyond the rows.
TEST(Multiply, FewRowsGiveTheSameBitsForEveryThreadCount) {
  constexpr int64_t kK = 64;
  Model model;
  model.kernels = *kernels::Select("");
  std::vector<kernels::F32Block> x(kK / kernels::kBlock);
  for (int64_t k = 0; k < kK; ++k) x[static_cast<size_t>(k / 32)].x[k % 32] = static_cast<float>(k % 7) - 3.0f;
  Tile tile;
  tile.f32 = x.data();
  tile.n_tokens = 1;
  for (const int64_t rows : {1, 8, 16, 17, 32, 40, 64}) {
    Matrix matrix;
    matrix.rows = rows;
    matrix.k = kK;
    matrix.panel_bytes = kernels::PanelBytes(matrix.type, kK);
    matrix.unit_stride = 2 * matrix.panel_bytes;
    std::vector<float> weights(static_cast<size_t>(rows * kK));
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i * 37 % 101) - 50.0f;
    std::vector<kernels::F32Block> packed(static_cast<size_t>(matrix.n_units()) * matrix.unit_stride / sizeof(kernels::F32Block));
    matrix.data = reinterpret_cast<const std::byte*>(packed.data());
    for (int64_t first = 0; first < rows; first += kernels::kLanes) {
      const auto n_valid = static_cast<int>(std::min<int64_t>(kernels::kLanes, rows - first));
      auto* panel = const_cast<std::byte*>(matrix.panel(first / 32, static_cast<int>(first / 16 % 2)));
      ASSERT_TRUE(kernels::PackPanel(matrix.type, reinterpret_cast<const std::byte*>(&weights[static_cast<size_t>(first * kK)]),
                                     kK * sizeof(float), n_valid, kK, panel));
    }
    for (const int n_threads : {1, 2, 4}) {
      Threads threads(n_threads);
      std::vector<float> out(static_cast<size_t>(rows) + 1, -7.0f);
      const Product product{&matrix, out.data(), rows};
      Multiply(model, {&product, 1}, {&tile, 1}, threads, nullptr);
      for (int64_t r = 0; r < rows; ++r) {  // small integers: exact in any order
        float sum = 0;
        for (int64_t k = 0; k < kK; ++k)
          sum += weights[static_cast<size_t>(r * kK + k)] * x[static_cast<size_t>(k / 32)].x[k % 32];
        EXPECT_EQ(out[static_cast<size_t>(r)], sum) << rows << " rows, " << n_threads << " threads, row " << r;
      }
      EXPECT_EQ(out.back(), -7.0f) << rows << " rows, " << n_threads << " threads";
    }
  }
}

}  // namespace
}  // namespace lfm::model
