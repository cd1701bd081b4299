// The packed form of weights, byte by byte (docs/numerics.md has the table).
//
// A panel is 16 rows. Along k it is cut into super-panels of 8 blocks of 32 (the last may be shorter for types whose
// GGUF block is 32). A super-panel holds its scales, then the quants of each block; types whose f16 scale would break
// the 64-byte lines keep it apart, at the front of the panel (`head`). Quants come in vectors of 64 bytes: byte
// 4 * r + e belongs to row r and element e of a group of four k. Group g = 0..7 of a block is found in
//   a 4-bit plane: vector g % 4, shift 4 * (g / 4);   a 2-bit plane: vector g % 2, shift 2 * (g / 2);
//   a 1-bit plane: bit g;                             an int8 plane: vector g.
// IQ1, IQ2 and IQ3 store places in lattices (grids.h), a byte (and a few bits more) for eight or four k. Their quants are
// vectors of such bytes, then a 1-bit plane of signs. Place l of row r is byte 8 (r / 2) + 2 l + r % 2 where there are four
// (eight bytes are what two rows need), and byte 16 (r / 4) + 8 (l % 4 / 2) + 4 (r / 2 % 2) + 2 (l % 2) + r % 2 of vector
// l / 4 where there are eight (there interleaving two vectors gives that); one place of all rows is a shuffle away in both.
// Where the eighth sign of every eight k follows from the others, its bit in the plane (element 3 of groups 1, 3, 5, 7) holds
// a bit of the scale (IQ2_XXS, IQ3_XXS) or the ninth bit of the place (IQ2_XS) instead. TQ1_0 has five values in a byte: a
// super-panel is 8 + 4 + 1 vectors, in `scales`.
#pragma once

#include <cstdint>

#include "base/tensor_type.h"
#include "kernels/grids.h"
#include "kernels/kernels.h"

namespace lfm::kernels {

struct PanelLayout {
  int head;    // bytes at the front of the panel for each super-panel
  int scales;  // bytes of scales a block (8 of them stand together)
  int quants;  // bytes of quants a block
};

// Index as TypeIndex().
constexpr TensorType kTypeOrder[kTypeCount] = {
    TensorType::kF32,   TensorType::kF16,     TensorType::kQ4_0,   TensorType::kQ4_1,    TensorType::kQ5_0,
    TensorType::kQ5_1,  TensorType::kQ8_0,    TensorType::kQ2_K,   TensorType::kQ3_K,    TensorType::kQ4_K,
    TensorType::kQ5_K,  TensorType::kQ6_K,    TensorType::kIQ4_NL, TensorType::kIQ4_XS,  TensorType::kBF16,
    TensorType::kMXFP4, TensorType::kIQ1_S,   TensorType::kIQ1_M,  TensorType::kIQ2_XXS, TensorType::kIQ2_XS,
    TensorType::kIQ2_S, TensorType::kIQ3_XXS, TensorType::kIQ3_S,  TensorType::kTQ1_0,   TensorType::kTQ2_0};

constexpr PanelLayout LayoutOf(TensorType type) {
  switch (type) {
    case TensorType::kF32: return {0, 0, 2048};
    case TensorType::kF16: return {0, 0, 1024};
    case TensorType::kBF16: return {0, 0, 1024};
    case TensorType::kQ4_0: return {0, 32, 256};
    case TensorType::kQ4_1: return {0, 64, 256};
    case TensorType::kQ5_0: return {0, 32, 320};
    case TensorType::kQ5_1: return {0, 64, 320};
    case TensorType::kQ8_0: return {0, 32, 512};
    case TensorType::kQ2_K: return {0, 40, 128};
    case TensorType::kQ3_K: return {32, 24, 192};
    case TensorType::kQ4_K: return {0, 32, 256};
    case TensorType::kQ5_K: return {0, 32, 320};
    case TensorType::kQ6_K: return {32, 32, 384};
    case TensorType::kIQ4_NL: return {0, 32, 256};
    case TensorType::kIQ4_XS: return {0, 16, 256};
    case TensorType::kMXFP4: return {0, 16, 256};
    case TensorType::kIQ1_S: return {32, 32, 64};
    case TensorType::kIQ1_M: return {32, 44, 64};
    case TensorType::kIQ2_XXS: return {32, 0, 128};
    case TensorType::kIQ2_XS: return {32, 16, 128};
    case TensorType::kIQ2_S: return {32, 32, 128};
    case TensorType::kIQ3_XXS: return {32, 0, 192};
    case TensorType::kIQ3_S: return {32, 24, 192};
    case TensorType::kTQ1_0: return {32, 104, 0};
    case TensorType::kTQ2_0: return {32, 0, 128};
  }
  return {0, 0, 0};
}

// Whether weights of the type are floats: not quantised, without scales.
constexpr bool IsFloat(TensorType type) {
  return type == TensorType::kF32 || type == TensorType::kF16 || type == TensorType::kBF16;
}

// The levels of IQ4_NL and IQ4_XS, and of MXFP4 (doubled).
constexpr int8_t kIq4Levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr int8_t kMxfp4Levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace lfm::kernels
