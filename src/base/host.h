// The state that this machine is in: memory, huge pages, power. Read from Linux's /sys and /proc at the moment of the
// call; thread-safe, cannot fail: what a system does not tell is left at its neutral value. Nothing that names a
// person or a machine is read. `root` is put before every path, for tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lfm {

struct MemoryState {
  uint64_t total_bytes = 0;
  // That this process can still take without swapping and without being killed: what the machine has, less what runs on
  // it, within every cgroup around this process and its own limits (ulimit -v, -d). 0: not known. The one figure by which
  // the choice of a type, checks before work and caches decide.
  uint64_t available_bytes = 0;
  uint64_t limit_bytes = 0;  // the least of these limits; 0: none
  uint64_t swap_bytes = 0;
  uint64_t swap_used_bytes = 0;
  std::optional<double> pressure_percent;  // of the last 10 s in which some program waited for memory
};
MemoryState ReadMemory(const std::string& root = "");

struct HugePages {
  std::string mode;         // of transparent huge pages: "always", "madvise", "never"; "" where there are none
  uint64_t page_bytes = 0;  // size of one
};
HugePages ReadHugePages(const std::string& root = "");

struct Power {
  std::string driver;      // "intel_pstate", "amd-pstate-epp", "acpi-cpufreq"; "": none, as in most virtual machines
  std::string governor;    // "performance", "powersave", "schedutil", ...
  std::string preference;  // of energy to speed, where the driver has one: "performance", "balance_power", ...
  std::string profile;     // of the firmware: "low-power", "balanced", "performance"; "" where it has none
  bool on_battery = false;
};
Power ReadPower(const std::string& root = "");

// Hardware threads' time since the machine started, in ticks.
struct CpuTimes {
  uint64_t busy = 0, stolen = 0, all = 0;  // stolen: a hypervisor ran somebody else
};
CpuTimes ReadCpuTimes(const std::string& root = "");

// "Debian GNU/Linux 12 (bookworm), Linux 6.1"; the kernel's version without what its builder added.
std::string ReadSystemName(const std::string& root = "");

}  // namespace lfm
