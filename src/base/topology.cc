#include "base/topology.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>
#include <tuple>

namespace lfm {
namespace {

constexpr double kFastShare = 0.75;  // of the top frequency: P and E cores differ by more

std::string CpuFolder(const std::string& root, int cpu) { return root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu); }

// CPUs that the cgroup's quota pays for, or 0. Version 2 and version 1 files.
double CgroupQuota(const std::string& root) {
  std::istringstream v2(ReadFirstLine(root + "/sys/fs/cgroup/cpu.max"));
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period && quota != "max" && period > 0) return std::atof(quota.c_str()) / period;
  const std::string v1 = ReadFirstLine(root + "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const std::string v1_period = ReadFirstLine(root + "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (!v1.empty() && v1[0] != '-' && !v1_period.empty()) {
    const double p = std::atof(v1_period.c_str());
    if (p > 0) return std::atof(v1.c_str()) / p;
  }
  return 0;
}

// The CPUs of this process's affinity; all of them where the system does not tell.
std::vector<int> AllowedCpus() {
  std::vector<int> cpus;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<size_t>(cpu), &allowed)) cpus.push_back(cpu);
    }
  } else {
    for (int cpu = 0; cpu < static_cast<int>(std::thread::hardware_concurrency()); ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

// "32K", "1024K", "96M".
uint64_t ParseSize(const std::string& text) {
  char* end = nullptr;
  const uint64_t n = std::strtoull(text.c_str(), &end, 10);
  if (*end == 'K') return n << 10;
  if (*end == 'M') return n << 20;
  return n;
}

}  // namespace

std::string ReadFirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<int> ParseCpuList(std::string_view text) {
  constexpr int kMost = 1 << 16;  // more than any machine has: a damaged list stays small
  std::vector<int> cpus;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    int first = 0, last = 0;
    const char* const end = part.data() + part.size();
    const auto [after, error] = std::from_chars(part.data(), end, first);
    if (error != std::errc()) continue;
    last = first;
    if (after != end && *after == '-' && std::from_chars(after + 1, end, last).ec != std::errc()) continue;
    for (int cpu = std::max(0, first); cpu <= std::min(last, kMost); ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

int Cpus::n_fast_cores() const {
  return static_cast<int>(std::count_if(cores.begin(), cores.end(), [](const Core& core) { return core.is_fast; }));
}

Cpus ReadCpus(const std::string& root, const std::optional<std::vector<int>>& allowed) {
  const std::vector<int> ids = allowed ? *allowed : AllowedCpus();
  Cpus cpus;
  cpus.n_allowed = static_cast<int>(ids.size());
  const auto n_online = ParseCpuList(ReadFirstLine(root + "/sys/devices/system/cpu/online")).size();
  cpus.n_online = std::max(cpus.n_allowed, static_cast<int>(n_online));
  std::map<std::string, size_t> index;  // of a core, by package and number
  double fastest = 0;
  for (const int cpu : ids) {
    const std::string folder = CpuFolder(root, cpu);
    const std::string package = ReadFirstLine(folder + "/topology/physical_package_id");
    const std::string number = ReadFirstLine(folder + "/topology/core_id");
    const double max_khz = std::atof(ReadFirstLine(folder + "/cpufreq/cpuinfo_max_freq").c_str());
    const std::string key = number.empty() ? std::to_string(cpu) : package + ":" + number;
    const auto [at, is_new] = index.emplace(key, cpus.cores.size());
    if (is_new) {
      cpus.cores.push_back({1, max_khz, true});
    } else {
      ++cpus.cores[at->second].n_threads;
    }
    fastest = std::max(fastest, max_khz);
  }
  for (Core& core : cpus.cores) core.is_fast = core.max_khz >= kFastShare * fastest;
  cpus.quota = CgroupQuota(root);
  return cpus;
}

// Two hyperthreads share the ports that the kernels fill, and a slow core holds the others up at the end of each loop.
int DefaultThreadCount(const Cpus& cpus) {
  const int n = std::max(1, cpus.n_fast_cores());
  if (cpus.quota <= 0 || cpus.quota >= n) return n;
  return std::max(1, static_cast<int>(std::floor(cpus.quota + 0.01)));
}

std::vector<Cache> ReadCaches(const std::string& root, const std::optional<std::vector<int>>& allowed) {
  constexpr int kMostIndices = 16;
  std::map<std::tuple<int, std::string, uint64_t>, std::vector<std::string>> found;  // -> who shares each
  for (const int cpu : allowed ? *allowed : AllowedCpus()) {
    for (int i = 0; i < kMostIndices; ++i) {
      const std::string folder = CpuFolder(root, cpu) + "/cache/index" + std::to_string(i);
      const int level = std::atoi(ReadFirstLine(folder + "/level").c_str());
      if (level == 0) break;
      auto& sharers = found[{level, ReadFirstLine(folder + "/type"), ParseSize(ReadFirstLine(folder + "/size"))}];
      const std::string shared = ReadFirstLine(folder + "/shared_cpu_list");
      if (std::find(sharers.begin(), sharers.end(), shared) == sharers.end()) sharers.push_back(shared);
    }
  }
  std::vector<Cache> caches;
  for (const auto& [key, sharers] : found) {
    caches.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), static_cast<int>(sharers.size())});
  }
  return caches;
}

std::string ReadCpuName(const std::string& root) {
  std::ifstream file(root + "/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t at = line.find(": ");
    if (at != std::string::npos) return line.substr(at + 2);
  }
  std::string board = ReadFirstLine(root + "/sys/firmware/devicetree/base/model");
  return board.substr(0, board.find('\0'));
}

int CountNumaNodes(const std::string& root) {
  const auto n = ParseCpuList(ReadFirstLine(root + "/sys/devices/system/node/has_memory")).size();
  return std::max(1, static_cast<int>(n));
}

}  // namespace lfm
