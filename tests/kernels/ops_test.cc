// Elementwise kernels: the scalar ones against libm in double, every other ISA against the scalar bits.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <limits>

#include "kernels_support.h"

namespace lfm::kernels {
namespace {

std::vector<float> Random(Rng& rng, size_t n, float scale) {
  std::vector<float> v(n);
  for (float& x : v) x = Uniform(rng, -scale, scale);
  return v;
}

// Ordinary values, and those at which something could go wrong.
std::vector<float> Probes(Rng& rng) {
  std::vector<float> v = Random(rng, 4099, 20.0f);
  for (const float x : {0.0f, -0.0f, 1e-30f, -1e-30f, 1e-45f, 88.0f, 88.7f, 88.8f, -87.3f, -88.8f, -103.9f, -104.1f, 1e4f, -1e4f,
                        3e38f, -3e38f}) {
    v.push_back(x);
  }
  for (const float x : Random(rng, 2000, 110.0f)) v.push_back(x);
  return v;
}

TEST(Sigmoid, IsAccurateAndSaturates) {
  Rng rng(1);
  const std::vector<float> x = Probes(rng);
  std::vector<float> y(x.size());
  Scalar().sigmoid(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); i++) {
    const double expected = 1.0 / (1.0 + std::exp(-static_cast<double>(x[i])));
    ASSERT_NEAR(y[i], expected, 3e-7 * expected + 1e-38) << x[i];
  }
}

TEST(Swiglu, IsAccurateAndSaturates) {
  Rng rng(2);
  std::vector<float> gate = Probes(rng);
  gate.resize(gate.size() / kBlock * kBlock);
  const std::vector<float> up(gate.size(), 1.0f);
  const int n = static_cast<int>(gate.size() / kBlock);
  std::vector<F32Block> out(static_cast<size_t>(n));
  Scalar().swiglu_f32(gate.data(), up.data(), n, kBlock, out.data());
  for (size_t i = 0; i < gate.size(); i++) {
    const double g = gate[i];
    const double expected = g / (1.0 + std::exp(-g));
    ASSERT_NEAR(out[i / kBlock].x[i % kBlock], expected, 4e-7 * std::abs(expected) + 1e-36) << g;
  }
}

TEST(QuantizeQ8, FollowsItsDefinition) {
  Rng rng(3);
  for (const float scale : {1.0f, 1e-20f, 1e30f, 7e-31f}) {
    const std::vector<float> x = Random(rng, 320, scale);
    std::vector<Q8Block> q(30);
    Scalar().quantize_q8(x.data(), 320, q.data(), 3);
    for (size_t b = 0; b < 10; b++) {
      float amax = 0;
      for (size_t i = 0; i < 32; i++) amax = std::max(amax, std::abs(x[b * 32 + i]));
      const bool zero = amax < 0x1p-100f;
      const Q8Block& block = q[3 * b];
      ASSERT_EQ(block.d, zero ? 0.0f : amax / 127.0f);
      int sums[2] = {0, 0};
      for (size_t i = 0; i < 32; i++) {
        const float scaled = zero ? 0.0f : x[b * 32 + i] * (127.0f / amax);
        ASSERT_EQ(block.q[i], static_cast<int8_t>(std::nearbyint(scaled)));
        sums[i / 16] += block.q[i];
      }
      ASSERT_EQ(block.nsum0, -sums[0]);
      ASSERT_EQ(block.nsum1, -sums[1]);
      for (size_t pair = 0; pair < 4; pair++) {
        int sum = 0;
        for (size_t i = 0; i < 8; i++) sum += block.q[pair / 2 * 16 + i / 2 * 4 + pair % 2 * 2 + i % 2];
        ASSERT_EQ(block.nsums[pair / 2][pair % 2], -sum);
      }
      ASSERT_EQ(block.dsum, block.d * static_cast<float>(sums[0] + sums[1]));
    }
  }
}

TEST(QuantizeQ8, RoundsTiesToEven) {
  std::vector<float> x(32, 0.0f);
  x[0] = 127.0f;
  const float ties[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f, 125.5f};
  const int expected[] = {0, 2, 2, 0, -2, -2, 126, 126};
  for (size_t i = 0; i < 8; i++) x[i + 1] = ties[i];
  Q8Block q;
  Scalar().quantize_q8(x.data(), 32, &q, 1);
  for (size_t i = 0; i < 8; i++) EXPECT_EQ(q.q[i + 1], expected[i]) << ties[i];
  for (const Table* table : OtherTables()) {
    Q8Block other;
    table->quantize_q8(x.data(), 32, &other, 1);
    EXPECT_EQ(std::memcmp(&q, &other, sizeof(q)), 0) << table->isa;
  }
}

// What overflowed gives no answer worth having, but the sums stay those of the bytes beside them.
TEST(QuantizeQ8, SumsWhatItStoresOfInfinities) {
  std::vector<float> x(32, 1.0f);
  x[3] = x[20] = std::numeric_limits<float>::infinity();
  for (const Table* table : OtherTables()) {
    Q8Block q;
    table->quantize_q8(x.data(), 32, &q, 1);
    EXPECT_EQ(q.nsum0, -std::accumulate(q.q, q.q + 16, 0)) << table->isa;
    EXPECT_EQ(q.nsum1, -std::accumulate(q.q + 16, q.q + 32, 0)) << table->isa;
  }
}

TEST(RmsNorm, IsAccurate) {
  Rng rng(4);
  for (const int64_t n : {16, 48, 64, 2048}) {
    const std::vector<float> x = Random(rng, static_cast<size_t>(n), 3.0f), w = Random(rng, static_cast<size_t>(n), 2.0f);
    std::vector<float> y(x.size());
    Scalar().rms_norm(x.data(), w.data(), n, 1e-5f, y.data());
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v) * v;
    const double r = 1.0 / std::sqrt(sum / static_cast<double>(n) + 1e-5);
    for (size_t i = 0; i < x.size(); i++) ASSERT_NEAR(y[i], x[i] * r * w[i], 1e-6 * std::abs(y[i]) + 1e-12);
  }
}

TEST(NormRope, RotatesPairs) {
  Rng rng(5);
  for (const int n : {16, 48, 64, 128}) {
    const size_t half = static_cast<size_t>(n) / 2;
    const std::vector<float> x = Random(rng, 2 * half, 3.0f), w = Random(rng, 2 * half, 2.0f);
    const std::vector<float> angles = Random(rng, half, 3.0f);
    std::vector<float> c(half), s(half), y = x, normed(x.size());
    for (size_t i = 0; i < half; i++) {
      c[i] = std::cos(angles[i]);
      s[i] = std::sin(angles[i]);
    }
    Scalar().rms_norm(x.data(), w.data(), n, 1e-5f, normed.data());
    Scalar().norm_rope(y.data(), w.data(), c.data(), s.data(), n, 1e-5f);
    for (size_t i = 0; i < half; i++) {
      ASSERT_EQ(y[i], normed[i] * c[i] - normed[i + half] * s[i]);
      ASSERT_EQ(y[i + half], normed[i + half] * c[i] + normed[i] * s[i]);
    }
  }
}

TEST(ShortConv, FollowsItsDefinition) {
  Rng rng(6);
  const size_t n = 70;
  const std::vector<float> u = Random(rng, n, 1), c = Random(rng, n, 1), h0 = Random(rng, n, 1), h1 = Random(rng, n, 1),
                           taps = Random(rng, 3 * n, 1);
  const float* history[] = {h0.data(), h1.data()};
  std::vector<float> out(n);
  Scalar().short_conv(u.data(), c.data(), history, taps.data(), 3, n, out.data());
  for (size_t i = 0; i < n; i++) {
    float y = std::fma(taps[i], h0[i], 0.0f);
    y = std::fma(taps[n + i], h1[i], y);
    y = std::fma(taps[2 * n + i], u[i], y);
    ASSERT_EQ(out[i], c[i] * y);
  }
}

TEST(Ops, EveryIsaGivesTheScalarBits) {
  Rng rng(7);
  const Table& scalar = Scalar();
  for (const Table* table : OtherTables()) {
    SCOPED_TRACE(table->isa);
    const std::vector<float> probes = Probes(rng);
    for (const size_t n : {size_t{1}, size_t{15}, size_t{16}, size_t{33}, probes.size()}) {
      std::vector<float> a(n), b(n), a2(n, 0.5f), b2(n, 0.5f);
      const auto length = static_cast<int64_t>(n);
      scalar.sigmoid(probes.data(), length, a.data());
      table->sigmoid(probes.data(), length, b.data());
      ASSERT_TRUE(SameBits(a.data(), b.data(), n));
      scalar.add(a.data(), length, a2.data());
      table->add(a.data(), length, b2.data());
      scalar.add_scaled(probes.data(), 1.7f, length, a2.data());
      table->add_scaled(probes.data(), 1.7f, length, b2.data());
      ASSERT_TRUE(SameBits(a2.data(), b2.data(), n));
    }
    for (const float scale : {1e-42f, 1e-31f, 1e-10f, 1.0f, 1e5f, 1e36f}) {
      for (const size_t n : {32u, 96u, 2048u}) {
        const auto length = static_cast<int64_t>(n);
        const std::vector<float> x = Random(rng, n, scale), w = Random(rng, n, 2.0f);
        std::vector<Q8Block> qa(n / 32), qb(n / 32);
        scalar.quantize_q8(x.data(), length, qa.data(), 1);
        table->quantize_q8(x.data(), length, qb.data(), 1);
        ASSERT_EQ(std::memcmp(qa.data(), qb.data(), qa.size() * sizeof(Q8Block)), 0) << scale;
        std::vector<float> a(n), b(n);
        scalar.rms_norm(x.data(), w.data(), length, 1e-5f, a.data());
        table->rms_norm(x.data(), w.data(), length, 1e-5f, b.data());
        ASSERT_TRUE(SameBits(a.data(), b.data(), n)) << scale;
        const std::vector<float> gate = Random(rng, n, 20.0f);
        scalar.swiglu_q8(gate.data(), x.data(), static_cast<int>(n / 32), 32, qa.data());
        table->swiglu_q8(gate.data(), x.data(), static_cast<int>(n / 32), 32, qb.data());
        ASSERT_EQ(std::memcmp(qa.data(), qb.data(), qa.size() * sizeof(Q8Block)), 0) << scale;
        std::vector<F32Block> fa(n / 32), fb(n / 32);
        scalar.swiglu_f32(gate.data(), x.data(), static_cast<int>(n / 32), 32, fa.data());
        table->swiglu_f32(gate.data(), x.data(), static_cast<int>(n / 32), 32, fb.data());
        ASSERT_EQ(std::memcmp(fa.data(), fb.data(), fa.size() * sizeof(F32Block)), 0) << scale;
      }
    }
    for (const int n : {16, 48, 64, 128}) {
      const size_t size = static_cast<size_t>(n);
      const std::vector<float> x = Random(rng, size, 3), w = Random(rng, size, 2), c = Random(rng, size / 2, 1),
                               s = Random(rng, size / 2, 1);
      std::vector<float> a = x, b = x;
      scalar.norm_rope(a.data(), w.data(), c.data(), s.data(), n, 1e-5f);
      table->norm_rope(b.data(), w.data(), c.data(), s.data(), n, 1e-5f);
      ASSERT_TRUE(SameBits(a.data(), b.data(), size)) << n;
    }
    for (const size_t n : {7u, 64u, 100u}) {
      const std::vector<float> u = Random(rng, n, 1), c = Random(rng, n, 1), h = Random(rng, 3 * n, 1),
                               taps = Random(rng, 4 * n, 1);
      const float* history[] = {h.data(), h.data() + n, h.data() + 2 * n};
      std::vector<float> a(n), b(n);
      for (const int n_taps : {2, 3, 4}) {
        scalar.short_conv(u.data(), c.data(), history, taps.data(), n_taps, static_cast<int64_t>(n), a.data());
        table->short_conv(u.data(), c.data(), history, taps.data(), n_taps, static_cast<int64_t>(n), b.data());
        ASSERT_TRUE(SameBits(a.data(), b.data(), n));
      }
    }
  }
}

}  // namespace
}  // namespace lfm::kernels
