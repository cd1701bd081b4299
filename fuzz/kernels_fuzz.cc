// Every kernel of every ISA that this host has against the scalar one, on shapes and bytes from anywhere: the same bits, or both
// are no finite numbers (those have no defined bits, docs/numerics.md).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "base/check.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"
#include "kernels/self_check.h"

namespace {

using namespace lfm;
using namespace lfm::kernels;

// The input's bytes, and behind their end numbers that they seed: a short input describes a large case.
class Source {
 public:
  Source(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t Byte() {
    const uint8_t given = at_ < size_ ? data_[at_++] : 0;
    state_ = (state_ ^ given) * 6364136223846793005u + 1442695040888963407u;
    return at_ < size_ ? given : static_cast<uint8_t>(state_ >> 56);
  }
  int Below(int n) { return (Byte() | Byte() << 8) % n; }
  // Any finite number, denormals and -0 among them; mostly of the size that activations have.
  float Number(bool wild) {
    uint32_t bits = 0;
    for (int i = 0; i < 4; ++i) bits = bits << 8 | Byte();
    if (!wild) bits = (bits & 0x83ffffffu) | 0x3c000000u;
    if ((bits & 0x7f800000u) == 0x7f800000u) bits &= ~0x40000000u;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  std::vector<float> Numbers(size_t n, bool wild) {
    std::vector<float> numbers(n);
    for (float& value : numbers) value = Number(wild);
    return numbers;
  }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
  uint64_t state_ = 1;
};

bool SameNumber(float a, float b) {
  if (!std::isfinite(a)) return !std::isfinite(b);
  return std::memcmp(&a, &b, 4) == 0;
}

void ExpectSame(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) LFM_CHECK(SameNumber(a[i], b[i]));
}

// GGUF blocks of any bytes, packed as two panels of 16 rows; empty where a scale is none that a model may have.
std::vector<std::byte> Panels(TensorType type, int k, Source& source) {
  const size_t row_bytes = RowBytes(type, static_cast<size_t>(k)), panel = PanelBytes(type, k);
  std::vector<std::byte> rows(row_bytes * kUnitRows), panels(2 * panel);
  for (std::byte& byte : rows) byte = static_cast<std::byte>(source.Byte());
  const int n_valid = 1 + source.Below(kLanes);
  const bool good = PackPanel(type, rows.data(), row_bytes, kLanes, k, panels.data()) &&
                    PackPanel(type, rows.data() + kLanes * row_bytes, row_bytes, n_valid, k, panels.data() + panel);
  return good ? panels : std::vector<std::byte>();
}

std::vector<Q8Tile> TilesOf(const std::vector<Q8Block>& x, int n_blocks, int n) {
  const int64_t n_groups = TileGroups(n);
  std::vector<Q8Tile> tiles(static_cast<size_t>(TileSupers(n_blocks) * n_groups * kSuperBlocks));
  for (int b = 0; b < n_blocks; ++b) {
    for (int t = 0; t < n; ++t) {
      const Q8Block& from = x[static_cast<size_t>(b * n + t)];
      Q8Tile& to = tiles[static_cast<size_t>((b / kSuperBlocks * n_groups + t / kTileTokens) * kSuperBlocks + b % kSuperBlocks)];
      std::memcpy(to.q[t % kTileTokens], from.q, kBlock);
      to.d[t % kTileTokens] = from.d;
      to.dsum[t % kTileTokens] = from.dsum;
    }
  }
  return tiles;
}

void Products(const Table& scalar, const Table& table, Source& source, bool wild) {
  const int index = source.Below(kTypeCount), n = 1 + source.Below(source.Below(4) == 0 ? kMaxTile : 2 * kTileTokens);
  const TensorType type = kTypeOrder[index];
  const int block = static_cast<int>(std::max<int64_t>(kBlock, static_cast<int64_t>(InfoOf(type).block_size)));
  const int k = block * (1 + source.Below(768 / block)), n_blocks = k / kBlock;
  const std::vector<std::byte> panels = Panels(type, k, source);
  if (panels.empty()) return;
  const std::byte* const panel1 = panels.data() + panels.size() / 2;
  std::vector<Q8Block> quantized(static_cast<size_t>(n_blocks * n));
  std::vector<F32Block> plain(quantized.size());
  for (int t = 0; t < n; ++t) {
    const std::vector<float> x = source.Numbers(static_cast<size_t>(k), wild);
    scalar.quantize_q8(x.data(), k, &quantized[static_cast<size_t>(t)], n);
    for (int i = 0; i < k; ++i) plain[static_cast<size_t>(i / kBlock * n + t)].x[i % kBlock] = x[static_cast<size_t>(i)];
  }
  std::vector<float> a(static_cast<size_t>(n) * kUnitRows), b(a.size());
  scalar.matmul_f32[index](panels.data(), panel1, n_blocks, plain.data(), n, a.data(), kUnitRows);
  table.matmul_f32[index](panels.data(), panel1, n_blocks, plain.data(), n, b.data(), kUnitRows);
  ExpectSame(a, b);
  if (!scalar.matmul_q8[index]) return;
  scalar.matmul_q8[index](panels.data(), panel1, n_blocks, quantized.data(), n, a.data(), kUnitRows);
  table.matmul_q8[index](panels.data(), panel1, n_blocks, quantized.data(), n, b.data(), kUnitRows);
  ExpectSame(a, b);
  if (!table.matmul_tiles[index] || n < kMinTileTokens) return;
  const std::vector<Q8Tile> tiles = TilesOf(quantized, n_blocks, n);
  table.matmul_tiles[index](panels.data(), panel1, n_blocks, tiles.data(), n, b.data(), kUnitRows);
  ExpectSame(a, b);
}

// run(table, out) with both tables, where out begins as `out`.
template <typename Run>
void Both(const Table& scalar, const Table& table, const std::vector<float>& out, const Run& run) {
  std::vector<float> a = out, b = out;
  run(scalar, a.data());
  run(table, b.data());
  ExpectSame(a, b);
}

void Vectors(const Table& scalar, const Table& table, Source& source, bool wild) {
  const int n_blocks = 1 + source.Below(40);
  const int64_t n = int64_t{n_blocks} * kBlock;
  const auto size = static_cast<size_t>(n);
  const auto numbers = [&](size_t count) { return source.Numbers(count, wild); };
  const std::vector<float> x = numbers(size), y = numbers(size), none(size);
  std::vector<Q8Block> qa(static_cast<size_t>(n_blocks)), qb(qa);
  std::vector<F32Block> fa(qa.size()), fb(qa.size());
  const auto same_q8 = [&] { LFM_CHECK(std::memcmp(qa.data(), qb.data(), qa.size() * sizeof(Q8Block)) == 0); };
  switch (source.Below(8)) {
    case 0:
      scalar.quantize_q8(x.data(), n, qa.data(), 1);
      table.quantize_q8(x.data(), n, qb.data(), 1);
      return same_q8();
    case 1: return Both(scalar, table, none, [&](const Table& t, float* out) { t.rms_norm(x.data(), y.data(), n, 1e-5f, out); });
    case 2: {  // products beyond f32 have no int8 form
      const std::vector<float> gate = source.Numbers(size, false), up = source.Numbers(size, false);
      scalar.swiglu_q8(gate.data(), up.data(), n_blocks, kBlock, qa.data());
      table.swiglu_q8(gate.data(), up.data(), n_blocks, kBlock, qb.data());
      return same_q8();
    }
    case 3:
      scalar.swiglu_f32(x.data(), y.data(), n_blocks, kBlock, fa.data());
      table.swiglu_f32(x.data(), y.data(), n_blocks, kBlock, fb.data());
      for (size_t i = 0; i < size; ++i) LFM_CHECK(SameNumber(fa[i / kBlock].x[i % kBlock], fb[i / kBlock].x[i % kBlock]));
      return;
    case 4: {
      const int n_taps = 1 + source.Below(6);
      const std::vector<float> taps = numbers(size * static_cast<size_t>(n_taps)), past = numbers(taps.size());
      std::vector<const float*> history;
      for (int i = 0; i < n_taps; ++i) history.push_back(&past[static_cast<size_t>(i) * size]);
      return Both(scalar, table, none, [&](const Table& t, float* out) {
        t.short_conv(x.data(), y.data(), history.data(), taps.data(), n_taps, n, out);
      });
    }
    case 5: return Both(scalar, table, y, [&](const Table& t, float* out) { t.add(x.data(), n, out); });
    case 6: {
      const float w = source.Number(wild);
      return Both(scalar, table, y, [&](const Table& t, float* out) { t.add_scaled(x.data(), w, n, out); });
    }
    default: return Both(scalar, table, none, [&](const Table& t, float* out) { t.sigmoid(x.data(), n, out); });
  }
}

void Heads(const Table& scalar, const Table& table, Source& source) {
  constexpr float kNone = -std::numeric_limits<float>::infinity();
  const int dim = 16 * (1 + source.Below(16)), type = source.Below(kKvTypes);
  const auto width = static_cast<size_t>(dim);
  const std::vector<float> x = source.Numbers(width, false), w = source.Numbers(width, false),
                           turn = source.Numbers(width, false);
  Both(scalar, table, x,
       [&](const Table& t, float* out) { t.norm_rope(out, w.data(), turn.data(), turn.data() + dim / 2, dim, 1e-5f); });

  const std::vector<float> rows = source.Numbers(2 * kPagePositions * width, false);
  std::vector<std::byte> page_a(KvPageBytes(static_cast<KvType>(type), dim)), page_b(page_a);
  for (int i = 0; i < kPagePositions; ++i) {
    const float* const row = &rows[2 * static_cast<size_t>(i) * width];
    scalar.kv_store[type](page_a.data(), i, row, row + dim, dim);
    table.kv_store[type](page_b.data(), i, row, row + dim, dim);
  }
  LFM_CHECK(page_a == page_b);

  const int n_queries = 1 + source.Below(64);
  std::vector<float> queries = source.Numbers(static_cast<size_t>(n_queries) * width, false), queries_b = queries;
  scalar.prepare_queries[type](queries.data(), n_queries, dim);
  table.prepare_queries[type](queries_b.data(), n_queries, dim);
  LFM_CHECK(std::memcmp(queries.data(), queries_b.data(), queries.size() * sizeof(float)) == 0);
  std::vector<int> n_keys;
  for (int i = 0; i < n_queries; ++i) n_keys.push_back(source.Below(kPagePositions + 1));
  std::vector<AttentionState> state_a(static_cast<size_t>(n_queries), {kNone, 0.0f}), state_b(state_a);
  std::vector<float> acc_a(queries.size()), acc_b(queries.size());
  scalar.attend_page[type](page_a.data(), nullptr, queries.data(), n_keys.data(), n_queries, dim, state_a.data(), acc_a.data());
  table.attend_page[type](page_a.data(), nullptr, queries.data(), n_keys.data(), n_queries, dim, state_b.data(), acc_b.data());
  LFM_CHECK(std::memcmp(state_a.data(), state_b.data(), state_a.size() * sizeof(AttentionState)) == 0);
  ExpectSame(acc_a, acc_b);

  if (*std::max_element(n_keys.begin(), n_keys.end()) == 0) return;  // nothing to merge
  Both(scalar, table, x,
       [&](const Table& t, float* out) { t.attend_merge(state_a.data(), 1, acc_a.data(), dim, n_queries, dim, out); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<Table> scalar = BuildUnchecked(Isa::kScalar);
  static const std::vector<std::unique_ptr<Table>> tables = [] {
    std::vector<std::unique_ptr<Table>> built;
    for (const Isa isa : DetectIsas()) {
      if (isa != Isa::kScalar) built.push_back(BuildUnchecked(isa));
    }
    return built;
  }();
  const FloatMode mode;
  for (const auto& table : tables) {
    Source source(data, size);
    const int what = source.Below(3);
    const bool wild = source.Below(2) == 1;
    if (what == 0) Products(*scalar, *table, source, wild);
    if (what == 1) Vectors(*scalar, *table, source, wild);
    if (what == 2) Heads(*scalar, *table, source);
  }
  return 0;
}
