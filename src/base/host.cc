#include "base/host.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/topology.h"

namespace lfm {
namespace {

uint64_t ToNumber(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

// The number after `key` in a file of lines "key value".
uint64_t NumberAfter(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return ToNumber(line.substr(key.size()));
  }
  return 0;
}

// The files of the two versions of cgroups.
struct MemoryFiles {
  const char *limit, *soft_limit, *used, *cache_prefix;
};
constexpr MemoryFiles kVersion1{"memory.limit_in_bytes", "", "memory.usage_in_bytes", "total_"};
constexpr MemoryFiles kVersion2{"memory.max", "memory.high", "memory.current", ""};

// What one group leaves: its limit less what it holds, of which the page cache can be taken back. Above a soft limit
// (memory.high) programs are slowed down until they stand.
void ApplyLimit(const std::string& folder, const MemoryFiles& files, MemoryState& memory) {
  uint64_t limit = 0;
  for (const char* name : {files.limit, files.soft_limit}) {
    const std::string text = *name ? ReadFirstLine(folder + "/" + name) : "";
    const uint64_t value = text == "max" ? 0 : ToNumber(text);
    if (value > 0 && (limit == 0 || value < limit)) limit = value;
  }
  if (limit == 0 || limit >= memory.total_bytes) return;  // version 1 writes "none" as a huge number
  const uint64_t used = ToNumber(ReadFirstLine(folder + "/" + files.used));
  uint64_t cache = 0;
  for (const char* key : {"inactive_file ", "active_file "}) {
    cache += NumberAfter(folder + "/memory.stat", std::string(files.cache_prefix) + key);
  }
  const uint64_t held = used - std::min(used, cache);
  if (memory.limit_bytes == 0 || limit < memory.limit_bytes) memory.limit_bytes = limit;
  memory.available_bytes = std::min(memory.available_bytes, limit - std::min(limit, held));
}

// Every group from this process's own up to the root counts. Inside of a container the own one is often mounted as the
// root, under a path that does not exist there.
void ApplyCgroups(const std::string& root, MemoryState& memory) {
  std::ifstream file(root + "/proc/self/cgroup");  // "0::/a/b", or "7:memory:/a/b" of version 1
  std::string own_1, own_2;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (line.starts_with("0::")) own_2 = line.substr(second + 1);
    if (controllers.find(",memory,") != std::string::npos) own_1 = line.substr(second + 1);
  }
  const auto walk = [&](const std::string& top, std::string path, const MemoryFiles& files) {
    if (path.find("..") != std::string::npos) path.clear();
    while (!path.empty() && path != "/") {
      ApplyLimit(top + path, files, memory);
      path = std::filesystem::path(path).parent_path().string();
    }
    ApplyLimit(top, files, memory);
  };
  walk(root + "/sys/fs/cgroup", own_2, kVersion2);
  walk(root + "/sys/fs/cgroup/unified", own_2, kVersion2);
  walk(root + "/sys/fs/cgroup/memory", own_1, kVersion1);
}

// What limits on address space and data (ulimit -v, -d) leave to this process.
void ApplyProcessLimits(const std::string& root, MemoryState& memory) {
  const std::string status = root + "/proc/self/status";
  for (const auto& [resource, key] : {std::pair(RLIMIT_AS, "VmSize:"), std::pair(RLIMIT_DATA, "VmData:")}) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    const uint64_t most = limit.rlim_cur, used = NumberAfter(status, key) << 10;
    memory.available_bytes = std::min(memory.available_bytes, most - std::min(most, used));
    if (most < memory.total_bytes && (memory.limit_bytes == 0 || most < memory.limit_bytes)) memory.limit_bytes = most;
  }
}

}  // namespace

MemoryState ReadMemory(const std::string& root) {
  const std::string info = root + "/proc/meminfo";
  MemoryState memory;
  memory.total_bytes = NumberAfter(info, "MemTotal:") << 10;
  memory.available_bytes = NumberAfter(info, "MemAvailable:") << 10;
  memory.swap_bytes = NumberAfter(info, "SwapTotal:") << 10;
  const uint64_t swap_free = NumberAfter(info, "SwapFree:") << 10;
  memory.swap_used_bytes = memory.swap_bytes - std::min(memory.swap_bytes, swap_free);
  if (memory.available_bytes == 0) memory.available_bytes = NumberAfter(info, "MemFree:") << 10;  // before Linux 3.14
  if (memory.total_bytes > 0) {
    ApplyCgroups(root, memory);
    ApplyProcessLimits(root, memory);
    memory.available_bytes = std::max<uint64_t>(memory.available_bytes, 1);  // 0 would mean: not known
  }
  const std::string pressure = ReadFirstLine(root + "/proc/pressure/memory");  // some avg10=0.00 ...
  if (const size_t at = pressure.find("avg10="); at != std::string::npos) {
    memory.pressure_percent = std::atof(pressure.c_str() + at + 6);
  }
  return memory;
}

HugePages ReadHugePages(const std::string& root) {
  const std::string folder = root + "/sys/kernel/mm/transparent_hugepage/";
  const std::string modes = ReadFirstLine(folder + "enabled");  // always [madvise] never
  HugePages pages;
  const size_t open = modes.find('['), close = modes.find(']');
  if (open != std::string::npos && close != std::string::npos && open < close) {
    pages.mode = modes.substr(open + 1, close - open - 1);
  }
  pages.page_bytes = ToNumber(ReadFirstLine(folder + "hpage_pmd_size"));
  return pages;
}

Power ReadPower(const std::string& root) {
  const std::string policy = root + "/sys/devices/system/cpu/cpu0/cpufreq/";
  Power power;
  power.driver = ReadFirstLine(policy + "scaling_driver");
  power.governor = ReadFirstLine(policy + "scaling_governor");
  power.preference = ReadFirstLine(policy + "energy_performance_preference");
  power.profile = ReadFirstLine(root + "/sys/firmware/acpi/platform_profile");
  // On battery: there is a mains supply, and none is plugged in.
  bool has_mains = false, plugged = false;
  std::error_code error;
  for (const auto& supply : std::filesystem::directory_iterator(root + "/sys/class/power_supply", error)) {
    const std::string folder = supply.path().string();
    if (ReadFirstLine(folder + "/type") != "Mains") continue;
    has_mains = true;
    plugged = plugged || ReadFirstLine(folder + "/online") == "1";
  }
  power.on_battery = has_mains && !plugged;
  return power;
}

CpuTimes ReadCpuTimes(const std::string& root) {
  // cpu user nice system idle iowait irq softirq steal ...; guest times are within user and nice.
  constexpr int kIdle = 3, kIoWait = 4, kSteal = 7, kFields = 8;
  std::istringstream line(ReadFirstLine(root + "/proc/stat"));
  std::string word;
  CpuTimes times;
  line >> word;
  for (int i = 0; i < kFields; ++i) {
    uint64_t ticks = 0;
    if (!(line >> ticks)) break;
    times.all += ticks;
    if (i == kSteal) times.stolen += ticks;
    if (i != kIdle && i != kIoWait && i != kSteal) times.busy += ticks;
  }
  return times;
}

std::string ReadSystemName(const std::string& root) {
  std::string name;
  std::ifstream file(root + "/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    constexpr std::string_view kKey = "PRETTY_NAME=";
    if (!line.starts_with(kKey)) continue;
    for (const char c : line.substr(kKey.size())) {
      if (c != '"') name += c;
    }
  }
  utsname kernel{};
  if (uname(&kernel) == 0) {
    const std::string release = kernel.release;
    if (!name.empty()) name += ", ";
    name += std::string(kernel.sysname) + " " + release.substr(0, release.find_first_not_of("0123456789."));
  }
  return name;
}

}  // namespace lfm
