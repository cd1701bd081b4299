// What `lfm doctor` finds out: the machine and its limits, its kernels against the scalar ones, what a model could do here
// at most and what it does, and what to change. The report goes into bug reports: it holds no host name, no user name
// and no path; of a model the base name only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/host.h"
#include "base/json.h"
#include "base/result.h"
#include "base/topology.h"
#include "engine/describe.h"
#include "report/disk.h"
#include "report/limits.h"
#include "report/tuning.h"
#include "engine/loaded_model.h"
#include "kernels/self_check.h"

namespace lfm::report {

// Told before each step that takes time; false ends the examination with kCancelled.
using DoctorProgress = std::function<bool(std::string_view step)>;

struct ThreadBandwidth {
  int n_threads = 0;
  double bytes_per_s = 0;
};
struct IsaPeak {
  std::string isa;
  double int8_ops_per_s = 0, f32_ops_per_s = 0;  // of n_threads threads
};
// The operations that an ISA has a kernel of its own for.
struct IsaCheck {
  std::string isa;
  std::vector<kernels::KernelCheck> operations;

  int n_failed() const;
  int n_cases() const;
};

struct MachineReport {
  std::string system, cpu_name;
  Cpus cpus;
  std::vector<Cache> caches;
  int n_numa_nodes = 1;
  MemoryState memory;
  HugePages huge_pages;
  Power power;
  double others_percent = 0, stolen_percent = 0;  // of all hardware threads' time, before anything was measured
  int n_threads = 0;                              // that lfm would use, or was told to
  bool threads_given = false;
  std::string isa, best_isa;                // chosen, and what this host has
  std::vector<std::string> isas;            // best first
  std::vector<ThreadBandwidth> bandwidths;  // by rising number of threads
  std::vector<IsaPeak> peaks;
  std::vector<IsaCheck> checks;
  std::optional<Tuning> tuning;  // that the kernels follow; none: the usual distances
  bool tuning_unused = false;    // there is one, stale or damaged

  const ThreadBandwidth& best_bandwidth() const;  // the fewest threads within 2 % of the fastest
  Roofline roofline() const;                      // the best bandwidth, the chosen ISA's peaks
};

// Measures for about ten seconds; `n_threads` 0: the default number, `isa` "": the host's best.
Result<MachineReport> ExamineMachine(int n_threads, const std::string& isa, const DoctorProgress& progress);

struct Speed {
  int64_t n_tokens = 0;  // of the measurement
  int n_threads = 0;
  double limit_ts = 0;     // tokens per second at most
  std::string limit_name;  // "memory" or "arithmetic"
  double now_ts = 0;       // 0: not measured
};

struct ModelReport {
  std::string file_name;  // the base name
  engine::Description description;
  bool packed = false;
  uint64_t needed_bytes = 0;  // of memory, for the weights
  std::optional<DiskSpeed> disk;
  std::string disk_error;  // without a path
  Work decode_work, prefill_work;
  Speed decode, prefill;
  std::vector<Speed> decode_by_threads;  // further numbers of threads that were tried
  std::string not_measured;              // why `now_ts` is 0; empty: it was measured
  int64_t n_page_faults = 0;             // pages that had to come from the disk while tokens were made
};

// From the headers and a second of reading the file.
Result<ModelReport> ExamineFile(const formats::Checkpoint& checkpoint, const MachineReport& machine,
                                const engine::LoadOptions& options, const DoctorProgress& progress);
// Adds the speeds that the loaded model has now. `threads` has machine.n_threads.
Status MeasureModel(engine::LoadedModel& model, Threads& threads, const MachineReport& machine, ModelReport& report,
                    const DoctorProgress& progress);

// What to change, the most important first; `id` is stable, `text` is a sentence or two.
struct Advice {
  std::string id, text;
};
std::vector<Advice> Advise(const MachineReport& machine, const ModelReport* model);

// The document of `lfm doctor --json`, without the program's version.
Json DoctorJson(const MachineReport& machine, const ModelReport* model);

}  // namespace lfm::report
