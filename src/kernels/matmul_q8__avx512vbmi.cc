// Integer matrix products of lattice weights, AVX-512 VNNI and VBMI: of those types for which it beats gathers. IQ2_S and IQ1
// have too many points (1,024 and 2,048).
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/vec_common.inl"
#include "kernels/vec_avx512.inl"
#include "kernels/wide.inl"
#include "kernels/decode.inl"
LFM_INLINE VI Dpbusd(VI sum, const VB& w, VI q) { return _mm512_dpbusd_epi32(sum, w.v, q); }
#include "kernels/dot_vnni.inl"
#include "kernels/block.inl"
#include "kernels/tokens_in_turn.inl"
#include "kernels/panel.inl"
#include "kernels/matmul_q8.inl"

template <TensorType kType>
void Fill(Table& table) {
  for (int i = 0; i < kTypeCount; i++) {
    if (kTypeOrder[i] == kType) table.matmul_q8[i] = &MatmulQ8Of<kType>;
  }
}
}  // namespace

void Fill_matmul_q8__avx512vbmi(Table& table) {
  Fill<TensorType::kIQ2_XXS>(table);
  Fill<TensorType::kIQ2_XS>(table);
  Fill<TensorType::kIQ3_XXS>(table);
  Fill<TensorType::kIQ3_S>(table);
}

}  // namespace lfm::kernels
