// f32 matrix products, NEON.
#include "kernels/isa_begin.h"

#include <arm_neon.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_neon.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_f32.inl"
}  // namespace

void Fill_matmul_f32__neon(Table& table) { FillMatmulF32(table.matmul_f32); }

}  // namespace lfm::kernels
