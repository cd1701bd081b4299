// f32 matrix products, AVX-512.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx512.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_f32.inl"
}  // namespace

void Fill_matmul_f32__avx512vnni(Table& table) { FillMatmulF32(table.matmul_f32); }

}  // namespace lfm::kernels
