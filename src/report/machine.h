// What this machine can do at most, measured: memory read speed and products. The limits that bench, doctor and the
// statistics of `lfm run` compare with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/threads.h"
#include "base/topology.h"
#include "kernels/kernels.h"

namespace lfm::report {

// More than the caches hold, and no more than a quarter of the free memory.
int64_t BandwidthBytes();

// Memory to measure with, on huge pages as weights lie, written by all of `threads`: every page is real, and near some reader.
// Some tenths of a second a gigabyte. Where it cannot be had, data() is null.
class ProbeMemory {
 public:
  ProbeMemory(Threads& threads, int64_t bytes, int fill);
  ~ProbeMemory();
  ProbeMemory(const ProbeMemory&) = delete;
  ProbeMemory& operator=(const ProbeMemory&) = delete;

  const std::byte* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

// Bytes per second.
struct ReadSpeed {
  double sustained = 0;  // all bytes over all seconds: what a run of the same seconds is compared with
  double best = 0;       // of one pass: on a machine shared with others, a burst of some milliseconds
};

// Reads memory with all of `threads` together and measures how fast. The memory is walked round and round, so that no
// cache holds what comes next.
class ReadProbe {
 public:
  // Takes that memory; where it cannot be had, every speed stays 0.
  ReadProbe(const kernels::Table& table, Threads& threads, int64_t bytes = BandwidthBytes());

  // Reads the next sixteenth of the memory, some milliseconds long; the seconds that it took.
  double Pass();
  // Of all passes so far.
  ReadSpeed speed() const;

 private:
  const kernels::Table& table_;
  Threads& threads_;
  ProbeMemory memory_;
  int64_t n_lines_ = 0, next_ = 0;
  double bytes_ = 0, seconds_ = 0, best_ = 0;
};

// Nine times all of the memory: some tenths of a second.
ReadSpeed MeasureReadBandwidth(const kernels::Table& table, Threads& threads, int64_t bytes = BandwidthBytes());

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

}  // namespace lfm::report
