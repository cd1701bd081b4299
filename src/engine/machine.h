// What this machine can do at most, measured: memory read speed and int8 products. The rooflines of bench and doctor.
#pragma once

#include <cstdint>

#include "base/threads.h"
#include "kernels/kernels.h"

namespace lfm::engine {

// Bytes per second that all of `threads` together read from memory: best of a few passes over more than the caches
// hold. Takes about a tenth of a second and the memory of `bytes`.
double MeasureReadBandwidth(Threads& threads, int64_t bytes = int64_t{512} << 20);

// int8 multiply-adds count as two operations: operations per second of all threads with data in registers.
double MeasureInt8Peak(const kernels::Table& table, Threads& threads);

}  // namespace lfm::engine
