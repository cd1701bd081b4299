// GGUF blocks to panels and back. Both directions are one permutation of bits, and most of its steps are their own
// inverse, so each type is written once, as a template over the direction.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"

namespace lfm::kernels {
namespace {

// One super-panel: where its parts are, and the row at hand. `head` and `scales` point at 16 rows.
struct SuperPanel {
  uint8_t* head;
  uint8_t* scales;
  uint8_t* quants;
  int n_blocks;
  int row;
};

template <bool kPack>
void Move(uint8_t* gguf, uint8_t* panel, size_t n) {
  if constexpr (kPack) {
    std::memcpy(panel, gguf, n);
  } else {
    std::memcpy(gguf, panel, n);
  }
}

uint32_t Load32(const uint8_t* p) {
  uint32_t value;
  std::memcpy(&value, p, 4);
  return value;
}
void Store32(uint8_t* p, uint32_t value) { std::memcpy(p, &value, 4); }

// Exchanges the bits of x at `mask << shift` with those of y at `mask`: one step of a bit matrix transposition.
void SwapBits(uint32_t& x, uint32_t& y, int shift, uint32_t mask) {
  const uint32_t t = ((x >> shift) ^ y) & mask;
  y ^= t;
  x ^= t << shift;
}

// n words of four bytes; a byte holds n fields of 8 / n bits. Exchanges field j of word i with field i of word j.
void TransposeFields(uint32_t* words, int n) {
  for (int distance = n / 2, shift = 4; distance > 0; distance /= 2, shift /= 2) {
    const uint32_t mask = shift == 4 ? 0x0f0f0f0fu : shift == 2 ? 0x33333333u : 0x55555555u;
    for (int i = 0; i < n; i++) {
      if ((i & distance) == 0) SwapBits(words[i], words[i + distance], shift, mask);
    }
  }
}

// Transposes the fields of n words that GGUF holds at gguf[i] and the panel at panel[i].
template <bool kPack>
void MoveFields(uint8_t* const* gguf, uint8_t* const* panel, int n) {
  uint32_t words[8];
  for (int i = 0; i < n; i++) words[i] = Load32(kPack ? gguf[i] : panel[i]);
  TransposeFields(words, n);
  for (int i = 0; i < n; i++) Store32(kPack ? panel[i] : gguf[i], words[i]);
}

// 4-bit quants of two blocks that GGUF stores as 32 bytes: low nibbles the first block, high nibbles the second.
template <bool kPack>
void MoveNibblePair(uint8_t* qs, uint8_t* first, uint8_t* second) {
  for (int v = 0; v < 4; v++) {
    uint8_t* const gguf[2] = {qs + 4 * v, qs + 16 + 4 * v};
    uint8_t* const panel[2] = {first + 64 * v, second + 64 * v};
    MoveFields<kPack>(gguf, panel, 2);
  }
}

// 2-bit quants of four blocks in 32 bytes: bits 2j of every byte belong to block j. `stride` between the blocks.
template <bool kPack>
void MoveTwoBits(uint8_t* qs, uint8_t* panel, int stride) {
  for (int m = 0; m < 2; m++) {
    uint8_t *gguf[4], *out[4];
    for (int i = 0; i < 4; i++) {
      gguf[i] = qs + 4 * (m + 2 * i);
      out[i] = panel + i * stride + 64 * m;
    }
    MoveFields<kPack>(gguf, out, 4);
  }
}

// 1-bit quants of eight blocks in 32 bytes: bit j of every byte belongs to block j.
template <bool kPack>
void MoveBits(uint8_t* qh, uint8_t* panel, int stride) {
  uint8_t *gguf[8], *out[8];
  for (int i = 0; i < 8; i++) {
    gguf[i] = qh + 4 * i;
    out[i] = panel + i * stride;
  }
  MoveFields<kPack>(gguf, out, 8);
}

// The fifth bits of one block: bit k of a 32-bit word <-> byte k % 4, bit k / 4.
template <bool kPack>
void MoveFifthBits(uint8_t* qh, uint8_t* panel) {
  const uint32_t in = Load32(kPack ? qh : panel);
  uint32_t out = 0;
  for (int g = 0; g < 8; g++) {
    if constexpr (kPack) {
      out |= ((((in >> (4 * g)) & 15u) * 0x00204081u) & 0x01010101u) << g;
    } else {
      out |= ((((in >> g) & 0x01010101u) * 0x10204080u) >> 28) << (4 * g);
    }
  }
  Store32(kPack ? panel : qh, out);
}

// Types with blocks of 32: n_scales f16 (or one byte) first, then fifth bits, then the quants.
template <bool kPack, TensorType kType>
void MoveSmall(uint8_t* gguf, const SuperPanel& p) {
  constexpr PanelLayout kLayout = LayoutOf(kType);
  constexpr bool kFive = kType == TensorType::kQ5_0 || kType == TensorType::kQ5_1;
  constexpr int kWords = kType == TensorType::kQ8_0 ? 8 : 4;
  constexpr int kScaleSize = kType == TensorType::kMXFP4 ? 1 : 2;
  constexpr int kScales = kLayout.scales / (kScaleSize * kLanes);
  for (int b = 0; b < p.n_blocks; b++) {
    uint8_t* quants = p.quants + b * kLayout.quants + 4 * p.row;
    for (int s = 0; s < kScales; s++, gguf += kScaleSize) {
      Move<kPack>(gguf, p.scales + b * kLayout.scales + kScaleSize * (kLanes * s + p.row), kScaleSize);
    }
    if constexpr (kFive) {
      MoveFifthBits<kPack>(gguf, quants + 256);
      gguf += 4;
    }
    for (int v = 0; v < kWords; v++, gguf += 4) Move<kPack>(gguf, quants + 64 * v, 4);
  }
}

// F32, F16: k-major. BF16: two k of a row together.
template <bool kPack, TensorType kType>
void MoveFloats(uint8_t* gguf, const SuperPanel& p) {
  constexpr int kStep = 4;  // bytes that stay together
  constexpr int kSize = kType == TensorType::kF16 ? 2 : kStep;
  const int n = p.n_blocks * LayoutOf(kType).quants / (kSize * kLanes);
  for (int i = 0; i < n; i++) Move<kPack>(gguf + i * kSize, p.quants + kSize * (i * kLanes + p.row), kSize);
}

// The eight 6-bit (scale, min) pairs of Q4_K and Q5_K in GGUF's 12 bytes.
template <bool kPack>
void MoveScaleMins(uint8_t* s, uint8_t* panel) {
  uint8_t scale[8], min[8];
  if constexpr (kPack) {
    for (int j = 0; j < 4; j++) {
      scale[j] = s[j] & 63;
      min[j] = s[j + 4] & 63;
      scale[j + 4] = static_cast<uint8_t>((s[j + 8] & 15) | ((s[j] >> 6) << 4));
      min[j + 4] = static_cast<uint8_t>((s[j + 8] >> 4) | ((s[j + 4] >> 6) << 4));
    }
    for (int j = 0; j < 8; j++) panel[16 * j] = static_cast<uint8_t>(scale[j] | ((min[j] >> 4) << 6));
    for (int j = 0; j < 4; j++) panel[128 + 16 * j] = static_cast<uint8_t>((min[j] & 15) | (min[j + 4] << 4));
  } else {
    for (int j = 0; j < 8; j++) {
      const uint8_t low = panel[128 + 16 * (j % 4)];
      scale[j] = panel[16 * j] & 63;
      min[j] = static_cast<uint8_t>(((low >> (4 * (j / 4))) & 15) | ((panel[16 * j] >> 6) << 4));
    }
    for (int j = 0; j < 4; j++) {
      s[j] = static_cast<uint8_t>(scale[j] | ((scale[j + 4] >> 4) << 6));
      s[j + 4] = static_cast<uint8_t>(min[j] | ((min[j + 4] >> 4) << 6));
      s[j + 8] = static_cast<uint8_t>((scale[j + 4] & 15) | (min[j + 4] << 4));
    }
  }
}

// The sixteen 6-bit scales of Q3_K in GGUF's 12 bytes: bytes 0..7 hold low nibbles of j and j + 8, bytes 8..11 the two
// high bits of i, i + 4, i + 8, i + 12. The panel wants neighbours together.
template <bool kPack>
void MoveSixBitScales(uint8_t* s, uint8_t* panel) {
  uint8_t scale[16];
  if constexpr (kPack) {
    for (int j = 0; j < 16; j++) {
      scale[j] = static_cast<uint8_t>(((s[j % 8] >> (4 * (j / 8))) & 15) | (((s[8 + j % 4] >> (2 * (j / 4))) & 3) << 4));
    }
    for (int j = 0; j < 8; j++) {
      panel[16 * j] = static_cast<uint8_t>((scale[2 * j] & 15) | ((scale[2 * j + 1] & 15) << 4));
    }
    for (int j = 0; j < 4; j++) {
      uint32_t high = 0;
      for (int i = 0; i < 4; i++) high |= static_cast<uint32_t>(scale[4 * j + i] >> 4) << (2 * i);
      panel[128 + 16 * j] = static_cast<uint8_t>(high);
    }
  } else {
    for (int j = 0; j < 16; j++) {
      const int low = (panel[16 * (j / 2)] >> (4 * (j % 2))) & 15;
      const int high = (panel[128 + 16 * (j / 4)] >> (2 * (j % 4))) & 3;
      scale[j] = static_cast<uint8_t>(low | (high << 4));
    }
    for (int j = 0; j < 8; j++) s[j] = static_cast<uint8_t>((scale[j] & 15) | ((scale[j + 8] & 15) << 4));
    for (int i = 0; i < 4; i++) {
      uint32_t high = 0;
      for (int j = 0; j < 4; j++) high |= static_cast<uint32_t>(scale[4 * j + i] >> 4) << (2 * j);
      s[8 + i] = static_cast<uint8_t>(high);
    }
  }
}

// One byte of each of n vectors of 16 rows.
template <bool kPack>
void MoveBytes(uint8_t* gguf, uint8_t* panel, int n) {
  for (int i = 0; i < n; i++) Move<kPack>(gguf + i, panel + 16 * i, 1);
}

// Types with blocks of 256.
template <bool kPack, TensorType kType>
void MoveLarge(uint8_t* gguf, const SuperPanel& p) {
  constexpr int kStride = LayoutOf(kType).quants;
  uint8_t* scales = p.scales + p.row;
  uint8_t* quants = p.quants + 4 * p.row;
  if constexpr (kType == TensorType::kQ4_K || kType == TensorType::kQ5_K) {
    Move<kPack>(gguf, p.scales + 2 * p.row, 2);
    Move<kPack>(gguf + 2, p.scales + 32 + 2 * p.row, 2);
    MoveScaleMins<kPack>(gguf + 4, scales + 64);
    gguf += 16;
    if constexpr (kType == TensorType::kQ5_K) {
      MoveBits<kPack>(gguf, quants + 256, kStride);
      gguf += 32;
    }
    for (int i = 0; i < 4; i++) {
      uint8_t* pair = quants + 2 * i * kStride;
      MoveNibblePair<kPack>(gguf + 32 * i, pair, pair + kStride);
    }
  } else if constexpr (kType == TensorType::kQ6_K) {
    for (int half = 0; half < 2; half++) {
      uint8_t* four = quants + 4 * half * kStride;
      MoveNibblePair<kPack>(gguf + 64 * half, four, four + 2 * kStride);
      MoveNibblePair<kPack>(gguf + 64 * half + 32, four + kStride, four + 3 * kStride);
      MoveTwoBits<kPack>(gguf + 128 + 32 * half, four + 256, kStride);
    }
    MoveBytes<kPack>(gguf + 192, scales, 16);
    Move<kPack>(gguf + 208, p.head + 2 * p.row, 2);
  } else if constexpr (kType == TensorType::kQ3_K) {
    MoveBits<kPack>(gguf, quants + 128, kStride);
    for (int half = 0; half < 2; half++) MoveTwoBits<kPack>(gguf + 32 + 32 * half, quants + 4 * half * kStride, kStride);
    MoveSixBitScales<kPack>(gguf + 96, scales);
    Move<kPack>(gguf + 108, p.head + 2 * p.row, 2);
  } else if constexpr (kType == TensorType::kQ2_K) {
    MoveBytes<kPack>(gguf, scales + 64, 16);
    for (int half = 0; half < 2; half++) MoveTwoBits<kPack>(gguf + 16 + 32 * half, quants + 4 * half * kStride, kStride);
    Move<kPack>(gguf + 80, p.scales + 2 * p.row, 2);
    Move<kPack>(gguf + 82, p.scales + 32 + 2 * p.row, 2);
  } else {
    static_assert(kType == TensorType::kIQ4_XS);
    Move<kPack>(gguf, p.scales + 2 * p.row, 2);
    MoveBytes<kPack>(gguf + 2, scales + 96, 2);
    MoveBytes<kPack>(gguf + 4, scales + 32, 4);
    for (int i = 0; i < 32; i++) Move<kPack>(gguf + 8 + 4 * i, quants + 64 * i, 4);
  }
}

#include "kernels/pack_lattice.inl"

template <bool kPack>
void MoveSuper(TensorType type, uint8_t* gguf, const SuperPanel& p) {
  switch (type) {
    case TensorType::kF32: return MoveFloats<kPack, TensorType::kF32>(gguf, p);
    case TensorType::kF16: return MoveFloats<kPack, TensorType::kF16>(gguf, p);
    case TensorType::kBF16: return MoveFloats<kPack, TensorType::kBF16>(gguf, p);
    case TensorType::kQ4_0: return MoveSmall<kPack, TensorType::kQ4_0>(gguf, p);
    case TensorType::kQ4_1: return MoveSmall<kPack, TensorType::kQ4_1>(gguf, p);
    case TensorType::kQ5_0: return MoveSmall<kPack, TensorType::kQ5_0>(gguf, p);
    case TensorType::kQ5_1: return MoveSmall<kPack, TensorType::kQ5_1>(gguf, p);
    case TensorType::kQ8_0: return MoveSmall<kPack, TensorType::kQ8_0>(gguf, p);
    case TensorType::kIQ4_NL: return MoveSmall<kPack, TensorType::kIQ4_NL>(gguf, p);
    case TensorType::kMXFP4: return MoveSmall<kPack, TensorType::kMXFP4>(gguf, p);
    case TensorType::kQ2_K: return MoveLarge<kPack, TensorType::kQ2_K>(gguf, p);
    case TensorType::kQ3_K: return MoveLarge<kPack, TensorType::kQ3_K>(gguf, p);
    case TensorType::kQ4_K: return MoveLarge<kPack, TensorType::kQ4_K>(gguf, p);
    case TensorType::kQ5_K: return MoveLarge<kPack, TensorType::kQ5_K>(gguf, p);
    case TensorType::kQ6_K: return MoveLarge<kPack, TensorType::kQ6_K>(gguf, p);
    case TensorType::kIQ4_XS: return MoveLarge<kPack, TensorType::kIQ4_XS>(gguf, p);
    case TensorType::kIQ1_S: return MoveLattice<kPack, TensorType::kIQ1_S>(gguf, p);
    case TensorType::kIQ1_M: return MoveLattice<kPack, TensorType::kIQ1_M>(gguf, p);
    case TensorType::kIQ2_XXS: return MoveLattice<kPack, TensorType::kIQ2_XXS>(gguf, p);
    case TensorType::kIQ2_XS: return MoveLattice<kPack, TensorType::kIQ2_XS>(gguf, p);
    case TensorType::kIQ2_S: return MoveLattice<kPack, TensorType::kIQ2_S>(gguf, p);
    case TensorType::kIQ3_XXS: return MoveLattice<kPack, TensorType::kIQ3_XXS>(gguf, p);
    case TensorType::kIQ3_S: return MoveLattice<kPack, TensorType::kIQ3_S>(gguf, p);
    case TensorType::kTQ1_0: return MoveTq1<kPack>(gguf, p);
    case TensorType::kTQ2_0: return MoveTq2<kPack>(gguf, p);
  }
}

// Byte offsets of the f16 scales in a GGUF block; -1 ends the list.
struct ScaleOffsets {
  int offset[2];
};
ScaleOffsets ScalesOf(TensorType type) {
  switch (type) {
    case TensorType::kQ4_1:
    case TensorType::kQ5_1:
    case TensorType::kQ4_K:
    case TensorType::kQ5_K: return {{0, 2}};
    case TensorType::kQ2_K: return {{80, 82}};
    case TensorType::kQ3_K: return {{108, -1}};
    case TensorType::kQ6_K: return {{208, -1}};
    case TensorType::kTQ1_0: return {{52, -1}};
    case TensorType::kTQ2_0: return {{64, -1}};
    case TensorType::kIQ1_M:  // in four parts
    case TensorType::kMXFP4: return {{-1, -1}};
    default: return {{0, -1}};
  }
}

// False when a float has all of `exponent` set: inf or NaN. n of them, little-endian, `stride` bytes apart.
template <typename Bits>
bool AllFinite(const uint8_t* p, size_t n, size_t stride, Bits exponent) {
  bool finite = true;
  for (size_t i = 0; i < n; i++) {
    Bits bits;
    std::memcpy(&bits, p + i * stride, sizeof(bits));
    finite &= (bits & exponent) != exponent;
  }
  return finite;
}

bool ScalesFinite(TensorType type, const uint8_t* row, size_t row_bytes) {
  constexpr uint16_t kHalfExponent = 0x7c00, kBrainExponent = 0x7f80;
  if (type == TensorType::kF32) return AllFinite(row, row_bytes / 4, 4, 0x7f800000u);
  if (type == TensorType::kF16) return AllFinite(row, row_bytes / 2, 2, kHalfExponent);
  if (type == TensorType::kBF16) return AllFinite(row, row_bytes / 2, 2, kBrainExponent);
  const size_t block = InfoOf(type).block_bytes;
  if (type == TensorType::kIQ1_M) {  // the exponent: three bits above the fourth word of scales, two above the third
    bool finite = true;
    for (size_t i = 0; i < row_bytes; i += block) finite &= (row[i + 55] & 0x70) != 0x70 || (row[i + 53] & 0xc0) != 0xc0;
    return finite;
  }
  for (const int offset : ScalesOf(type).offset) {
    if (offset >= 0 && !AllFinite(row + offset, row_bytes / block, block, kHalfExponent)) return false;
  }
  return true;
}

// The super-panel i of a panel with k columns.
SuperPanel SuperAt(TensorType type, uint8_t* panel, int64_t k, int64_t i, int row) {
  const PanelLayout layout = LayoutOf(type);
  const int64_t n_blocks = k / kBlock;
  const int64_t n_supers = (n_blocks + kSuperBlocks - 1) / kSuperBlocks;
  uint8_t* body = panel + n_supers * layout.head + i * kSuperBlocks * (layout.scales + layout.quants);
  const int n = static_cast<int>(std::min<int64_t>(kSuperBlocks, n_blocks - i * kSuperBlocks));
  return {panel + i * layout.head, body, body + n * layout.scales, n, row};
}

}  // namespace

int TypeIndex(TensorType type) {
  const auto* const found = std::find(std::begin(kTypeOrder), std::end(kTypeOrder), type);
  LFM_CHECK(found != std::end(kTypeOrder));
  return static_cast<int>(found - std::begin(kTypeOrder));
}

size_t PanelBytes(TensorType type, int64_t k) {
  LFM_CHECK(k > 0 && k % kBlock == 0 && k % InfoOf(type).block_size == 0);
  return kLanes * RowBytes(type, static_cast<size_t>(k));
}

bool PackPanel(TensorType type, const std::byte* src, size_t row_bytes, int n_valid, int64_t k, std::byte* panel) {
  const size_t bytes = PanelBytes(type, k) / kLanes;
  uint8_t* const out = reinterpret_cast<uint8_t*>(panel);
  if (n_valid < kLanes) std::memset(out, 0, bytes * kLanes);
  // Packing only reads the GGUF side; the pointer is not const because both directions share their code.
  uint8_t* const in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(src));
  for (int r = 0; r < n_valid; r++) {
    if (!ScalesFinite(type, in + static_cast<size_t>(r) * row_bytes, bytes)) return false;
  }
  const int64_t n_supers = (k / kBlock + kSuperBlocks - 1) / kSuperBlocks;
  const size_t super_bytes = bytes * kSuperBlocks * kBlock / static_cast<size_t>(k);
  for (int64_t i = 0; i < n_supers; i++) {
    SuperPanel super = SuperAt(type, out, k, i, 0);
    for (; super.row < n_valid; super.row++) {
      uint8_t* const row = in + static_cast<size_t>(super.row) * row_bytes + static_cast<size_t>(i) * super_bytes;
      MoveSuper<true>(type, row, super);
    }
  }
  return true;
}

void UnpackBlocks(TensorType type, const std::byte* panel, int i_row, int64_t k, std::byte* out) {
  uint8_t* const in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(panel));
  const size_t super_bytes = RowBytes(type, static_cast<size_t>(k)) * kSuperBlocks * kBlock / static_cast<size_t>(k);
  const int64_t n_supers = (k / kBlock + kSuperBlocks - 1) / kSuperBlocks;
  for (int64_t i = 0; i < n_supers; i++) {
    uint8_t* const row = reinterpret_cast<uint8_t*>(out) + static_cast<size_t>(i) * super_bytes;
    MoveSuper<false>(type, row, SuperAt(type, in, k, i, i_row));
  }
}

void UnpackRow(TensorType type, const std::byte* panel, int i_row, int64_t k, float* out) {
  uint8_t* const in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(panel));
  const int64_t n_supers = (k / kBlock + kSuperBlocks - 1) / kSuperBlocks;
  for (int64_t i = 0; i < n_supers; i++) {
    alignas(64) uint8_t blocks[kSuperBlocks * kBlock * sizeof(float)];
    const SuperPanel super = SuperAt(type, in, k, i, i_row);
    MoveSuper<false>(type, blocks, super);
    Dequantize(type, reinterpret_cast<const std::byte*>(blocks), super.n_blocks * kBlock, out + i * kSuperBlocks * kBlock);
  }
}

}  // namespace lfm::kernels
