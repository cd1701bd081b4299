// Shared by the kernel tests: random blocks with finite scales, packed units, comparison of bits.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/tensor_type.h"
#include "kernels/float16.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"

namespace lfm::kernels {

using Rng = std::mt19937;

inline float Uniform(Rng& rng, float low, float high) { return low + (high - low) * (static_cast<float>(rng() >> 8) * 0x1p-24f); }

// Offsets of the f16 scales in a block of `type`.
inline std::vector<size_t> ScaleOffsets(TensorType type) {
  switch (type) {
    case TensorType::kQ4_1:
    case TensorType::kQ5_1:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K: return {0, 2};
    case TensorType::kQ2_K: return {80, 82};
    case TensorType::kQ3_K: return {108};
    case TensorType::kQ6_K: return {208};
    case TensorType::kTQ1_0: return {52};
    case TensorType::kTQ2_0: return {64};
    case TensorType::kIQ1_M:  // in parts: SetIq1MScale
    case TensorType::kMXFP4: return {};
    default: return {0};
  }
}

// The f16 scale of a block of IQ1_M: a nibble above each of four words.
inline void SetIq1MScale(std::byte* block, uint16_t half) {
  for (int i = 0; i < 4; i++) {
    std::byte& byte = block[49 + 2 * i];
    byte = (byte & std::byte{15}) | static_cast<std::byte>((half >> (4 * i) & 15) << 4);
  }
}

enum class Fill { kRandom, kOnes, kZeros };  // of the bits of quants and integer scales

// n elements of `type` as GGUF blocks; f16 scales uniform in [-max_scale, max_scale].
inline std::vector<std::byte> RandomBlocks(Rng& rng, TensorType type, int64_t n, float max_scale = 1.0f,
                                           Fill fill = Fill::kRandom) {
  std::vector<std::byte> blocks(RowBytes(type, static_cast<size_t>(n)));
  if (!InfoOf(type).quantized) {
    for (int64_t i = 0; i < n; i++) {
      const float value = Uniform(rng, -max_scale, max_scale);
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      const uint16_t half = type == TensorType::kF16 ? FloatToHalf(value) : static_cast<uint16_t>(bits >> 16);
      if (type == TensorType::kF32) {
        std::memcpy(&blocks[static_cast<size_t>(i) * 4], &value, 4);
      } else {
        std::memcpy(&blocks[static_cast<size_t>(i) * 2], &half, 2);
      }
    }
    return blocks;
  }
  for (std::byte& b : blocks) {
    b = fill == Fill::kRandom ? static_cast<std::byte>(rng() & 255) : fill == Fill::kOnes ? std::byte{255} : std::byte{0};
  }
  for (size_t i = 0; i < blocks.size(); i += InfoOf(type).block_bytes) {
    for (const size_t offset : ScaleOffsets(type)) {
      const uint16_t half = FloatToHalf(fill == Fill::kRandom ? Uniform(rng, -max_scale, max_scale) : max_scale);
      std::memcpy(&blocks[i + offset], &half, 2);
    }
    if (type == TensorType::kIQ1_M) {
      SetIq1MScale(&blocks[i], FloatToHalf(fill == Fill::kRandom ? Uniform(rng, -max_scale, max_scale) : max_scale));
    }
    // Exponents near 1: products of the widest ones with activations would leave f32.
    if (type == TensorType::kMXFP4) blocks[i] = static_cast<std::byte>(118 + rng() % 12);
  }
  return blocks;
}

// 64-byte aligned storage.
template <typename T>
class Aligned {
 public:
  explicit Aligned(size_t n) : bytes_(n * sizeof(T) + 64), n_(n) {}
  T* data() {
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data());
    return reinterpret_cast<T*>(bytes_.data() + (64 - address % 64) % 64);
  }
  T& operator[](size_t i) { return data()[i]; }
  size_t size() const { return n_; }

 private:
  std::vector<std::byte> bytes_;
  size_t n_;
};

// 32 rows of random blocks, and the two panels made of them.
struct Unit {
  Unit(Rng& rng, TensorType type_in, int64_t k_in, float max_scale = 1.0f, Fill fill = Fill::kRandom)
      : type(type_in), k(k_in), rows(RandomBlocks(rng, type, k * kUnitRows, max_scale, fill)), panels(2 * PanelBytes(type, k)) {
    for (int p = 0; p < 2; p++) packed &= PackPanel(type, row(16 * p), RowBytes(type, static_cast<size_t>(k)), 16, k, panel(p));
  }
  const std::byte* row(int i) const { return rows.data() + static_cast<size_t>(i) * RowBytes(type, static_cast<size_t>(k)); }
  std::byte* panel(int p) { return panels.data() + static_cast<size_t>(p) * PanelBytes(type, k); }
  TensorType type;
  int64_t k;
  std::vector<std::byte> rows;
  Aligned<std::byte> panels;
  bool packed = true;
};

// Sizes of k worth testing for a type.
inline std::vector<int64_t> SizesOf(TensorType type) {
  if (InfoOf(type).block_size == 256) return {256, 512, 2048};
  return {32, 64, 160, 256, 288, 2048};
}

inline const Table& Scalar() { return *Select("scalar").value(); }

// Tables of this host's ISAs but the scalar one.
inline std::vector<const Table*> OtherTables() {
  std::vector<const Table*> tables;
  for (const Isa isa : DetectIsas()) {
    const auto table = Select(IsaName(isa));
    if (isa != Isa::kScalar && table.ok()) tables.push_back(*table);
  }
  return tables;
}
inline std::vector<const Table*> AllTables() {
  std::vector<const Table*> tables = OtherTables();
  tables.push_back(&Scalar());
  return tables;
}

inline bool SameBits(const float* a, const float* b, size_t n) { return std::memcmp(a, b, n * sizeof(float)) == 0; }

// Random activations of n tokens, in all forms.
struct Activations {
  Activations(Rng& rng, int64_t k, int n, float scale = 1.0f)
      : n_tokens(n), rows(static_cast<size_t>(k) * static_cast<size_t>(n)), q8(static_cast<size_t>(k / kBlock * n)),
        f32(static_cast<size_t>(k / kBlock * n)) {
    for (float& x : rows) x = Uniform(rng, -scale, scale);
    for (int t = 0; t < n; t++) {
      const float* x = &rows[static_cast<size_t>(t * k)];
      Scalar().quantize_q8(x, k, &q8[static_cast<size_t>(t)], n);
      for (int64_t i = 0; i < k; i++) f32[static_cast<size_t>(i / kBlock * n + t)].x[i % kBlock] = x[i];
    }
  }

  // In the form of tile units.
  Aligned<Q8Tile> Tiles() {
    const int64_t n_blocks = static_cast<int64_t>(rows.size()) / n_tokens / kBlock, n_groups = TileGroups(n_tokens);
    Aligned<Q8Tile> tiles(static_cast<size_t>(TileSupers(n_blocks) * n_groups * kSuperBlocks));
    for (int64_t b = 0; b < n_blocks; b++) {
      for (int t = 0; t < n_tokens; t++) {
        const Q8Block& from = q8[static_cast<size_t>(b * n_tokens + t)];
        const int64_t at = (b / kSuperBlocks * n_groups + t / kTileTokens) * kSuperBlocks + b % kSuperBlocks;
        Q8Tile& to = tiles[static_cast<size_t>(at)];
        std::memcpy(to.q[t % kTileTokens], from.q, kBlock);
        to.d[t % kTileTokens] = from.d;
        to.dsum[t % kTileTokens] = from.dsum;
      }
    }
    return tiles;
  }

  int n_tokens;
  std::vector<float> rows;
  Aligned<Q8Block> q8;
  Aligned<F32Block> f32;
};

// Every q at the extreme: the largest sums there are.
inline void Saturate(Activations& a, int8_t value) {
  for (size_t i = 0; i < a.q8.size(); i++) {
    Q8Block& b = a.q8[i];
    for (int j = 0; j < kBlock; j++) b.q[j] = value;
    b.nsum0 = b.nsum1 = -16 * value;
    for (auto& half : b.nsums) half[0] = half[1] = static_cast<int16_t>(-8 * value);
    b.dsum = b.d * static_cast<float>(32 * value);
  }
}

}  // namespace lfm::kernels
