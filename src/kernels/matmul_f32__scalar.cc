// f32 matrix products, the portable reference.
#define LFM_NO_FORCED_INLINE
#include "kernels/isa_begin.h"

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_scalar.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_f32.inl"
}  // namespace

void Fill_matmul_f32__scalar(Table& table) { FillMatmulF32(table.matmul_f32); }

}  // namespace lfm::kernels
