// The int8 limit of AMX; the f32 limit is AVX-512's.
#include "kernels/isa_begin.h"

#include <immintrin.h>

namespace lfm::kernels {
namespace {
#include "kernels/amx_tiles.inl"
#include "kernels/peak_amx.inl"
}  // namespace

void Fill_peak__amx(Table& table) { table.int8_peak = &AmxInt8Peak; }

}  // namespace lfm::kernels
