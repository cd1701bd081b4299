// Integer matrix products of many tokens, AMX int8.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx512.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/amx_tiles.inl"
#include "kernels/matmul_tiles.inl"
}  // namespace

void Fill_matmul_tiles__amx(Table& table) {
  FillMatmulTiles(table.matmul_tiles);
  table.max_tile = kMaxTile;
}

}  // namespace lfm::kernels
