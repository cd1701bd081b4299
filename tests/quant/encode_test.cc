// Encoders: what they write reads back, loses little, and does not depend on anything but the values.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/kernels.h"
#include "quant/encode.h"

namespace lfm::test {
namespace {

using quant::EncodeRow;

// Types with the share of a Gaussian's energy that they may lose at most, as a root (measured plus a little).
const std::pair<TensorType, double> kTypes[] = {
    {TensorType::kQ8_0, 0.0052},  {TensorType::kQ6_K, 0.0172}, {TensorType::kQ5_K, 0.0350},   {TensorType::kQ4_K, 0.0710},
    {TensorType::kQ3_K, 0.1460},  {TensorType::kQ2_K, 0.2650}, {TensorType::kQ4_0, 0.0825},   {TensorType::kQ4_1, 0.0710},
    {TensorType::kQ5_0, 0.0410},  {TensorType::kQ5_1, 0.0345}, {TensorType::kIQ4_NL, 0.0750}, {TensorType::kIQ4_XS, 0.0752},
    {TensorType::kMXFP4, 0.1135}, {TensorType::kBF16, 0.0020}, {TensorType::kF16, 0.0003},    {TensorType::kF32, 0}};

std::vector<float> Gaussian(size_t n, float scale, uint32_t seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> x(n);
  for (float& value : x) value = normal(generator);
  return x;
}

std::vector<float> RoundTrip(TensorType type, const std::vector<float>& x, const float* importance = nullptr) {
  std::vector<std::byte> stored(RowBytes(type, x.size()));
  EncodeRow(type, x.data(), importance, static_cast<int64_t>(x.size()), stored.data());
  std::vector<float> y(x.size());
  kernels::Dequantize(type, stored.data(), static_cast<int64_t>(x.size()), y.data());
  return y;
}

double RelativeError(const std::vector<float>& x, const std::vector<float>& y, const std::vector<float>& w = {}) {
  double lost = 0, all = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double weight = w.empty() ? 1 : static_cast<double>(w[i]), v = static_cast<double>(x[i]);
    lost += weight * std::pow(v - static_cast<double>(y[i]), 2);
    all += weight * v * v;
  }
  return std::sqrt(lost / all);
}

TEST(Encode, LosesLittleOfAGaussian) {
  const auto x = Gaussian(1792 * 64, 0.02f);
  for (const auto& [type, bound] : kTypes) EXPECT_LE(RelativeError(x, RoundTrip(type, x)), bound) << InfoOf(type).name;
}

TEST(Encode, ImportanceShiftsTheError) {
  const auto x = Gaussian(256 * 64, 1);
  auto w = Gaussian(x.size(), 1, 2);
  for (float& value : w) value = std::exp(2 * value);
  for (const auto& [type, bound] : kTypes) {
    if (!InfoOf(type).quantized || type == TensorType::kMXFP4) continue;
    const double with = RelativeError(x, RoundTrip(type, x, w.data()), w), without = RelativeError(x, RoundTrip(type, x), w);
    EXPECT_LT(with, without) << InfoOf(type).name;
  }
}

TEST(Encode, OddRows) {
  std::vector<std::vector<float>> rows;
  rows.emplace_back(256, 0.0f);
  rows.emplace_back(256, 1.0f);
  rows.emplace_back(256, -0.25f);
  rows.emplace_back(256, 1e-30f);
  rows.emplace_back(256, 1e-42f);  // denormal
  rows.emplace_back(256, 3e38f);   // beyond every f16 scale
  rows.push_back(Gaussian(256, 1));
  rows.back()[17] = 1000;
  rows.push_back(Gaussian(256, 1));
  for (float& value : rows.back()) value = std::abs(value) + 5;
  rows.push_back(Gaussian(256, 1));
  for (float& value : rows.back()) value = -std::abs(value) - 5;
  const std::vector<float> none(256, 0.0f);
  for (const auto& [type, bound] : kTypes) {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i == 5 && type == TensorType::kF16) continue;  // infinity there, which WriteTensor refuses
      for (const float* importance : {static_cast<const float*>(nullptr), none.data()}) {
        for (const float value : RoundTrip(type, rows[i], importance)) {
          EXPECT_TRUE(std::isfinite(value)) << InfoOf(type).name << " row " << i;
        }
      }
    }
    EXPECT_EQ(RoundTrip(type, rows[0]), rows[0]) << InfoOf(type).name;
    if (type != TensorType::kMXFP4) {
      EXPECT_LT(RelativeError(rows[1], RoundTrip(type, rows[1])), 0.02) << InfoOf(type).name;
      EXPECT_LT(RelativeError(rows[2], RoundTrip(type, rows[2])), 0.02) << InfoOf(type).name;
    }
  }
}

TEST(Encode, BlocksDoNotDependOnTheirNeighbours) {
  const auto x = Gaussian(256 * 7, 1);
  for (const auto& [type, bound] : kTypes) {
    std::vector<std::byte> whole(RowBytes(type, x.size())), part(RowBytes(type, 256));
    EncodeRow(type, x.data(), nullptr, static_cast<int64_t>(x.size()), whole.data());
    for (size_t i = 0; i < 7; ++i) {
      EncodeRow(type, x.data() + 256 * i, nullptr, 256, part.data());
      EXPECT_EQ(std::memcmp(part.data(), whole.data() + i * part.size(), part.size()), 0) << InfoOf(type).name;
    }
  }
}

TEST(Encode, EveryIsaWritesTheSameBytes) {
  auto x = Gaussian(256 * 37, 0.3f);
  std::fill(x.begin() + 256, x.begin() + 300, 0.0f);
  x[700] = 40;
  auto w = Gaussian(x.size(), 1, 2);
  for (float& value : w) value = std::exp(2 * value);
  for (const auto& [type, bound] : kTypes) {
    for (const float* importance : {static_cast<const float*>(nullptr), static_cast<const float*>(w.data())}) {
      std::vector<std::byte> plain(RowBytes(type, x.size())), other(plain.size());
      EncodeRow(type, x.data(), importance, static_cast<int64_t>(x.size()), plain.data(), kernels::Isa::kScalar);
      for (const kernels::Isa isa : kernels::DetectIsas()) {
        EncodeRow(type, x.data(), importance, static_cast<int64_t>(x.size()), other.data(), isa);
        EXPECT_EQ(std::memcmp(plain.data(), other.data(), plain.size()), 0) << InfoOf(type).name << IsaName(isa);
      }
    }
  }
}

TEST(Encode, StoredValuesSurvive) {
  // What a type can hold exactly should come back nearly exactly: levels of a type times one scale.
  const auto x = Gaussian(256 * 8, 1);
  for (const auto& [type, bound] : kTypes) {
    const auto once = RoundTrip(type, x);
    EXPECT_LE(RelativeError(once, RoundTrip(type, once)), bound * 0.6 + 1e-9) << InfoOf(type).name;
  }
}

TEST(Encode, Bfloat16RoundsToEven) {
  EXPECT_EQ(quant::FloatToBfloat16(1.0f), 0x3f80);
  EXPECT_EQ(quant::FloatToBfloat16(1.00390625f), 0x3f80);  // half-way: to even
  EXPECT_EQ(quant::FloatToBfloat16(1.01171875f), 0x3f82);
  EXPECT_EQ(quant::FloatToBfloat16(-INFINITY), 0xff80);
  EXPECT_EQ(quant::FloatToBfloat16(NAN) & 0x7fc0, 0x7fc0);
}

}  // namespace
}  // namespace lfm::test
