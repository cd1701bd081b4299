// Integer matrix products, NEON with dotprod.
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
}  // namespace

void Fill_matmul_q8__neon(Table& table) { FillMatmulQ8(table.matmul_q8); }

}  // namespace lfm::kernels
