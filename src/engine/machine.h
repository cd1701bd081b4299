// What this machine can do at most, measured: memory read speed and products. The limits that bench, doctor and the
// statistics of `lfm run` compare with.
#pragma once

#include <cstdint>
#include <vector>

#include "base/threads.h"
#include "base/topology.h"
#include "kernels/kernels.h"

namespace lfm::engine {

// More than the caches hold, and no more than a quarter of the free memory.
int64_t BandwidthBytes();

// Bytes per second.
struct ReadSpeed {
  double median = 0;  // of the passes: what lasts, and what a run of seconds is compared with
  double best = 0;    // on a machine shared with others, a burst of some milliseconds
};
// How fast all of `threads` together read from memory, in passes over `bytes`. Takes some tenths of a second and that
// memory; 0 where it cannot be had.
ReadSpeed MeasureReadBandwidth(Threads& threads, int64_t bytes = BandwidthBytes());

// Multiply-adds count as two operations: operations per second of all threads with data in registers. Milliseconds.
double MeasureInt8Peak(const kernels::Table& table, Threads& threads);
double MeasureF32Peak(const kernels::Table& table, Threads& threads);

// The limits of one run.
struct Roofline {
  ReadSpeed read;
  double int8_ops_per_s = 0;
  double f32_ops_per_s = 0;
  uint64_t cache_bytes = 0;  // of the last level: what is smaller is not read from memory at every step
};
Roofline MeasureRoofline(const kernels::Table& table, Threads& threads);

// All caches of the highest level together.
uint64_t LastLevelBytes(const std::vector<Cache>& caches);

}  // namespace lfm::engine
