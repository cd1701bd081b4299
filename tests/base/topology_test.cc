// What Linux tells of a machine, over folders that look like some: hyperthreads, fast and slow cores, containers.
#include "base/topology.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/host.h"
#include "base/threads.h"
#include "support/temp_folder.h"

namespace lfm {
namespace {

// A folder in place of "/".
class FakeRoot {
 public:
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root() + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text << "\n";
  }
  void Cpu(int cpu, int core, int khz = 0, int package = 0) {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
    Write(folder + "/topology/core_id", std::to_string(core));
    Write(folder + "/topology/physical_package_id", std::to_string(package));
    if (khz > 0) Write(folder + "/cpufreq/cpuinfo_max_freq", std::to_string(khz));
  }
  std::string root() const { return folder_.path(); }

 private:
  test::TempFolder folder_;
};

TEST(ParseCpuList, TakesRangesAndLeavesOutWhatIsNone) {
  EXPECT_EQ(ParseCpuList("0-3,8"), (std::vector<int>{0, 1, 2, 3, 8}));
  EXPECT_EQ(ParseCpuList("5"), (std::vector<int>{5}));
  EXPECT_EQ(ParseCpuList("x,2,4-"), (std::vector<int>{2}));
  EXPECT_TRUE(ParseCpuList("").empty());
  EXPECT_TRUE(ParseCpuList("3-1").empty());
  EXPECT_LT(ParseCpuList("0-2000000000").size(), 100000U);
}

TEST(Topology, CountsAHyperthreadedCoreOnce) {
  FakeRoot fake;
  fake.Write("/sys/devices/system/cpu/online", "0-7");
  for (int cpu = 0; cpu < 8; ++cpu) fake.Cpu(cpu, cpu % 4);
  const Cpus all = ReadCpus(fake.root(), std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(all.cores.size(), 4U);
  EXPECT_EQ(all.cores[0].n_threads, 2);
  EXPECT_TRUE(all.has_smt());
  EXPECT_EQ(DefaultThreadCount(all), 4);
  const Cpus some = ReadCpus(fake.root(), std::vector<int>{0, 4, 5});
  EXPECT_EQ(some.n_online, 8);
  EXPECT_EQ(some.n_allowed, 3);
  EXPECT_EQ(DefaultThreadCount(some), 2);
}

TEST(Topology, EqualNumbersInTwoPackagesAreTwoCores) {
  FakeRoot fake;
  for (int cpu = 0; cpu < 4; ++cpu) fake.Cpu(cpu, cpu % 2, 0, cpu / 2);
  EXPECT_EQ(DefaultThreadCount(ReadCpus(fake.root(), std::vector<int>{0, 1, 2, 3})), 4);
}

TEST(Topology, SlowCoresGetNoThread) {
  FakeRoot fake;
  for (int cpu = 0; cpu < 6; ++cpu) fake.Cpu(cpu, cpu, cpu < 2 ? 5000000 : cpu < 4 ? 4600000 : 3200000);
  const Cpus cpus = ReadCpus(fake.root(), std::vector<int>{0, 1, 2, 3, 4, 5});
  EXPECT_EQ(cpus.n_fast_cores(), 4);
  EXPECT_EQ(DefaultThreadCount(cpus), 4);
}

TEST(Topology, StaysWithinTheQuota) {
  FakeRoot fake;
  for (int cpu = 0; cpu < 8; ++cpu) fake.Cpu(cpu, cpu);
  const std::vector<int> all = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto count = [&] { return DefaultThreadCount(ReadCpus(fake.root(), all)); };
  fake.Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000");
  fake.Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(count(), 3);
  for (const auto& [line, n] :
       {std::pair{"250000 100000", 2}, {"400000 100000", 4}, {"50000 100000", 1}, {"1600000 100000", 8}}) {
    fake.Write("/sys/fs/cgroup/cpu.max", line);
    EXPECT_EQ(count(), n) << line;
  }
  fake.Write("/sys/fs/cgroup/cpu.max", "max 100000");
  fake.Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(count(), 8);
}

TEST(Topology, AMachineThatTellsNothingHasAThreadACpu) {
  FakeRoot fake;
  const Cpus cpus = ReadCpus(fake.root(), std::vector<int>{0, 1, 2});
  EXPECT_EQ(DefaultThreadCount(cpus), 3);
  EXPECT_EQ(DefaultThreadCount(ReadCpus(fake.root(), std::vector<int>{})), 1);
  EXPECT_TRUE(ReadCaches(fake.root()).empty());
  EXPECT_EQ(ReadCpuName(fake.root()), "");
  EXPECT_EQ(CountNumaNodes(fake.root()), 1);
}

TEST(Topology, CountsSharedCachesOnce) {
  FakeRoot fake;
  const auto cache = [&](int i, const char* level, const char* kind, const char* size) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i);
    fake.Write(folder + "/level", level);
    fake.Write(folder + "/type", kind);
    fake.Write(folder + "/size", size);
    fake.Write(folder + "/shared_cpu_list", "0");
  };
  cache(0, "1", "Data", "48K");
  cache(1, "3", "Unified", "96M");
  const std::vector<Cache> caches = ReadCaches(fake.root(), std::vector<int>{0});
  ASSERT_EQ(caches.size(), 2U);
  EXPECT_EQ(caches[0].bytes, 48U << 10);
  EXPECT_EQ(caches[1].bytes, 96U << 20);
  EXPECT_EQ(caches[1].level, 3);
  EXPECT_EQ(caches[1].n_instances, 1);
}

TEST(Topology, ThisMachine) {
  const Cpus cpus = ReadCpus();
  EXPECT_GE(cpus.n_allowed, 1);
  EXPECT_GE(cpus.n_online, cpus.n_allowed);
  EXPECT_EQ(DefaultThreadCount(), DefaultThreadCount(cpus));
}

TEST(Host, MemoryWithinTheCgroupsLimit) {
  FakeRoot fake;
  fake.Write("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable:    800 kB\nSwapTotal: 100 kB\nSwapFree: 40 kB");
  fake.Write("/proc/pressure/memory", "some avg10=2.50 avg60=0.00 avg300=0.00 total=0");
  MemoryState memory = ReadMemory(fake.root());
  EXPECT_EQ(memory.total_bytes, 1000U << 10);
  EXPECT_EQ(memory.available_bytes, 800U << 10);
  EXPECT_EQ(memory.swap_used_bytes, 60U << 10);
  EXPECT_EQ(memory.limit_bytes, 0U);
  EXPECT_DOUBLE_EQ(memory.pressure_percent.value_or(-1), 2.5);
  fake.Write("/sys/fs/cgroup/memory.max", "500000");
  fake.Write("/sys/fs/cgroup/memory.current", "400000");
  fake.Write("/sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 100000");
  memory = ReadMemory(fake.root());
  EXPECT_EQ(memory.limit_bytes, 500000U);
  EXPECT_EQ(memory.available_bytes, 200000U);
}

TEST(Host, EveryGroupAroundThisProcessCounts) {
  FakeRoot fake;
  fake.Write("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable:    800 kB");
  fake.Write("/proc/self/cgroup", "0::/user.slice/run.scope");
  fake.Write("/sys/fs/cgroup/user.slice/memory.max", "600000");
  fake.Write("/sys/fs/cgroup/user.slice/memory.current", "500000");
  fake.Write("/sys/fs/cgroup/user.slice/memory.stat", "inactive_file 100000\nactive_file 50000");
  fake.Write("/sys/fs/cgroup/user.slice/run.scope/memory.max", "max");
  MemoryState memory = ReadMemory(fake.root());
  EXPECT_EQ(memory.limit_bytes, 600000U);
  EXPECT_EQ(memory.available_bytes, 250000U);
  fake.Write("/sys/fs/cgroup/user.slice/run.scope/memory.high", "90000");
  memory = ReadMemory(fake.root());
  EXPECT_EQ(memory.limit_bytes, 90000U);
  EXPECT_EQ(memory.available_bytes, 90000U);
  fake.Write("/sys/fs/cgroup/user.slice/run.scope/memory.current", "95000");
  EXPECT_EQ(ReadMemory(fake.root()).available_bytes, 1U);  // nothing is left; 0 would mean that nothing is known
}

TEST(Host, GroupsOfVersion1) {
  FakeRoot fake;
  fake.Write("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable:    800 kB");
  fake.Write("/proc/self/cgroup", "9:cpu,cpuacct:/x\n7:memory:/docker/abc\n0::/");
  fake.Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "700000");
  fake.Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "300000");
  fake.Write("/sys/fs/cgroup/memory/memory.stat", "inactive_file 5\ntotal_inactive_file 100000\ntotal_active_file 1000");
  EXPECT_EQ(ReadMemory(fake.root()).available_bytes, 501000U);
  fake.Write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(ReadMemory(fake.root()).limit_bytes, 700000U);
  fake.Write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "400000");
  EXPECT_EQ(ReadMemory(fake.root()).available_bytes, 400000U);
}

TEST(Host, PowerAndHugePages) {
  FakeRoot fake;
  fake.Write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
  fake.Write("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152");
  EXPECT_EQ(ReadHugePages(fake.root()).mode, "madvise");
  EXPECT_EQ(ReadHugePages(fake.root()).page_bytes, 2U << 20);
  EXPECT_FALSE(ReadPower(fake.root()).on_battery);
  fake.Write("/sys/class/power_supply/AC/type", "Mains");
  fake.Write("/sys/class/power_supply/AC/online", "0");
  fake.Write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave");
  EXPECT_TRUE(ReadPower(fake.root()).on_battery);
  EXPECT_EQ(ReadPower(fake.root()).governor, "powersave");
}

TEST(Host, CpuTimesTellBusyFromIdle) {
  FakeRoot fake;
  fake.Write("/proc/stat", "cpu  10 1 5 100 20 2 3 7 9 9");
  const CpuTimes times = ReadCpuTimes(fake.root());
  EXPECT_EQ(times.busy, 21U);
  EXPECT_EQ(times.stolen, 7U);
  EXPECT_EQ(times.all, 148U);
}

}  // namespace
}  // namespace lfm
