#include "cli/doctor_page.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "cli/figures.h"
#include "cli/output.h"
#include "cli/tuned.h"
#include "cli/version.h"

namespace lfm::cli {
namespace {

constexpr size_t kPageWidth = 100;

std::string PageRow(const std::string& label, const std::string& value) {
  return "  " + label + std::string(label.size() < 16 ? 16 - label.size() : 1, ' ') + value + "\n";
}

std::string Plural(int64_t n, const char* noun) { return StrCat(n, " ", noun, n == 1 ? "" : "s"); }

// 1.2345e12 -> "1.23 T"; three digits that mean something.
std::string Scaled(double value) {
  constexpr std::pair<double, const char*> kUnits[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1, " "}};
  for (const auto& [size, unit] : kUnits) {
    if (value < size) continue;
    const double scaled = value / size;
    return Fixed(scaled, scaled < 10 ? 2 : scaled < 100 ? 1 : 0) + unit;
  }
  return "0 ";
}

std::string PerSecond(double tokens) { return tokens > 0 ? Fixed(tokens, tokens < 100 ? 1 : 0) : "-"; }

// "32.00 KiB" -> "32 KiB": sizes of hardware are whole.
std::string WholeBytes(uint64_t bytes) {
  std::string text = HumanBytes(bytes);
  if (const size_t at = text.find(".00"); at != std::string::npos) text.erase(at, 3);
  return text;
}

// Words in lines, each behind `indent` spaces.
std::string Wrapped(const std::string& text, size_t indent) {
  std::string out, line;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && indent + line.size() + 1 + word.size() > kPageWidth) {
      out += (out.empty() ? "" : std::string(indent, ' ')) + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  return out + (out.empty() ? "" : std::string(indent, ' ')) + line + "\n";
}

std::string CoresText(const report::MachineReport& machine) {
  const Cpus& cpus = machine.cpus;
  std::string text = Plural(static_cast<int64_t>(cpus.cores.size()), "core");
  const int n_slow = static_cast<int>(cpus.cores.size()) - cpus.n_fast_cores();
  if (n_slow > 0) text += StrCat(" (", cpus.n_fast_cores(), " fast, ", n_slow, " slow)");
  text += StrCat(", ", Plural(cpus.n_allowed, "hardware thread"));
  if (cpus.n_allowed < cpus.n_online) text += StrCat(" of ", cpus.n_online, " (affinity)");
  if (cpus.quota > 0) text += StrCat("; the container pays for ", Fixed(cpus.quota, 1));
  return text;
}

std::string CachesText(const report::MachineReport& machine) {
  std::string text;
  for (const Cache& cache : machine.caches) {
    if (cache.kind == "Instruction") continue;
    text += StrCat(text.empty() ? "" : ", ", "L", cache.level, " ");
    if (cache.n_instances > 1) text += StrCat(cache.n_instances, " x ");
    text += WholeBytes(cache.bytes);
  }
  return text.empty() ? "unknown" : text;
}

std::string PowerText(const Power& power) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (!power.driver.empty()) add(power.driver);
  if (!power.governor.empty()) add("governor " + power.governor);
  if (!power.preference.empty()) add("preference " + power.preference);
  if (!power.profile.empty()) add("profile " + power.profile);
  if (power.on_battery) add("on battery");
  return text.empty() ? "not told (as in most virtual machines)" : text;
}

std::string ProcessorPart(const report::MachineReport& machine) {
  std::string isas;
  for (const std::string& isa : machine.isas) isas += (isas.empty() ? "" : ", ") + isa;
  return "Processor\n" + PageRow("name", machine.cpu_name.empty() ? "unknown" : machine.cpu_name) +
         PageRow("cores", CoresText(machine)) +
         PageRow("threads", StrCat(machine.n_threads, machine.threads_given ? ", as told" : ", the default here")) +
         PageRow("instructions", StrCat(isas, "; ", machine.isa, " is chosen")) + PageRow("caches", CachesText(machine)) +
         "  prefetching     " + Wrapped(TuningLine(machine), 18) + PageRow("memory nodes", StrCat(machine.n_numa_nodes)) +
         PageRow("power", PowerText(machine.power)) +
         PageRow("other programs", StrCat(Fixed(machine.others_percent, 0), " % of the CPUs' time, before anything was measured",
                                          machine.stolen_percent >= 0.5
                                              ? StrCat("; ", Fixed(machine.stolen_percent, 0), " % taken by the hypervisor")
                                              : ""));
}

std::string MemoryPart(const report::MachineReport& machine) {
  const MemoryState& memory = machine.memory;
  std::string free = StrCat(HumanBytes(memory.available_bytes), " of ", HumanBytes(memory.total_bytes));
  if (memory.limit_bytes > 0) free += StrCat("; the limit of container or process is ", HumanBytes(memory.limit_bytes));
  std::string swap = memory.swap_bytes == 0
                         ? "none"
                         : StrCat(HumanBytes(memory.swap_used_bytes), " of ", HumanBytes(memory.swap_bytes), " used");
  if (memory.pressure_percent)
    swap += StrCat("; programs waited for memory ", Fixed(*memory.pressure_percent, 1), " % of the time");
  const HugePages& pages = machine.huge_pages;
  return "\nMemory\n" + PageRow("free", free) + PageRow("swap", swap) +
         PageRow("huge pages", pages.mode.empty() ? "none" : StrCat(pages.mode, ", of ", WholeBytes(pages.page_bytes)));
}

std::string LimitsPart(const report::MachineReport& machine) {
  std::string text = "\nLimits, measured\n";
  for (const report::ThreadBandwidth& one : machine.bandwidths) {
    text += PageRow(&one == &machine.bandwidths.front() ? "memory" : "",
                    RightAligned(Plural(one.n_threads, "thread"), 12) + RightAligned(Scaled(one.bytes_per_s) + "B/s", 14));
  }
  for (const report::IsaPeak& peak : machine.peaks) {
    text += PageRow(&peak == &machine.peaks.front() ? "arithmetic" : "",
                    RightAligned(peak.isa, 12) + RightAligned(Scaled(peak.int8_ops_per_s) + "op/s int8", 19) +
                        RightAligned(Scaled(peak.f32_ops_per_s) + "op/s f32", 18) + (peak.isa == machine.isa ? "   chosen" : ""));
  }
  return text;
}

std::string KernelsPart(const report::MachineReport& machine) {
  std::string text = "\nKernels, compared with the scalar ones bit by bit\n";
  for (const report::IsaCheck& check : machine.checks) {
    const int n = static_cast<int>(check.operations.size());
    text += PageRow(check.isa, StrCat(n - check.n_failed(), " of ", n, " pass (", check.n_cases(), " cases)"));
    std::string pass;
    for (const kernels::KernelCheck& one : check.operations) {
      if (one.n_differing == 0) pass += (pass.empty() ? "" : " ") + one.operation;
      if (one.n_differing > 0) {
        text += PageRow("  FAIL", StrCat(one.operation, ": ", one.n_differing, " of ", one.n_cases, " cases differ"));
      }
    }
    if (!pass.empty()) text += "    pass          " + Wrapped(pass, 18);
  }
  return machine.checks.empty() ? text + PageRow("scalar", "is all that this machine has: nothing to compare") : text;
}

std::string SpeedLine(const std::string& label, const report::Speed& speed) {
  const bool known = speed.now_ts > 0 && speed.limit_ts > 0;
  return PageRow(label, RightAligned(StrCat(speed.n_threads), 8) + RightAligned(PerSecond(speed.limit_ts), 14) +
                            RightAligned(PerSecond(speed.now_ts), 12) +
                            RightAligned(known ? StrCat(Fixed(100 * speed.now_ts / speed.limit_ts, 0), " %") : "-", 10) + "   " +
                            speed.limit_name);
}

std::string ModelPart(const report::MachineReport& machine, const report::ModelReport& model) {
  const engine::Description& d = model.description;
  std::string text = StrCat("\nModel ", model.file_name, "\n");
  if (d.config.random_weights)
    text += PageRow("RANDOM WEIGHTS", "written by lfm synth: the speed is real, the answers are random");
  text += PageRow("file", StrCat(d.config.architecture, ", ", d.config.file_type, ", ", HumanBytes(d.file_bytes),
                                 model.packed ? ", packed" : ", not packed"));
  text += PageRow("parameters", StrCat(HumanCount(static_cast<double>(d.parameters)), ", ",
                                       HumanCount(static_cast<double>(d.active_parameters)), " active for a token"));
  text += PageRow("memory", StrCat(HumanBytes(model.needed_bytes), " for the weights, ",
                                   HumanBytes(machine.memory.available_bytes), " free"));
  if (model.disk) {
    text += PageRow("disk", StrCat(Scaled(model.disk->bytes_per_s), "B/s (", HumanBytes(model.disk->n_bytes), " read, ",
                                   report::DiskMethodName(model.disk->method), ")"));
  } else {
    text += PageRow("disk", StrCat("not measured: ", model.disk_error.empty() ? "no file" : model.disk_error));
  }
  const report::Work& one = model.decode_work;
  text += PageRow("a token reads", StrCat(HumanBytes(static_cast<uint64_t>(one.read_bytes)), " and takes ",
                                          Scaled(one.int8_operations), "op in int8, ", Scaled(one.f32_operations), "op in f32"));
  if (report::MemorySeconds(one, machine.roofline()) <= 0) {
    text +=
        PageRow("", StrCat("which fits into the cache (", WholeBytes(machine.roofline().cache_bytes), "): memory is no limit"));
  }
  text += "\n" + PageRow("", RightAligned("threads", 8) + RightAligned("at most", 14) + RightAligned("now", 12) +
                                 RightAligned("", 10) + "   limit");
  text += SpeedLine(StrCat("decode ", model.decode.n_tokens), model.decode);
  for (const report::Speed& speed : model.decode_by_threads) text += SpeedLine("", speed);
  text += SpeedLine(StrCat("prefill ", model.prefill.n_tokens), model.prefill);
  text += PageRow("", "tokens per second");
  if (!model.not_measured.empty()) text += PageRow("now", "not measured: " + model.not_measured);
  if (model.n_page_faults > 0)
    text += PageRow("page faults", StrCat(model.n_page_faults, " pages came from the disk while tokens were made"));
  return text;
}

std::string AdvicePart(const std::vector<report::Advice>& list) {
  std::string text = "\nWhat to change\n";
  if (list.empty()) return text + "  nothing that was found\n";
  for (size_t i = 0; i < list.size(); ++i) text += StrCat("  ", i + 1, ". ", Wrapped(list[i].text, 5));
  return text;
}

}  // namespace

std::string DoctorPage(const report::MachineReport& machine, const report::ModelReport* model) {
  std::string text;  // "lfm 0.1.0, commit ..., compiler ...": all lines of the version but the last, which is the ISA
  const std::string version = VersionText();
  for (const char c : version.substr(0, version.find("\nISA"))) text += c == '\n' ? ", " : std::string(1, c);
  text += StrCat("\n", machine.system, "\n\n");
  text += ProcessorPart(machine) + MemoryPart(machine) + LimitsPart(machine) + KernelsPart(machine);
  text += model != nullptr ? ModelPart(machine, *model) : "\nNo model was named; -m MODEL adds its speed and the disk's.\n";
  return text + AdvicePart(report::Advise(machine, model));
}

}  // namespace lfm::cli
