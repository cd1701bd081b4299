// The encoders of the block types, compiled once for each of some ISAs: encode__isa.cc, with the flags of
// kernels/isa.cmake. All write the same bytes. As in kernels/isa_begin.h, their code is in anonymous namespaces and uses
// no inline function of others that could be left as a symbol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/float16.h"
#include "kernels/layout.h"

#define LFM_INLINE [[gnu::always_inline]] inline

namespace lfm::quant {

constexpr int kKBlock = 256;  // values of a block of the types named _K, and of IQ4_XS

// Encodes a row as EncodeRow() takes it.
using Encoder = void (*)(const float* x, const float* importance, int64_t n, std::byte* out);

struct Encoders {
  Encoder q4_0, q5_0, q8_0, iq4_nl, mxfp4, q4_1, q5_1;  // blocks of 32
  Encoder q2_k, q3_k, q4_k, q5_k, q6_k, iq4_xs;         // blocks of 256
};

void FillEncodersScalar(Encoders& table);
#if defined(__x86_64__)
void FillEncodersAvx2(Encoders& table);
void FillEncodersAvx512Vnni(Encoders& table);
#endif

}  // namespace lfm::quant
