#include "kernels/self_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/log.h"
#include "kernels/layout.h"
#include "kernels/names.h"

namespace lfm::kernels {
namespace {

constexpr int kColumns = 256;
constexpr int kTokens[] = {1, 9};  // each shape of loop: one token, several, those that tiles take

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

// Packed weights of one unit. Any bytes are quants; those with all exponent bits set in some f16 are thinned out.
std::vector<std::byte> Weights(TensorType type, Noise& noise) {
  std::vector<std::byte> panels(2 * PanelBytes(type, kColumns));
  for (size_t i = 0; i < panels.size(); i++) {
    const uint32_t byte = noise.Bits() >> 24;
    const bool quants = LayoutOf(type).scales != 0 && i % (panels.size() / 2) >= 512;
    panels[i] = static_cast<std::byte>(quants || i % 2 == 0 ? byte : byte & 0xbfu);
  }
  if (type == TensorType::kF32 || type == TensorType::kBF16) {  // f32 from 16 bits of noise, exponents near 1
    for (size_t i = 1; i < panels.size(); i += 2) {
      panels[i] = static_cast<std::byte>((static_cast<unsigned>(panels[i]) & 0x80u) | 0x3eu);
    }
  }
  return panels;
}

bool SameMatmul(const Table& a, const Table& b, int index, bool q8) {
  Noise noise;
  const TensorType type = kTypeOrder[index];
  const std::vector<std::byte> panels = Weights(type, noise);
  const std::byte* const panel1 = panels.data() + panels.size() / 2;
  constexpr int kBlocks = kColumns / kBlock;
  for (const int n : kTokens) {
    std::vector<Q8Block> quantized(static_cast<size_t>(kBlocks * n));
    std::vector<F32Block> plain(quantized.size());
    for (int t = 0; t < n; t++) {
      const std::vector<float> x = noise.Values(kColumns);
      a.quantize_q8(x.data(), kColumns, &quantized[static_cast<size_t>(t)], n);
      for (int i = 0; i < kColumns; i++) {
        const auto block = static_cast<size_t>(i / kBlock) * static_cast<size_t>(n) + static_cast<size_t>(t);
        plain[block].x[i % kBlock] = x[static_cast<size_t>(i)];
      }
    }
    std::vector<float> ya(static_cast<size_t>(n) * kUnitRows), yb(ya.size());
    if (q8) {
      a.matmul_q8[index](panels.data(), panel1, kBlocks, quantized.data(), n, ya.data(), kUnitRows);
      b.matmul_q8[index](panels.data(), panel1, kBlocks, quantized.data(), n, yb.data(), kUnitRows);
    } else {
      a.matmul_f32[index](panels.data(), panel1, kBlocks, plain.data(), n, ya.data(), kUnitRows);
      b.matmul_f32[index](panels.data(), panel1, kBlocks, plain.data(), n, yb.data(), kUnitRows);
    }
    for (size_t i = 0; i < ya.size(); i++) {  // a NaN has no defined bits
      if (!(ya[i] == yb[i] || (std::isnan(ya[i]) && std::isnan(yb[i])))) return false;
    }
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

bool SameAttention(const Table& a, const Table& b, int type, bool store_only) {
  constexpr int kDim = 48, kQueries = 5;
  Noise noise;
  const std::vector<float> rows = noise.Values(kPagePositions * kDim * 2), queries = noise.Values(kQueries * kDim);
  const size_t page_bytes = KvPageBytes(static_cast<KvType>(type), kDim);
  std::vector<std::byte> pages[2] = {std::vector<std::byte>(page_bytes), std::vector<std::byte>(page_bytes)};
  for (int i = 0; i < kPagePositions; i++) {
    const float* const row = &rows[size_t{2} * static_cast<size_t>(i) * kDim];
    a.kv_store[type](pages[0].data(), i, row, row + kDim, kDim);
    if (store_only) b.kv_store[type](pages[1].data(), i, row, row + kDim, kDim);
  }
  if (store_only) return pages[0] == pages[1];
  const int n_keys[kQueries] = {64, 1, 17, 0, 40};
  return SameResult<float>(a, b, kQueries * (kDim + 2), [&](const Table& table, float* out) {
    std::vector<AttentionState> state(kQueries, {-std::numeric_limits<float>::infinity(), 0.0f});
    table.attend_page[type](pages[0].data(), queries.data(), n_keys, kQueries, kDim, state.data(), out);
    std::memcpy(out + kQueries * kDim, state.data(), kQueries * sizeof(AttentionState));
  });
}

bool SameMerge(const Table& a, const Table& b) {
  Noise noise;
  const std::vector<float> acc = noise.Values(3 * 64);
  const AttentionState state[3] = {{0.5f, 2.0f}, {-std::numeric_limits<float>::infinity(), 0.0f}, {1.25f, 3.0f}};
  return SameResult<float>(a, b, 64, [&](const Table& t, float* out) { t.attend_merge(state, 1, acc.data(), 64, 3, 64, out); });
}

}  // namespace

int ReplaceDiffering(const Table& scalar, Table& table) {
  int n_replaced = 0;
  const auto check = [&](bool same, const std::string& name, auto& kernel, const auto& replacement) {
    if (same) return;
    kernel = replacement;
    n_replaced++;
    for (auto& [operation, isa] : table.chosen) {
      if (operation == name) isa = IsaName(Isa::kScalar);
    }
    Log(LogLevel::kWarning, "kernel " + name + " for " + table.isa +
                                " differs from the scalar one on this CPU and is not used; please report this");
  };
  for (int i = 0; i < kTypeCount; i++) {
    for (const bool q8 : {true, false}) {
      if (q8 && table.matmul_q8[i] == nullptr) continue;
      const bool same = SameMatmul(scalar, table, i, q8);
      if (q8) check(same, MatmulName(kTypeOrder[i], true), table.matmul_q8[i], scalar.matmul_q8[i]);
      if (!q8) check(same, MatmulName(kTypeOrder[i], false), table.matmul_f32[i], scalar.matmul_f32[i]);
    }
  }
  constexpr int64_t kN = 96;
  Noise noise;
  const std::vector<float> x = noise.Values(kN), y = noise.Values(kN), z = noise.Values(4 * kN);
  std::vector<float> wide = x;
  for (float& v : wide) v *= 45.0f;  // the range of exp
  const float* const history[] = {&z[0], &z[kN]};

#define LFM_CHECK_OP(op, type, n, call) \
  check(SameResult<type>(scalar, table, n, [&](const Table& t, type* out) { t.call; }), #op, table.op, scalar.op)
  LFM_CHECK_OP(quantize_q8, Q8Block, kN / kBlock, quantize_q8(x.data(), kN, out, 1));
  LFM_CHECK_OP(rms_norm, float, kN, rms_norm(x.data(), y.data(), kN, 1e-5f, out));
  LFM_CHECK_OP(swiglu_q8, Q8Block, kN / kBlock, swiglu_q8(wide.data(), y.data(), kN / kBlock, kBlock, out));
  LFM_CHECK_OP(swiglu_f32, F32Block, kN / kBlock, swiglu_f32(wide.data(), y.data(), kN / kBlock, kBlock, out));
  LFM_CHECK_OP(short_conv, float, kN, short_conv(x.data(), y.data(), history, &z[kN], 3, kN, out));
  LFM_CHECK_OP(add, float, kN, add(x.data(), kN, out));
  LFM_CHECK_OP(add_scaled, float, kN, add_scaled(x.data(), 0.3f, kN, out));
  LFM_CHECK_OP(sigmoid, float, kN, sigmoid(wide.data(), kN, out));
#undef LFM_CHECK_OP
  const bool same_rope = SameResult<float>(scalar, table, kN, [&](const Table& t, float* out) {
    std::copy(x.begin(), x.end(), out);
    t.norm_rope(out, y.data(), &z[0], &z[kN], kN, 1e-5f);
  });
  check(same_rope, "norm_rope", table.norm_rope, scalar.norm_rope);
  check(SameMerge(scalar, table), "attend_merge", table.attend_merge, scalar.attend_merge);
  for (int type = 0; type < 3; type++) {
    check(SameAttention(scalar, table, type, true), "kv_store", table.kv_store[type], scalar.kv_store[type]);
    check(SameAttention(scalar, table, type, false), "attend_page", table.attend_page[type], scalar.attend_page[type]);
  }
  return n_replaced;
}

}  // namespace lfm::kernels
