// Elementwise kernels and attention, AVX-512.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx512.inl"
#include "kernels/wide.inl"
#include "kernels/ops.inl"
#include "kernels/kv_page.inl"
#include "kernels/attention.inl"
#include "kernels/attention_i16.inl"
}  // namespace

void Fill_ops__avx512vnni(Table& table) {
  FillOps(table);
  FillAttention(table);
}

}  // namespace lfm::kernels
