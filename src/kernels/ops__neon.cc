// Elementwise kernels and attention, NEON.
#include "kernels/isa_begin.h"

#include <arm_neon.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_neon.inl"
#include "kernels/wide.inl"
#include "kernels/ops.inl"
#include "kernels/kv_page.inl"
#include "kernels/attention.inl"
#include "kernels/attention_i16.inl"
}  // namespace

void Fill_ops__neon(Table& table) {
  FillOps(table);
  FillAttention(table);
}

}  // namespace lfm::kernels
