// Attention: the scalar kernels against softmax in double, every other ISA against the scalar bits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels_support.h"

namespace lfm::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Pages filled from random keys and values; what no position was stored to is NaN.
struct Cache {
  Cache(Rng& rng, const Table& table, int type_in, int head_dim_in, int n_in)
      : type(type_in), head_dim(head_dim_in), n(n_in), keys(static_cast<size_t>(n * head_dim)), values(keys.size()),
        page_bytes(KvPageBytes(static_cast<KvType>(type), head_dim)), pages(page_bytes * static_cast<size_t>(n_pages())) {
    std::memset(pages.data(), 0xff, pages.size());
    for (float& x : keys) x = Uniform(rng, -1.5f, 1.5f);
    for (float& x : values) x = Uniform(rng, -2, 2);
    for (int i = 0; i < n; i++) {
      table.kv_store[type](page(i / kPagePositions), i % kPagePositions, key(i), value(i), head_dim);
    }
  }
  int n_pages() const { return (n + kPagePositions - 1) / kPagePositions; }
  std::byte* page(int i) { return pages.data() + static_cast<size_t>(i) * page_bytes; }
  const float* key(int i) const { return &keys[static_cast<size_t>(i * head_dim)]; }
  const float* value(int i) const { return &values[static_cast<size_t>(i * head_dim)]; }
  int type, head_dim, n;
  std::vector<float> keys, values;
  size_t page_bytes;
  Aligned<std::byte> pages;
};

// All queries over all pages; query i sees n_keys[i] positions of the cache.
struct Outcome {
  std::vector<AttentionState> state;
  std::vector<float> acc;
};
Outcome Attend(const Table& table, Cache& cache, std::vector<float> queries, const std::vector<int>& n_keys) {
  const size_t n = n_keys.size();
  Outcome out{std::vector<AttentionState>(n, {-kInf, 0.0f}), std::vector<float>(queries.size(), 0.0f)};
  table.prepare_queries[cache.type](queries.data(), static_cast<int>(n), cache.head_dim);
  for (int p = 0; p < cache.n_pages(); p++) {
    std::vector<int> in_page(n);
    for (size_t i = 0; i < n; i++) in_page[i] = std::min(std::max(n_keys[i] - p * kPagePositions, 0), kPagePositions);
    const std::byte* const next = p + 1 < cache.n_pages() ? cache.page(p + 1) : nullptr;
    table.attend_page[cache.type](cache.page(p), next, queries.data(), in_page.data(), static_cast<int>(n), cache.head_dim,
                                  out.state.data(), out.acc.data());
  }
  return out;
}

constexpr int kDims[] = {16, 48, 64, 128, 256};

TEST(Attention, ScalarIsCloseToSoftmax) {
  Rng rng(1);
  const double tolerances[] = {2e-3, 5e-6, 3e-2, 4e-3};
  for (int type = 0; type < kKvTypes; type++) {
    for (const int head_dim : kDims) {
      Cache cache(rng, Scalar(), type, head_dim, 150);
      const std::vector<int> n_keys = {1, 16, 17, 64, 65, 150};
      std::vector<float> queries(n_keys.size() * static_cast<size_t>(head_dim));
      for (float& x : queries) x = Uniform(rng, -0.5f, 0.5f);
      const Outcome out = Attend(Scalar(), cache, queries, n_keys);
      for (size_t i = 0; i < n_keys.size(); i++) {
        const float* q = &queries[i * static_cast<size_t>(head_dim)];
        std::vector<double> s;
        double max = -1e30, sum = 0;
        for (int j = 0; j < n_keys[i]; j++) {
          double dot = 0;
          for (int d = 0; d < head_dim; d++) dot += static_cast<double>(q[d]) * cache.key(j)[d];
          s.push_back(dot);
          max = std::max(max, dot);
        }
        for (double& x : s) sum += x = std::exp(x - max);
        std::vector<float> result(static_cast<size_t>(head_dim));
        Scalar().attend_merge(&out.state[i], 1, &out.acc[i * static_cast<size_t>(head_dim)], head_dim, 1, head_dim,
                              result.data());
        for (int d = 0; d < head_dim; d++) {
          double expected = 0;
          for (int j = 0; j < n_keys[i]; j++) expected += s[static_cast<size_t>(j)] / sum * cache.value(j)[d];
          ASSERT_NEAR(result[static_cast<size_t>(d)], expected, tolerances[type]) << type << " " << head_dim << " " << i;
        }
      }
    }
  }
}

TEST(Attention, MergeOfManyPartsIsCloseToItsFormula) {
  Rng rng(5);
  constexpr int kParts = 37, kDim = 48, kStride = 64;
  std::vector<AttentionState> states(2 * kParts);  // every second one is another query's
  std::vector<float> acc(kParts * kStride), out(kDim);
  for (AttentionState& s : states) s = {Uniform(rng, -3, 3), Uniform(rng, 1, 60)};
  states[2 * 20] = {-kInf, 0.0f};  // saw nothing
  for (float& x : acc) x = Uniform(rng, -2, 2);
  Scalar().attend_merge(states.data(), 2, acc.data(), kStride, kParts, kDim, out.data());
  for (int d = 0; d < kDim; d++) {
    double sum = 0, l = 0;
    for (int p = 0; p < kParts; p++) {
      const AttentionState& s = states[static_cast<size_t>(2 * p)];
      sum += std::exp(static_cast<double>(s.m)) * acc[static_cast<size_t>(p * kStride + d)];
      l += std::exp(static_cast<double>(s.m)) * s.l;
    }
    EXPECT_NEAR(out[static_cast<size_t>(d)], sum / l, 1e-7) << d;
  }
}

TEST(Attention, NoKeysLeaveTheStateUntouched) {
  Rng rng(2);
  Cache cache(rng, Scalar(), 0, 64, 10);
  const std::vector<const Table*> tables = AllTables();
  for (const Table* table : tables) {
    std::vector<float> queries(4 * 64, 1.0f), acc(4 * 64, 3.0f);
    std::vector<AttentionState> state(4, {1.5f, 2.5f});
    const int n_keys[] = {0, 0, 0, 0};
    table->attend_page[0](cache.page(0), nullptr, queries.data(), n_keys, 4, 64, state.data(), acc.data());
    for (const float x : acc) ASSERT_EQ(x, 3.0f);
    for (const AttentionState& s : state) ASSERT_TRUE(s.m == 1.5f && s.l == 2.5f);
  }
}

// A page of which only the first positions were ever written is all zero again.
TEST(Attention, ClearingReachesAllThatWasWritten) {
  const Table& table = *Select("scalar").value();
  for (int type = 0; type < kKvTypes; type++) {
    for (const int n : {1, 16, 33}) {
      const std::vector<float> row(48, -2.0f);
      std::vector<std::byte> page(KvPageBytes(static_cast<KvType>(type), 48));
      const std::vector<std::byte> zero = page;
      for (int i = 0; i < n; i++) table.kv_store[type](page.data(), i, row.data(), row.data(), 48);
      EXPECT_NE(page, zero);
      KvClear(static_cast<KvType>(type), 48, page.data(), n);
      EXPECT_EQ(page, zero) << type << " " << n;
    }
  }
}

TEST(Attention, EveryIsaGivesTheScalarBits) {
  for (const Table* table : OtherTables()) {
    for (int type = 0; type < kKvTypes; type++) {
      for (const int head_dim : kDims) {
        SCOPED_TRACE(table->isa + " type " + std::to_string(type) + " head_dim " + std::to_string(head_dim));
        Rng rng(3), same(3);
        Cache cache(rng, Scalar(), type, head_dim, 131), other(same, *table, type, head_dim, 131);
        ASSERT_EQ(std::memcmp(cache.pages.data(), other.pages.data(), cache.pages.size()), 0);
        for (const int n_queries : {1, 2, 3, 4, 5, 7, 10, 33, 64, 67, 130}) {
          std::vector<int> n_keys(static_cast<size_t>(n_queries));
          for (int& n : n_keys) n = static_cast<int>(rng() % 132);
          std::vector<float> queries(static_cast<size_t>(n_queries * head_dim));
          const float most = n_queries == 10 ? 10 : 1;  // weights down to denormals and 0 as well
          for (float& x : queries) x = Uniform(rng, -most, most);
          const Outcome a = Attend(Scalar(), cache, queries, n_keys), b = Attend(*table, cache, queries, n_keys);
          for (size_t i = 0; i < n_keys.size(); i++) {
            ASSERT_EQ(a.state[i].m, b.state[i].m);
            ASSERT_EQ(a.state[i].l, b.state[i].l);
          }
          for (size_t i = 0; i < a.acc.size(); i++) ASSERT_EQ(a.acc[i], b.acc[i]) << i;
          std::vector<float> ma(static_cast<size_t>(head_dim)), mb(ma);
          const int n_parts = n_queries;
          Scalar().attend_merge(a.state.data(), 1, a.acc.data(), head_dim, n_parts, head_dim, ma.data());
          table->attend_merge(a.state.data(), 1, a.acc.data(), head_dim, n_parts, head_dim, mb.data());
          for (size_t i = 0; i < ma.size(); i++) ASSERT_EQ(ma[i], mb[i]);
        }
      }
    }
  }
}

// A query's result does not depend on the queries beside it: neither where they are many, so that a page is unpacked for
// them, nor where it is converted as it is read.
TEST(Attention, TileGivesTheBitsOfOne) {
  Rng rng(4);
  const std::vector<const Table*> tables = AllTables();
  for (const Table* table : tables) {
    for (int type = 0; type < kKvTypes; type++) {
      Cache cache(rng, *table, type, 64, 100);
      std::vector<int> n_keys(64);
      for (size_t i = 0; i < 64; i++) n_keys[i] = 37 + static_cast<int>(i);
      std::vector<float> queries(64 * 64);
      for (float& x : queries) x = Uniform(rng, -1, 1);
      const Outcome all = Attend(*table, cache, queries, n_keys);
      for (size_t i = 0; i < 64; i++) {
        const std::vector<float> q(queries.begin() + static_cast<long>(64 * i), queries.begin() + static_cast<long>(64 * i + 64));
        const Outcome one = Attend(*table, cache, q, {n_keys[i]});
        ASSERT_TRUE(SameBits(one.acc.data(), &all.acc[64 * i], 64)) << table->isa << " type " << type;
        ASSERT_EQ(one.state[0].l, all.state[i].l);
      }
    }
  }
}

}  // namespace
}  // namespace lfm::kernels
