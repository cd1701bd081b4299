// The encoders, the plain vectors of the machine that the build is for.
#include "quant/encoders.h"

namespace lfm::quant {
namespace {
#include "quant/lanes.inl"
#include "quant/scale_search.inl"
#include "quant/encode_simple.inl"
#include "quant/encode_scaled.inl"
#include "quant/encode_affine.inl"
#include "quant/encode_table.inl"
}  // namespace

void FillEncodersScalar(Encoders& table) { FillEncoders(table); }

}  // namespace lfm::quant
