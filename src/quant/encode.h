// From f32 to stored blocks: the search for scales and offsets that lose least (docs/quantize.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/tensor_type.h"
#include "kernels/kernels.h"

namespace lfm::quant {

// Encodes a row of n finite values (a multiple of the type's block; CanEncode(type)) into RowBytes(type, n) bytes. `importance` [n]
// weighs the squared error of each element; null weighs all alike. It is not negative; zeros are legal.
// Deterministic: the same bytes on every machine. Thread-safe; no allocation. Values beyond the range of an f16 scale
// saturate. `isa` (one that the host has) is for tests: absent is the fastest.
void EncodeRow(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out,
               std::optional<kernels::Isa> isa = {});

// Whether EncodeRow() knows the type: all but IQ1, IQ2, IQ3 and TQ, which are only read.
bool CanEncode(TensorType type);
// Ok, or the error that says so and what to use instead.
Status CheckCanEncode(TensorType type);

// Round to nearest, ties to even; NaN stays NaN.
uint16_t FloatToBfloat16(float value);

}  // namespace lfm::quant
