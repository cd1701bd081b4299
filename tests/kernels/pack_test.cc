// Packing: a permutation that can be undone, and values equal to gguf's reference.
#include <gtest/gtest.h>

#include <fstream>

#include "kernels_support.h"

namespace lfm::kernels {
namespace {

TEST(Dequantize, EqualsTheReferenceVectors) {
  std::ifstream file(LFM_TEST_DATA "/kernels/dequantize.bin", std::ios::binary);
  ASSERT_TRUE(file);
  int n_types = 0;
  uint32_t header[3];
  while (file.read(reinterpret_cast<char*>(header), sizeof(header))) {
    std::vector<std::byte> blocks(header[1]);
    std::vector<float> expected(header[2]), values(header[2]);
    file.read(reinterpret_cast<char*>(blocks.data()), header[1]);
    file.read(reinterpret_cast<char*>(expected.data()), static_cast<std::streamsize>(header[2] * sizeof(float)));
    ASSERT_TRUE(file);
    const auto type = TensorTypeFromId(header[0]);
    ASSERT_TRUE(type);
    Dequantize(*type, blocks.data(), header[2], values.data());
    EXPECT_TRUE(SameBits(values.data(), expected.data(), values.size())) << InfoOf(*type).name;
    n_types++;
  }
  EXPECT_EQ(n_types, 15);
}

TEST(Pack, CanBeUndone) {
  Rng rng(1);
  for (const TensorType type : kTypeOrder) {
    for (const int64_t k : SizesOf(type)) {
      Unit unit(rng, type, k);
      ASSERT_TRUE(unit.packed);
      const size_t row_bytes = RowBytes(type, static_cast<size_t>(k));
      std::vector<std::byte> back(row_bytes);
      std::vector<float> expected(static_cast<size_t>(k)), values(static_cast<size_t>(k));
      for (int i = 0; i < kUnitRows; i++) {
        UnpackBlocks(type, unit.panel(i / 16), i % 16, k, back.data());
        ASSERT_EQ(std::memcmp(back.data(), unit.row(i), row_bytes), 0) << InfoOf(type).name << " k " << k << " row " << i;
        Dequantize(type, unit.row(i), k, expected.data());
        UnpackRow(type, unit.panel(i / 16), i % 16, k, values.data());
        ASSERT_TRUE(SameBits(values.data(), expected.data(), values.size())) << InfoOf(type).name << " k " << k;
      }
    }
  }
}

TEST(Pack, FillsMissingRowsWithZeros) {
  Rng rng(2);
  for (const TensorType type : kTypeOrder) {
    const int64_t k = 256;
    const size_t row_bytes = RowBytes(type, k);
    const std::vector<std::byte> rows = RandomBlocks(rng, type, k * 5);
    std::vector<std::byte> panel(PanelBytes(type, k), std::byte{0x55});
    ASSERT_TRUE(PackPanel(type, rows.data(), row_bytes, 5, k, panel.data()));
    std::vector<float> values(k);
    UnpackRow(type, panel.data(), 4, k, values.data());
    std::vector<float> expected(k);
    Dequantize(type, rows.data() + 4 * row_bytes, k, expected.data());
    EXPECT_TRUE(SameBits(values.data(), expected.data(), k)) << InfoOf(type).name;
    UnpackRow(type, panel.data(), 5, k, values.data());
    for (const float v : values) ASSERT_EQ(v, 0.0f) << InfoOf(type).name;
  }
}

TEST(Pack, RefusesScalesThatAreNotFinite) {
  Rng rng(3);
  for (const TensorType type : kTypeOrder) {
    const int64_t k = 512;
    for (const size_t offset : ScaleOffsets(type)) {
      for (const uint16_t bad : {0x7c00, 0xfc00, 0x7e01}) {
        std::vector<std::byte> rows = RandomBlocks(rng, type, k * 16);
        std::vector<std::byte> panel(PanelBytes(type, k));
        const size_t at = 7 * RowBytes(type, k) + InfoOf(type).block_bytes + offset;
        if (type == TensorType::kF32 || type == TensorType::kBF16) {
          const uint32_t bits = type == TensorType::kF32 ? 0x7f800000u : 0x7f80u;
          std::memcpy(&rows[at], &bits, InfoOf(type).block_bytes);
        } else {
          std::memcpy(&rows[at], &bad, 2);
        }
        EXPECT_FALSE(PackPanel(type, rows.data(), RowBytes(type, k), 16, k, panel.data())) << InfoOf(type).name;
        EXPECT_TRUE(PackPanel(type, rows.data(), RowBytes(type, k), 7, k, panel.data())) << InfoOf(type).name;
      }
    }
  }
}

TEST(Float16, RoundTripsAndRoundsToEven) {
  for (uint32_t h = 0; h < 0x10000; h++) {
    if ((h & 0x7c00) == 0x7c00) continue;
    ASSERT_EQ(FloatToHalf(HalfToFloat(static_cast<uint16_t>(h))), h);
  }
  EXPECT_EQ(FloatToHalf(65519.99f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(1.0f + 0x1p-11f), 0x3c00);
  EXPECT_EQ(FloatToHalf(1.0f + 3 * 0x1p-11f), 0x3c02);
  EXPECT_EQ(FloatToHalf(0x1p-25f), 0);
  EXPECT_EQ(FloatToHalf(0x1.8p-24f), 2);
}

}  // namespace
}  // namespace lfm::kernels
