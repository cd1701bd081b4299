#include "quant/encode.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/strings.h"
#include "kernels/float16.h"
#include "kernels/kernels.h"
#include "quant/encoders.h"

namespace lfm::quant {
namespace {

void Store16(std::byte* out, int64_t i, uint16_t bits) { std::memcpy(out + 2 * i, &bits, 2); }

Encoders TableOf(kernels::Isa isa) {
  Encoders table{};
  FillEncodersScalar(table);
#if defined(__x86_64__)
  if (isa == kernels::Isa::kAvx2 || isa == kernels::Isa::kAvxVnni) FillEncodersAvx2(table);
  if (isa == kernels::Isa::kAvx512Vnni || isa == kernels::Isa::kAvx512Vbmi || isa == kernels::Isa::kAmx)
    FillEncodersAvx512Vnni(table);
#endif
  return table;
}

Encoder Find(const Encoders& table, TensorType type) {
  switch (type) {
    case TensorType::kQ4_0: return table.q4_0;
    case TensorType::kQ4_1: return table.q4_1;
    case TensorType::kQ5_0: return table.q5_0;
    case TensorType::kQ5_1: return table.q5_1;
    case TensorType::kQ8_0: return table.q8_0;
    case TensorType::kIQ4_NL: return table.iq4_nl;
    case TensorType::kIQ4_XS: return table.iq4_xs;
    case TensorType::kQ2_K: return table.q2_k;
    case TensorType::kQ3_K: return table.q3_k;
    case TensorType::kQ4_K: return table.q4_k;
    case TensorType::kQ5_K: return table.q5_k;
    case TensorType::kQ6_K: return table.q6_k;
    default: LFM_CHECK(type == TensorType::kMXFP4); return table.mxfp4;
  }
}

}  // namespace

bool CanEncode(TensorType type) {
  switch (type) {
    case TensorType::kIQ1_S:
    case TensorType::kIQ1_M:
    case TensorType::kIQ2_XXS:
    case TensorType::kIQ2_XS:
    case TensorType::kIQ2_S:
    case TensorType::kIQ3_XXS:
    case TensorType::kIQ3_S:
    case TensorType::kTQ1_0:
    case TensorType::kTQ2_0: return false;
    default: return true;
  }
}

Status CheckCanEncode(TensorType type) {
  if (CanEncode(type)) return Ok();
  return Error{ErrorCode::kUnsupported,
               StrCat("lfm runs ", InfoOf(type).name, " files but does not make them; use a type such as ",
                      "q2_k, q3_k or q4_k, or lfm quantize --target-size")};
}

uint16_t FloatToBfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

void EncodeRow(TensorType type, const float* x, const float* importance, int64_t n, std::byte* out,
               std::optional<kernels::Isa> isa) {
  LFM_CHECK(n % InfoOf(type).block_size == 0);
  switch (type) {
    case TensorType::kF32: std::memcpy(out, x, static_cast<size_t>(n) * 4); return;
    case TensorType::kF16:
      for (int64_t i = 0; i < n; ++i) Store16(out, i, kernels::FloatToHalf(x[i]));
      return;
    case TensorType::kBF16:
      for (int64_t i = 0; i < n; ++i) Store16(out, i, FloatToBfloat16(x[i]));
      return;
    default: break;
  }
  static const Encoders best = TableOf(kernels::DetectIsas().front());
  Find(isa ? TableOf(*isa) : best, type)(x, importance, n, out);
}

}  // namespace lfm::quant
