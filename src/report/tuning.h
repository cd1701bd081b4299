// How far ahead decoding asks for weights, found by measuring on this machine, and kept in a file. What was found changes no
// result, only the time, and nobody needs it: without it the constants of kernels/prefetch.h hold.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/tensor_type.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "kernels/prefetch.h"

namespace lfm::report {

// What was found holds for: a processor, kernels, and the program whose kernels were measured. Not for a number of threads.
struct TuningKey {
  std::string cpu, isa, program;

  friend bool operator==(const TuningKey&, const TuningKey&) = default;
};
// The processor's name, its numbers and its caches' sizes: virtual machines give many processors one name. `root` is put
// before every path, for tests.
std::string CpuKey(const std::string& root = "");

struct TunedType {
  TensorType type = TensorType::kF32;
  kernels::Prefetch prefetch;

  friend bool operator==(const TunedType&, const TunedType&) = default;
};
// The types for which something else than the usual is clearly faster: often none.
struct Tuning {
  TuningKey key;
  std::vector<TunedType> types;

  friend bool operator==(const Tuning&, const Tuning&) = default;
};

// The file's text, and back. Reading refuses what is no tuning, with kInvalidArgument: unknown types, types twice, distances
// that are no whole numbers between 0 and kernels::kMostAhead, more than kMostTuningBytes.
constexpr size_t kMostTuningBytes = 64 << 10;
std::string TuningText(const Tuning& tuning);
Result<Tuning> ReadTuning(std::string_view text);

// Makes the kernels of its ISA work so, in this process and from now on: every type, those that it does not name as usual.
void Apply(const Tuning& tuning);

struct TypeTrials {
  TensorType type = TensorType::kF32;
  kernels::Prefetch usual, best;    // `best` of all but the usual one
  std::vector<double> bytes_per_s;  // by TuningReport::tried; medians
  double gain = 1;                  // how many times as fast `best` was, in turn with the usual one
  double gain_few = 0;              // the same with three tokens; 0: not measured, for one gained nothing or the type is a float
  bool clear = false;               // so clear that it is taken

  const kernels::Prefetch& chosen() const { return clear ? best : usual; }
};
struct TuningReport {
  Tuning tuning;
  int n_threads = 0;
  std::vector<kernels::Prefetch> tried;
  std::vector<TypeTrials> types;
};
struct TuningEffort {
  double seconds = 1;   // for all types together, once the memory is touched; five rounds take as long as they take
  int64_t n_bytes = 0;  // of memory; 0: twice what the last cache holds
};
// Decodes from memory that no cache holds, all distances in turn, so that whatever disturbs the machine meets them all; then
// the best one against the usual one, pair by pair. It is taken where it is 2 % faster, three quarters of the pairs say that it
// is faster, and three tokens, which follow the same distances, are not slower with it. Afterwards the kernels work as before.
// An error where that memory is not free, and kCancelled when `go_on` says no.
Result<TuningReport> MeasureTuning(const kernels::Table& table, Threads& threads, const TuningKey& key,
                                   const TuningEffort& effort = {}, const std::function<bool()>& go_on = {});

// What was measured, for `lfm doctor --tune --json`.
Json TuningReportJson(const TuningReport& report);
// {"to_second": 12288, "to_first": 1536}
Json PrefetchJson(const kernels::Prefetch& prefetch);

}  // namespace lfm::report
