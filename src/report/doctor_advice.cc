// What to change: one rule a thing that was found, the most important first. Thresholds are where a user would notice.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/strings.h"
#include "report/doctor.h"

namespace lfm::report {
namespace {

constexpr double kNoticeableRatio = 1.05;  // ratio of two speeds
constexpr double kBusyPercent = 15;
constexpr uint64_t kLargeFile = uint64_t{256} << 20;

// Types that lfm quantize writes, with the bits of a weight that a whole file has about.
struct FileType {
  const char* name;
  double bits;
};
constexpr std::array<FileType, 6> kFileTypes = {
    {{"Q8_0", 8.5}, {"Q6_K", 6.6}, {"Q5_K_M", 5.7}, {"Q4_K_M", 4.9}, {"Q4_0", 4.6}, {"Q3_K_M", 3.9}}};

std::string PercentText(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", value);
  return text;
}

std::string ThreadsText(int n) { return StrCat(n, n == 1 ? " thread" : " threads"); }

class DoctorRules {
 public:
  DoctorRules(const MachineReport& machine, const ModelReport* model) : machine_(machine), model_(model) {}

  std::vector<Advice> All() {
    Kernels();
    if (model_ != nullptr) Memory();
    Others();
    PowerState();
    Limits();
    ThreadNumber();
    Pages();
    if (model_ != nullptr) File();
    return std::move(advice_);
  }

 private:
  void Add(const char* id, const std::string& text) { advice_.push_back({id, text}); }

  void Kernels() {
    for (const IsaCheck& check : machine_.checks) {
      for (const kernels::KernelCheck& one : check.operations) {
        if (one.n_differing == 0) continue;
        Add("kernel", StrCat("The kernel ", one.operation, " for ", check.isa,
                             " gives other bits than the scalar one on this CPU. "
                             "Please report it with this page; until then use --isa scalar."));
      }
    }
    if (machine_.isa != machine_.best_isa) {
      Add("isa", StrCat("The kernels of ", machine_.isa, " are chosen, but this machine has ", machine_.best_isa,
                        ": leave out --isa and LFM_ISA."));
    }
  }

  // Weights that do not fit are read from the disk again for every token.
  void Memory() {
    const uint64_t free = machine_.memory.available_bytes;
    if (free > 0 && model_->needed_bytes > free) {
      const double bits = 8.0 * static_cast<double>(model_->needed_bytes) /
                          static_cast<double>(std::max<int64_t>(1, model_->description.parameters));
      std::string smaller;
      for (const FileType& type : kFileTypes) {
        const double bytes = type.bits / bits * static_cast<double>(model_->needed_bytes);
        if (type.bits < bits && bytes < 0.9 * static_cast<double>(free) && smaller.empty()) {
          smaller = StrCat("; as ", type.name, " it would need about ", HumanBytes(static_cast<uint64_t>(bytes)));
        }
      }
      Add("memory", StrCat("The weights need ", HumanBytes(model_->needed_bytes), " and ", HumanBytes(free),
                           " is free: end other programs, or use a smaller file", smaller, "."));
    } else if (model_->n_page_faults > 0) {
      Add("page-faults", StrCat("While tokens were made, ", model_->n_page_faults,
                                " pages had to be read from the disk: "
                                "memory is short. End other programs, or use a smaller file."));
    }
  }

  void Others() {
    if (machine_.others_percent > kBusyPercent) {
      Add("busy", StrCat("Other programs kept the CPUs ", PercentText(machine_.others_percent),
                         " busy before anything was measured: end them and measure again."));
    }
    if (machine_.stolen_percent > 5) {
      Add("stolen", StrCat("The hypervisor gave ", PercentText(machine_.stolen_percent),
                           " of the time to other machines; nothing in here can change that."));
    }
    const MemoryState& memory = machine_.memory;
    if (memory.pressure_percent.value_or(0) > 5) {
      Add("pressure",
          StrCat("Programs waited for memory in ", PercentText(*memory.pressure_percent), " of the last ten seconds: end some."));
    } else if (memory.swap_used_bytes > memory.swap_bytes / 2 && memory.available_bytes < memory.total_bytes / 10) {
      Add("swap", StrCat(HumanBytes(memory.swap_used_bytes), " of programs is swapped out and little memory is free: end some."));
    }
  }

  void PowerState() {
    const Power& power = machine_.power;
    if (power.on_battery) Add("battery", "The machine runs on its battery, where many slow down: plug it in.");
    if (power.profile == "low-power" || power.profile == "quiet" || power.profile == "cool") {
      Add("profile",
          StrCat("The power profile is ", power.profile, ": choose balanced or performance (powerprofilesctl set performance)."));
    }
    if (power.preference == "power" || power.preference == "balance_power") {
      Add("preference", StrCat("The CPU is told to prefer saving energy (", power.preference,
                               "): choose performance in the system's power settings."));
    } else if (power.governor == "powersave" && power.preference.empty()) {
      Add("governor",
          "The frequency governor is powersave, which keeps the lowest frequency: "
          "sudo cpupower frequency-set -g schedutil (or performance).");
    }
  }

  void Limits() {
    const Cpus& cpus = machine_.cpus;
    if (cpus.quota > 0 && cpus.quota < cpus.n_fast_cores()) {
      char quota[32];
      std::snprintf(quota, sizeof quota, "%.1f", cpus.quota);
      Add("quota", StrCat("The container pays for ", quota, " CPUs of ", cpus.n_fast_cores(),
                          " cores: raise its limit (--cpus of Docker)."));
    }
    if (cpus.n_allowed < cpus.n_online) {
      Add("affinity", StrCat("This process may use ", cpus.n_allowed, " of ", cpus.n_online,
                             " hardware threads (taskset, cpuset): allow more, if it should have the machine."));
    }
    if (machine_.n_numa_nodes > 1) {
      Add("numa", StrCat("Memory has ", machine_.n_numa_nodes,
                         " nodes. Compare lfm bench with numactl --interleave=all, and "
                         "with numactl --cpunodebind=0 --membind=0 where a node holds the weights."));
    }
  }

  // What decode measured, else what reading memory did. On a busy machine both tell more of the others.
  void ThreadNumber() {
    if (machine_.others_percent > kBusyPercent) return;
    if (model_ != nullptr && model_->decode.now_ts > 0) {
      const Speed* best = &model_->decode;
      for (const Speed& one : model_->decode_by_threads) {
        if (one.now_ts > best->now_ts) best = &one;
      }
      if (best->now_ts > kNoticeableRatio * model_->decode.now_ts) {
        Add("threads",
            StrCat(ThreadsText(best->n_threads), " decoded ", PercentText(100 * (best->now_ts / model_->decode.now_ts - 1)),
                   " faster here than ", machine_.n_threads, ": use -t ", best->n_threads, "."));
      }
      return;
    }
    const ThreadBandwidth& best = machine_.best_bandwidth();
    for (const ThreadBandwidth& one : machine_.bandwidths) {
      if (one.n_threads != machine_.n_threads || best.bytes_per_s <= kNoticeableRatio * one.bytes_per_s) continue;
      Add("threads",
          StrCat(ThreadsText(best.n_threads), " read memory ", PercentText(100 * (best.bytes_per_s / one.bytes_per_s - 1)),
                 " faster than ", machine_.n_threads, ": try -t ", best.n_threads, " and compare lfm bench."));
    }
  }

  void Pages() {
    if (machine_.huge_pages.mode != "never") return;
    Add("huge-pages", "Huge pages are off: echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
  }

  void File() {
    const engine::Description& description = model_->description;
    const double bits =
        8.0 * static_cast<double>(description.file_bytes) / static_cast<double>(std::max<int64_t>(1, description.parameters));
    if (description.file_bytes >= kLargeFile && bits > 6 && model_->decode.limit_name == "memory") {
      const FileType target = bits > 9 ? kFileTypes[0] : kFileTypes[3];
      Add("file-type", StrCat("A token reads ", HumanBytes(static_cast<uint64_t>(model_->decode_work.read_bytes)), ". As ",
                              target.name, " it would read about ", PercentText(100 * target.bits / bits),
                              " of that, and decode so much faster: lfm quantize, and docs/which-file.md for what it loses."));
    }
    if (!model_->packed && description.file_bytes >= kLargeFile) {
      Add("pack", "Each start rearranges the weights: lfm pack does it once, and then the weights are shared between processes.");
    }
    if (model_->disk && model_->disk->bytes_per_s < 200e6 && description.file_bytes >= kLargeFile) {
      Add("disk", StrCat("The file lies on a slow disk: the first start takes about ",
                         static_cast<int64_t>(std::ceil(static_cast<double>(description.file_bytes) / model_->disk->bytes_per_s)),
                         " s. Move it to a faster one."));
    }
  }

  const MachineReport& machine_;
  const ModelReport* model_;
  std::vector<Advice> advice_;
};

}  // namespace

std::vector<Advice> Advise(const MachineReport& machine, const ModelReport* model) { return DoctorRules(machine, model).All(); }

}  // namespace lfm::report
