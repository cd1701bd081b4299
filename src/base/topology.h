// The CPUs that this process may use, read from Linux's /sys and /proc: cores, threads of a core, fast and slow ones, the
// limits of a container, caches and memory nodes. Everything here is thread-safe and cannot fail: what a system does
// not tell is left at its neutral value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lfm {

// The first line of a small file of /sys or /proc, or "" where there is none.
std::string ReadFirstLine(const std::string& path);

// "0-3,8" -> 0, 1, 2, 3, 8, as the kernel writes lists of CPUs. Malformed parts are left out.
std::vector<int> ParseCpuList(std::string_view text);

// A physical core, of which this process may use at least one thread.
struct Core {
  int n_threads = 1;    // of it that this process may use
  double max_khz = 0;   // top frequency; 0: unknown
  bool is_fast = true;  // false: more than a quarter below the fastest one (efficiency cores)
};

struct Cpus {
  int n_online = 0;         // hardware threads of the machine
  int n_allowed = 0;        // of them in this process's affinity
  std::vector<Core> cores;  // of the allowed ones
  double quota = 0;         // CPUs that the cgroup pays for; 0: no limit

  int n_fast_cores() const;
  bool has_smt() const { return n_allowed > static_cast<int>(cores.size()); }
};

// `root` is put before every path and `allowed` replaces the affinity: both for tests.
Cpus ReadCpus(const std::string& root = "", const std::optional<std::vector<int>>& allowed = {});

// The number of threads that decode fastest on these: one a fast physical core, within the quota.
int DefaultThreadCount(const Cpus& cpus);

struct Cache {
  int level = 0;
  std::string kind;     // "Data", "Instruction", "Unified"
  uint64_t bytes = 0;   // of one
  int n_instances = 0;  // that the allowed CPUs have together
};

// By level; equal ones are counted together.
std::vector<Cache> ReadCaches(const std::string& root = "", const std::optional<std::vector<int>>& allowed = {});

// The processor's own name ("AMD EPYC 7763 64-Core Processor"), or on ARM boards the machine's; "" where unknown.
std::string ReadCpuName(const std::string& root = "");

// Memory nodes; 1 where the machine has no more or does not tell.
int CountNumaNodes(const std::string& root = "");

}  // namespace lfm
