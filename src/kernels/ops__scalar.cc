// Elementwise kernels and attention, the portable reference.
#define LFM_NO_FORCED_INLINE
#include "kernels/isa_begin.h"

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_scalar.inl"
#include "kernels/wide.inl"
#include "kernels/ops.inl"
#include "kernels/kv_page.inl"
#include "kernels/attention.inl"
#include "kernels/attention_i16.inl"
}  // namespace

void Fill_ops__scalar(Table& table) {
  FillOps(table);
  FillAttention(table);
}

}  // namespace lfm::kernels
