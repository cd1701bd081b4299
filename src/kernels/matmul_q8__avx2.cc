// Integer matrix products, AVX2 with FMA and F16C.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx2.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/dot_avx2.inl"
#include "kernels/block.inl"
#include "kernels/tokens_in_step.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_q8.inl"
}  // namespace

void Fill_matmul_q8__avx2(Table& table) { FillMatmulQ8(table.matmul_q8); }

}  // namespace lfm::kernels
