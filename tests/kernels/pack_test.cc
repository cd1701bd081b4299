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
  EXPECT_EQ(n_types, 24);
}

// SplitMix64 at a counter.
uint64_t Mix(uint64_t n) {
  uint64_t z = n * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

// Every point of every lattice: checksums of 4,096 blocks, printed by tests/data/kernels/make_dequantize.py.
TEST(Dequantize, LatticesHaveTheReferencesChecksums) {
  constexpr std::pair<TensorType, uint64_t> kSums[] = {
      {TensorType::kIQ1_S, 0x9dce57cde5bad260},   {TensorType::kIQ1_M, 0xf082a107f62998c0},
      {TensorType::kIQ2_XXS, 0x19a10bc5ff384108}, {TensorType::kIQ2_XS, 0xf1287c33e643eb14},
      {TensorType::kIQ2_S, 0x38c323688dcb8da0},   {TensorType::kIQ3_XXS, 0x6ea87eccbf61ee40},
      {TensorType::kIQ3_S, 0xe0fa7b7ea786c1f0},   {TensorType::kTQ1_0, 0xd4fb484ac5812000},
      {TensorType::kTQ2_0, 0x552d82ce80b50000},
  };
  for (const auto& [type, expected] : kSums) {
    const size_t n_blocks = 4096, block_bytes = InfoOf(type).block_bytes;
    std::vector<std::byte> blocks(n_blocks * block_bytes);
    for (size_t i = 0; i < blocks.size(); i++) blocks[i] = static_cast<std::byte>(Mix(i + 1) >> 56);
    for (size_t i = 0; i < n_blocks; i++) {
      const auto half = static_cast<uint16_t>(Mix(i + 1) >> 48 & 0xbfff);
      if (type == TensorType::kIQ1_M) {
        SetIq1MScale(&blocks[i * block_bytes], half);
      } else {
        std::memcpy(&blocks[i * block_bytes + ScaleOffsets(type)[0]], &half, 2);
      }
    }
    std::vector<float> values(n_blocks * 256);
    Dequantize(type, blocks.data(), static_cast<int64_t>(values.size()), values.data());
    uint64_t sum = 0;
    for (size_t i = 0; i < values.size(); i++) {
      uint32_t bits;
      std::memcpy(&bits, &values[i], 4);
      sum += bits * Mix(i + 1);
    }
    EXPECT_EQ(sum, expected) << InfoOf(type).name;
  }
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

TEST(Pack, RefusesAnIq1MScaleThatIsNotFinite) {
  Rng rng(4);
  std::vector<std::byte> rows = RandomBlocks(rng, TensorType::kIQ1_M, 512 * 16);
  const size_t row_bytes = RowBytes(TensorType::kIQ1_M, 512);
  std::vector<std::byte> panel(PanelBytes(TensorType::kIQ1_M, 512));
  for (const uint16_t half : {0x7bff, 0x7c00, 0xfc00, 0x7e01, 0x8001}) {
    SetIq1MScale(&rows[7 * row_bytes + 56], half);
    EXPECT_EQ(PackPanel(TensorType::kIQ1_M, rows.data(), row_bytes, 16, 512, panel.data()), (half & 0x7c00) != 0x7c00) << half;
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
