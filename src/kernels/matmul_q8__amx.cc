// Integer matrix products, AMX int8; AVX-512 VNNI below 8 tokens.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx512.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
LFM_INLINE VI Dpbusd(VI sum, const VB& w, VI q) { return _mm512_dpbusd_epi32(sum, w.v, q); }
#include "kernels/dot_vnni.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_q8.inl"
#include "kernels/amx_tiles.inl"
#include "kernels/matmul_amx.inl"
}  // namespace

void Fill_matmul_q8__amx(Table& table) { FillMatmulAmx(table.matmul_q8); }

}  // namespace lfm::kernels
