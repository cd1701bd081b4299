// The parts of the table that an ISA provides: declarations made from kernels.inc.
#pragma once

#include "kernels/kernels.h"

namespace lfm::kernels {

#define LFM_KERNELS(family, isa, suffix) void Fill_##family##__##suffix(Table& table);
#include "kernels/kernels.inc"
#undef LFM_KERNELS

}  // namespace lfm::kernels
