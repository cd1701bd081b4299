// Integer matrix products, NEON with i8mm for two tokens and more.
#include "kernels/isa_begin.h"

#include <arm_neon.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_neon.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
#include "kernels/dot_neon.inl"
#include "kernels/block.inl"
#include "kernels/tokens_in_turn.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_q8.inl"
#include "kernels/matmul_i8mm.inl"
}  // namespace

void Fill_matmul_q8__i8mm(Table& table) { FillMatmulI8mm(table.matmul_q8); }

}  // namespace lfm::kernels
