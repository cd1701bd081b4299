// Elementwise kernels and attention, AVX2 with FMA and F16C.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx2.inl"
#include "kernels/wide.inl"
#include "kernels/ops.inl"
#include "kernels/kv_page.inl"
#include "kernels/attention.inl"
#include "kernels/attention_i16.inl"
}  // namespace

void Fill_ops__avx2(Table& table) {
  FillOps(table);
  FillAttention(table);
}

}  // namespace lfm::kernels
