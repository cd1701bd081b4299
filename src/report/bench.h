// Measures prefill and decode of a loaded model, beside the limits of the machine it runs on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "engine/loaded_model.h"
#include "model/forward.h"
#include "report/machine.h"

namespace lfm::report {

// One line of the grid: prefill of n_prompt tokens, or decoding of n_gen, n_seq sequences together, each with n_depth
// tokens read before (untimed).
struct BenchCase {
  int64_t n_prompt = 0, n_gen = 0;
  int64_t n_depth = 0;
  int64_t n_seq = 1;

  std::string name() const;  // "pp512", "tg64", "tg64 @ d4096", as llama-bench names them
};

struct BenchRow {
  BenchCase test;
  std::vector<double> samples_ts;  // tokens per second of all sequences together, one a repetition
  double avg_ts = 0, stddev_ts = 0;
  double gb_per_s = 0;          // weight and KV bytes read, per second
  double gop_per_s = 0;         // operations of the products (a multiply-add is two), per second
  Roofline roofline;            // the machine's limits: memory between the steps, peaks around the repetitions
  double roofline_ts = 0;       // what they allow at most; never less than what was reached
  double roofline_percent = 0;  // 0 to 100
  model::Profile profile;       // where the time of all repetitions went
};

// Runs one case `repetitions` times after a warm-up. With `measure_limits` memory is read for a twentieth of the time
// between the steps, untimed, so that both see the same neighbours; else the roofline stays 0. `cancelled` is asked
// between steps.
Result<BenchRow> RunBench(engine::LoadedModel& model, Threads& threads, const BenchCase& test, int64_t repetitions, int64_t chunk,
                          bool measure_limits, const std::function<bool()>& cancelled = {});

// Decodes n_seq sequences together and each alone: true when all logits have the same bits.
Result<bool> CheckBits(engine::LoadedModel& model, Threads& threads, int64_t n_seq);

}  // namespace lfm::report
