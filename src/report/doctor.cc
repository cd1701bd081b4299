#include "report/doctor.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>
#include <thread>

#include "base/path_name.h"
#include "base/strings.h"
#include "report/bench.h"

namespace lfm::report {
namespace {

constexpr int64_t kDecodeTokens = 32, kPrefillTokens = 512, kShortPrefillTokens = 128;
constexpr double kPatience = 3;  // seconds that a prefill may take at the machine's limit

Status BeginStep(const DoctorProgress& progress, std::string_view name) {
  if (progress && !progress(name)) return Error{ErrorCode::kCancelled, "interrupted"};
  return Ok();
}

// How busy the hardware threads are while we sleep.
void WatchOthers(MachineReport& report) {
  const CpuTimes before = ReadCpuTimes();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const CpuTimes after = ReadCpuTimes();
  const auto all = static_cast<double>(after.all - before.all);
  if (all <= 0) return;
  report.others_percent = 100 * static_cast<double>(after.busy - before.busy) / all;
  report.stolen_percent = 100 * static_cast<double>(after.stolen - before.stolen) / all;
}

// 1, 2, 4, ... and the numbers that mean something here: the default, a thread a core, all that may run at once.
std::vector<int> ThreadCounts(const MachineReport& report) {
  const int quota = report.cpus.quota > 0 ? std::max(1, static_cast<int>(std::ceil(report.cpus.quota))) : 1 << 20;
  const int most = std::max(1, std::min(report.cpus.n_allowed, quota));
  std::set<int> counts = {report.n_threads, most};
  for (int n = 1; n < most; n *= 2) counts.insert(n);
  if (const int n = static_cast<int>(report.cpus.cores.size()); n > 0 && n < most) counts.insert(n);
  return {counts.begin(), counts.end()};
}

// Threads share the operations; a kernel never sees them.
IsaCheck CheckIsa(kernels::Isa isa, const kernels::Table& scalar, Threads& threads) {
  const std::unique_ptr<kernels::Table> table = kernels::BuildUnchecked(isa);
  IsaCheck check;
  check.isa = kernels::IsaName(isa);
  for (const auto& [operation, from] : table->chosen) {
    if (from == check.isa) check.operations.push_back({operation});
  }
  threads.For(static_cast<int64_t>(check.operations.size()), 1, [&](int64_t first, int64_t last, int) {
    for (int64_t i = first; i < last; ++i) {
      kernels::KernelCheck& one = check.operations[static_cast<size_t>(i)];
      one = kernels::CheckOperation(scalar, *table, one.operation);
    }
  });
  return check;
}

int64_t MajorFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_majflt;
}

Speed LimitOf(const Work& work, const Roofline& roofline, int64_t n_tokens, int n_threads) {
  Speed speed;
  speed.n_tokens = n_tokens;
  speed.n_threads = n_threads;
  speed.limit_name = LimitName(work, roofline);
  const double least = LeastSeconds(work, roofline);
  if (least > 0) speed.limit_ts = static_cast<double>(n_tokens) / least;
  return speed;
}

}  // namespace

int IsaCheck::n_failed() const {
  return static_cast<int>(
      std::count_if(operations.begin(), operations.end(), [](const kernels::KernelCheck& one) { return one.n_differing > 0; }));
}

int IsaCheck::n_cases() const {
  int n = 0;
  for (const kernels::KernelCheck& one : operations) n += one.n_cases;
  return n;
}

const ThreadBandwidth& MachineReport::best_bandwidth() const {
  static const ThreadBandwidth none;
  double best = 0;
  for (const ThreadBandwidth& one : bandwidths) best = std::max(best, one.bytes_per_s);
  for (const ThreadBandwidth& one : bandwidths) {
    if (one.bytes_per_s >= 0.98 * best) return one;
  }
  return none;
}

Roofline MachineReport::roofline() const {
  Roofline roofline;
  for (const ThreadBandwidth& one : bandwidths) roofline.read.sustained = std::max(roofline.read.sustained, one.bytes_per_s);
  for (const IsaPeak& peak : peaks) {
    if (peak.isa != isa) continue;
    roofline.int8_ops_per_s = peak.int8_ops_per_s;
    roofline.f32_ops_per_s = peak.f32_ops_per_s;
  }
  roofline.cache_bytes = LastLevelBytes(caches);
  return roofline;
}

Result<MachineReport> ExamineMachine(int n_threads, const std::string& isa, const DoctorProgress& progress) {
  MachineReport report;
  LFM_TRY(const kernels::Table* chosen, kernels::Select(isa));
  LFM_TRY(const kernels::Table* best, kernels::Select(""));
  LFM_TRY(const kernels::Table* scalar, kernels::Select("scalar"));
  LFM_RETURN_IF_ERROR(BeginStep(progress, "looking around"));
  WatchOthers(report);
  report.system = ReadSystemName();
  report.cpu_name = ReadCpuName();
  report.cpus = ReadCpus();
  report.caches = ReadCaches();
  report.n_numa_nodes = CountNumaNodes();
  report.memory = ReadMemory();
  report.huge_pages = ReadHugePages();
  report.power = ReadPower();
  report.threads_given = n_threads > 0;
  report.n_threads = n_threads > 0 ? n_threads : DefaultThreadCount(report.cpus);
  report.isa = chosen->isa;
  report.best_isa = best->isa;
  for (const kernels::Isa one : kernels::DetectIsas()) report.isas.emplace_back(kernels::IsaName(one));

  for (const int n : ThreadCounts(report)) {
    LFM_RETURN_IF_ERROR(BeginStep(progress, StrCat("memory, ", n, n == 1 ? " thread" : " threads")));
    Threads threads(n);
    report.bandwidths.push_back({n, MeasureReadBandwidth(*chosen, threads).sustained});
  }
  Threads threads(report.n_threads);
  for (const std::string& name : report.isas) {
    LFM_RETURN_IF_ERROR(BeginStep(progress, StrCat("arithmetic, ", name)));
    LFM_TRY(const kernels::Table* table, kernels::Select(name));
    report.peaks.push_back({name, MeasureInt8Peak(*table, threads), MeasureF32Peak(*table, threads)});
  }
  for (const kernels::Isa one : kernels::DetectIsas()) {
    if (one == kernels::Isa::kScalar) continue;  // what the others are compared with
    LFM_RETURN_IF_ERROR(BeginStep(progress, StrCat("checking kernels, ", kernels::IsaName(one))));
    report.checks.push_back(CheckIsa(one, *scalar, threads));
  }
  return report;
}

Result<ModelReport> ExamineFile(const formats::Checkpoint& checkpoint, const MachineReport& machine,
                                const engine::LoadOptions& options, const DoctorProgress& progress) {
  ModelReport report;
  report.file_name = NameOfPath(checkpoint.path);
  const bool f32 = options.compute == model::Compute::kF32;
  const auto kv_type = options.kv_type.value_or(f32 ? kernels::KvType::kF32 : kernels::KvType::kI16);
  LFM_TRY(report.description, engine::Describe(checkpoint, kv_type));
  report.packed = !checkpoint.packed.bytes.empty();
  report.needed_bytes = report.packed ? checkpoint.packed.bytes.size() : checkpoint.n_bytes;

  const MappedFile* largest = nullptr;
  for (const MappedFile& file : checkpoint.files) {
    if (largest == nullptr || file.bytes().size() > largest->bytes().size()) largest = &file;
  }
  if (largest != nullptr) {
    LFM_RETURN_IF_ERROR(BeginStep(progress, "reading the file from its disk"));
    const auto speed = MeasureDiskSpeed(largest->path());
    if (speed.ok()) report.disk = *speed;
    if (!speed.ok()) report.disk_error = "the file could not be read";
  }

  const model::Config& config = report.description.config;
  const Roofline roofline = machine.roofline();
  StepShape shape{1, 0, options.compute, kv_type};
  report.decode_work = CountWork(checkpoint, config, shape);
  report.decode = LimitOf(report.decode_work, roofline, 1, machine.n_threads);
  report.decode.n_tokens = std::min<int64_t>(kDecodeTokens, config.context_length);
  shape.n_tokens = std::min(kPrefillTokens, config.context_length);
  report.prefill_work = CountWork(checkpoint, config, shape);
  if (LeastSeconds(report.prefill_work, roofline) > kPatience) {
    shape.n_tokens = std::min(kShortPrefillTokens, config.context_length);
    report.prefill_work = CountWork(checkpoint, config, shape);
  }
  report.prefill = LimitOf(report.prefill_work, roofline, shape.n_tokens, machine.n_threads);
  return report;
}

Status MeasureModel(engine::LoadedModel& model, Threads& threads, const MachineReport& machine, ModelReport& report,
                    const DoctorProgress& progress) {
  const auto cancelled = [&] { return progress && !progress(""); };
  const auto measure = [&](const BenchCase& test, Threads& team, int64_t repetitions) -> Result<double> {
    LFM_TRY(const BenchRow row, RunBench(model, team, test, repetitions, kPrefillTokens, false, cancelled));
    return *std::max_element(row.samples_ts.begin(), row.samples_ts.end());
  };
  LFM_RETURN_IF_ERROR(BeginStep(progress, "decode"));
  const int64_t faults_before = MajorFaults();
  LFM_TRY(report.decode.now_ts, measure({0, report.decode.n_tokens}, threads, 3));
  report.n_page_faults = MajorFaults() - faults_before;

  std::set<int> others = {machine.best_bandwidth().n_threads, static_cast<int>(machine.cpus.cores.size()),
                          machine.bandwidths.back().n_threads};
  others.erase(0);
  others.erase(machine.n_threads);
  if (machine.threads_given) others.clear();
  for (const int n : others) {
    LFM_RETURN_IF_ERROR(BeginStep(progress, StrCat("decode, ", n, n == 1 ? " thread" : " threads")));
    Threads team(n);
    Speed speed = report.decode;
    speed.n_threads = n;
    LFM_TRY(speed.now_ts, measure({0, report.decode.n_tokens}, team, 2));
    report.decode_by_threads.push_back(speed);
  }
  LFM_RETURN_IF_ERROR(BeginStep(progress, "prefill"));
  LFM_TRY(report.prefill.now_ts, measure({report.prefill.n_tokens, 0}, threads, 1));
  return Ok();
}

}  // namespace lfm::report
