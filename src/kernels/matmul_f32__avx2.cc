// f32 matrix products, AVX2 with FMA and F16C.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx2.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_f32.inl"
}  // namespace

void Fill_matmul_f32__avx2(Table& table) { FillMatmulF32(table.matmul_f32); }

}  // namespace lfm::kernels
