#include "kernels/self_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/log.h"
#include "kernels/layout.h"
#include "kernels/names.h"

namespace lfm::kernels {
namespace {

// What the operations are tried on. A product takes every column count with every token count.
struct Sizes {
  std::vector<int> columns;     // of matrices whose type has blocks of 32
  std::vector<int> columns256;  // of those with blocks of 256
  std::vector<int> tokens;
  std::vector<int64_t> widths;  // of vectors, in blocks of 32
  std::vector<int> head_dims;   // multiples of 16
};

// Each shape of loop: one token, several, those that tiles take.
const Sizes& ShortSizes() {
  static const Sizes sizes{{256}, {256}, {1, 9, 20}, {3}, {48}};
  return sizes;
}
// Beside them odd ones: part blocks, part tiles, the last block alone.
const Sizes& LongSizes() {
  static const Sizes sizes{{32, 96, 256, 288, 2048},
                           {256, 768, 2048},
                           {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 33, 64, 128},
                           {1, 2, 3, 5, 8, 33, 64, 129},
                           {16, 32, 48, 64, 80, 128}};
  return sizes;
}

// Numbers without a pattern that a wrong shuffle could keep, from a fixed seed.
class Noise {
 public:
  uint32_t Bits() { return state_ = state_ * 1664525u + 1013904223u; }
  float Value() { return static_cast<float>(static_cast<int32_t>(Bits())) * 0x1p-30f; }
  std::vector<float> Values(size_t n) {
    std::vector<float> v(n);
    for (float& x : v) x = Value();
    return v;
  }

 private:
  uint32_t state_ = 12345;
};

template <typename T>
bool Same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Packed weights of one unit of k columns, as layout.h says. Any bits are quants; scales stay finite and near 1.
std::vector<std::byte> Weights(TensorType type, int k, Noise& noise) {
  const PanelLayout layout = LayoutOf(type);
  const int n_blocks = k / kBlock, n_super = (n_blocks + kSuperBlocks - 1) / kSuperBlocks;
  std::vector<std::byte> panels;
  const auto append = [&](int n, bool scales) {
    for (int i = 0; i < n; i++) {
      uint32_t byte = noise.Bits() >> 24;
      if (scales && type == TensorType::kMXFP4) byte = 118 + byte % 12;      // an exponent
      if (scales && type != TensorType::kMXFP4 && i % 2 == 1) byte &= 0xbf;  // of an f16: not infinite
      panels.push_back(static_cast<std::byte>(byte));
    }
  };
  for (int panel = 0; panel < 2; panel++) {
    append(layout.head * n_super, true);
    for (int block = 0; block < n_blocks; block += kSuperBlocks) {
      const int n = std::min(kSuperBlocks, n_blocks - block);
      append(layout.scales * n, true);
      append(layout.quants * n, IsFloat(type));
    }
  }
  if (type == TensorType::kF32 || type == TensorType::kBF16) {  // f32 from 16 bits of noise, exponents near 1
    for (size_t i = 1; i < panels.size(); i += 2) {
      panels[i] = static_cast<std::byte>((static_cast<unsigned>(panels[i]) & 0x80u) | 0x3eu);
    }
  }
  return panels;
}

enum class Form { kQ8, kF32, kTiles };
constexpr std::string_view kFormNames[] = {"q8", "f32", "tiles"};

std::vector<Q8Tile> TilesOf(const std::vector<Q8Block>& x, int n_blocks, int n) {
  const int64_t n_groups = TileGroups(n);
  std::vector<Q8Tile> tiles(static_cast<size_t>(TileSupers(n_blocks) * n_groups * kSuperBlocks));
  for (int b = 0; b < n_blocks; b++) {
    for (int t = 0; t < n; t++) {
      const Q8Block& from = x[static_cast<size_t>(b) * static_cast<size_t>(n) + static_cast<size_t>(t)];
      Q8Tile& to = tiles[static_cast<size_t>((b / kSuperBlocks * n_groups + t / kTileTokens) * kSuperBlocks + b % kSuperBlocks)];
      std::memcpy(to.q[t % kTileTokens], from.q, kBlock);
      to.d[t % kTileTokens] = from.d;
      to.dsum[t % kTileTokens] = from.dsum;
    }
  }
  return tiles;
}

// A form's product in `b` against the scalar table `a`, which has no tiles: there they are compared with blocks.
bool SameMatmul(const Table& a, const Table& b, int index, Form form, int k, int n) {
  Noise noise;
  const std::vector<std::byte> panels = Weights(kTypeOrder[index], k, noise);
  const std::byte* const panel1 = panels.data() + panels.size() / 2;
  const int n_blocks = k / kBlock;
  std::vector<Q8Block> quantized(static_cast<size_t>(n_blocks * n));
  std::vector<F32Block> plain(quantized.size());
  for (int t = 0; t < n; t++) {
    const std::vector<float> x = noise.Values(static_cast<size_t>(k));
    a.quantize_q8(x.data(), k, &quantized[static_cast<size_t>(t)], n);
    for (int i = 0; i < k; i++) {
      const auto block = static_cast<size_t>(i / kBlock) * static_cast<size_t>(n) + static_cast<size_t>(t);
      plain[block].x[i % kBlock] = x[static_cast<size_t>(i)];
    }
  }
  std::vector<float> ya(static_cast<size_t>(n) * kUnitRows), yb(ya.size());
  if (form == Form::kF32) {
    a.matmul_f32[index](panels.data(), panel1, n_blocks, plain.data(), n, ya.data(), kUnitRows);
    b.matmul_f32[index](panels.data(), panel1, n_blocks, plain.data(), n, yb.data(), kUnitRows);
  } else {
    a.matmul_q8[index](panels.data(), panel1, n_blocks, quantized.data(), n, ya.data(), kUnitRows);
    if (form == Form::kQ8) {
      b.matmul_q8[index](panels.data(), panel1, n_blocks, quantized.data(), n, yb.data(), kUnitRows);
    } else {
      const std::vector<Q8Tile> tiles = TilesOf(quantized, n_blocks, n);
      b.matmul_tiles[index](panels.data(), panel1, n_blocks, tiles.data(), n, yb.data(), kUnitRows);
    }
  }
  for (size_t i = 0; i < ya.size(); i++) {  // a NaN has no defined bits
    if (!(ya[i] == yb[i] || (std::isnan(ya[i]) && std::isnan(yb[i])))) return false;
  }
  return true;
}

// Runs an operation of both tables on equal data: run(table, out) fills out.
template <typename T, typename Run>
bool SameResult(const Table& a, const Table& b, size_t n, const Run& run) {
  std::vector<T> ya(n), yb(n);
  std::memset(static_cast<void*>(ya.data()), 0, n * sizeof(T));
  std::memset(static_cast<void*>(yb.data()), 0, n * sizeof(T));
  run(a, ya.data());
  run(b, yb.data());
  return Same(ya, yb);
}

bool SameAttention(const Table& a, const Table& b, int type, int dim, bool store_only) {
  constexpr int kQueries = 5;
  Noise noise;
  const auto width = static_cast<size_t>(dim);
  const std::vector<float> rows = noise.Values(kPagePositions * width * 2), plain = noise.Values(kQueries * width);
  const size_t page_bytes = KvPageBytes(static_cast<KvType>(type), dim);
  std::vector<std::byte> pages[2] = {std::vector<std::byte>(page_bytes), std::vector<std::byte>(page_bytes)};
  for (int i = 0; i < kPagePositions; i++) {
    const float* const row = &rows[size_t{2} * static_cast<size_t>(i) * width];
    a.kv_store[type](pages[0].data(), i, row, row + dim, dim);
    if (store_only) b.kv_store[type](pages[1].data(), i, row, row + dim, dim);
  }
  if (store_only) return pages[0] == pages[1];
  const int n_keys[kQueries] = {64, 1, 17, 0, 40};
  return SameResult<float>(a, b, kQueries * (width + 2), [&](const Table& table, float* out) {
    std::vector<float> queries = plain;
    table.prepare_queries[type](queries.data(), kQueries, dim);
    std::vector<AttentionState> state(kQueries, {-std::numeric_limits<float>::infinity(), 0.0f});
    table.attend_page[type](pages[0].data(), nullptr, queries.data(), n_keys, kQueries, dim, state.data(), out);
    std::memcpy(out + kQueries * width, state.data(), kQueries * sizeof(AttentionState));
  });
}

bool SameQueries(const Table& a, const Table& b, int type, int dim) {
  Noise noise;
  const std::vector<float> queries = noise.Values(3 * static_cast<size_t>(dim));
  return SameResult<float>(a, b, queries.size(), [&](const Table& table, float* out) {
    std::copy(queries.begin(), queries.end(), out);
    table.prepare_queries[type](out, 3, dim);
  });
}

bool SameMerge(const Table& a, const Table& b, int dim) {
  Noise noise;
  const auto width = static_cast<size_t>(dim);
  const std::vector<float> acc = noise.Values(3 * width);
  const AttentionState state[3] = {{0.5f, 2.0f}, {-std::numeric_limits<float>::infinity(), 0.0f}, {1.25f, 3.0f}};
  return SameResult<float>(a, b, width,
                           [&](const Table& t, float* out) { t.attend_merge(state, 1, acc.data(), dim, 3, dim, out); });
}

// Each ForEach...() runs the cases of the operations that wanted(name) asks for, and calls
// check(same, name, kernel of `table`, the scalar one) after each case.
template <typename TableRef, typename Wanted, typename Check>
void ForEachProduct(const Table& scalar, TableRef& table, const Sizes& sizes, const Wanted& wanted, const Check& check) {
  for (int i = 0; i < kTypeCount; i++) {
    const TensorType type = kTypeOrder[i];
    for (const Form form : {Form::kQ8, Form::kF32, Form::kTiles}) {
      const std::string name = MatmulName(type, kFormNames[static_cast<int>(form)]);
      if (!wanted(name) || (form == Form::kQ8 && table.matmul_q8[i] == nullptr)) continue;
      for (const int k : InfoOf(type).block_size == 256 ? sizes.columns256 : sizes.columns) {
        for (const int n : sizes.tokens) {
          if (form == Form::kTiles && table.matmul_tiles[i] == nullptr) continue;
          const bool same = SameMatmul(scalar, table, i, form, k, n);
          if (form == Form::kQ8) check(same, name, table.matmul_q8[i], scalar.matmul_q8[i]);
          if (form == Form::kF32) check(same, name, table.matmul_f32[i], scalar.matmul_f32[i]);
          if (form == Form::kTiles) check(same, name, table.matmul_tiles[i], scalar.matmul_tiles[i]);
        }
      }
    }
  }
}

template <typename TableRef, typename Wanted, typename Check>
void ForEachVectorOp(const Table& scalar, TableRef& table, int64_t n_blocks, const Wanted& wanted, const Check& check) {
  const int64_t n = n_blocks * kBlock;
  const auto size = static_cast<size_t>(n), blocks = static_cast<size_t>(n_blocks);
  Noise noise;
  const std::vector<float> x = noise.Values(size), y = noise.Values(size), z = noise.Values(4 * size);
  std::vector<float> wide = x;
  for (float& v : wide) v *= 45.0f;  // the range of exp
  const float* const history[] = {&z[0], &z[size]};

#define LFM_CHECK_OP(op, type, n_out, call) \
  if (wanted(#op))                          \
  check(SameResult<type>(scalar, table, n_out, [&](const Table& t, type* out) { t.call; }), #op, table.op, scalar.op)
  LFM_CHECK_OP(quantize_q8, Q8Block, blocks, quantize_q8(x.data(), n, out, 1));
  LFM_CHECK_OP(rms_norm, float, size, rms_norm(x.data(), y.data(), n, 1e-5f, out));
  LFM_CHECK_OP(swiglu_q8, Q8Block, blocks, swiglu_q8(wide.data(), y.data(), static_cast<int>(n_blocks), kBlock, out));
  LFM_CHECK_OP(swiglu_f32, F32Block, blocks, swiglu_f32(wide.data(), y.data(), static_cast<int>(n_blocks), kBlock, out));
  LFM_CHECK_OP(short_conv, float, size, short_conv(x.data(), y.data(), history, &z[size], 3, n, out));
  LFM_CHECK_OP(add, float, size, add(x.data(), n, out));
  LFM_CHECK_OP(add_scaled, float, size, add_scaled(x.data(), 0.3f, n, out));
  LFM_CHECK_OP(sigmoid, float, size, sigmoid(wide.data(), n, out));
#undef LFM_CHECK_OP
}

template <typename TableRef, typename Wanted, typename Check>
void ForEachHeadOp(const Table& scalar, TableRef& table, int dim, const Wanted& wanted, const Check& check) {
  const auto size = static_cast<size_t>(dim);
  if (wanted("norm_rope")) {
    Noise noise;
    const std::vector<float> x = noise.Values(size), y = noise.Values(size), z = noise.Values(2 * size);
    const bool same = SameResult<float>(scalar, table, size, [&](const Table& t, float* out) {
      std::copy(x.begin(), x.end(), out);
      t.norm_rope(out, y.data(), &z[0], &z[size], dim, 1e-5f);
    });
    check(same, "norm_rope", table.norm_rope, scalar.norm_rope);
  }
  if (wanted("attend_merge")) {
    check(SameMerge(scalar, table, dim), "attend_merge", table.attend_merge, scalar.attend_merge);
  }
  for (int type = 0; type < kKvTypes; type++) {
    if (wanted("kv_store")) {
      check(SameAttention(scalar, table, type, dim, true), "kv_store", table.kv_store[type], scalar.kv_store[type]);
    }
    if (wanted("prepare_queries")) {
      check(SameQueries(scalar, table, type, dim), "prepare_queries", table.prepare_queries[type], scalar.prepare_queries[type]);
    }
    if (wanted("attend_page")) {
      check(SameAttention(scalar, table, type, dim, false), "attend_page", table.attend_page[type], scalar.attend_page[type]);
    }
  }
}

template <typename TableRef, typename Wanted, typename Check>
void ForEachCase(const Table& scalar, TableRef& table, const Sizes& sizes, const Wanted& wanted, const Check& check) {
  ForEachProduct(scalar, table, sizes, wanted, check);
  for (const int64_t n_blocks : sizes.widths) ForEachVectorOp(scalar, table, n_blocks, wanted, check);
  for (const int dim : sizes.head_dims) ForEachHeadOp(scalar, table, dim, wanted, check);
}

}  // namespace

int ReplaceDiffering(const Table& scalar, Table& table) {
  int n_replaced = 0;
  const auto all = [](const std::string&) { return true; };
  ForEachCase(scalar, table, ShortSizes(), all, [&](bool same, const std::string& name, auto& kernel, const auto& replacement) {
    if (same) return;
    kernel = replacement;
    n_replaced++;
    for (auto& [operation, isa] : table.chosen) {
      if (operation == name) isa = replacement ? IsaName(Isa::kScalar) : "not used";
    }
    Log(LogLevel::kWarning,
        "kernel " + name + " for " + table.isa + " differs from the scalar one on this CPU and is not used; please report this");
  });
  return n_replaced;
}

KernelCheck CheckOperation(const Table& scalar, const Table& table, const std::string& operation) {
  const FloatMode mode;
  KernelCheck result{operation};
  const auto wanted = [&](const std::string& name) { return name == operation; };
  ForEachCase(scalar, table, LongSizes(), wanted, [&](bool same, const std::string&, const auto&, const auto&) {
    result.n_cases++;
    result.n_differing += same ? 0 : 1;
  });
  return result;
}

}  // namespace lfm::kernels
