// Integer matrix products, AVX-512 VNNI.
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
#include "kernels/block.inl"
#include "kernels/tokens_in_turn.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_q8.inl"
}  // namespace

void Fill_matmul_q8__avx512vnni(Table& table) { FillMatmulQ8(table.matmul_q8); }

}  // namespace lfm::kernels
