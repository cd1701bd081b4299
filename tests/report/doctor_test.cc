// The doctor: work counted from headers against what the model counts while it runs, the rules of its advice, and a report
// that names nobody.
#include "report/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "report/bench.h"
#include "support/temp_folder.h"

namespace lfm::report {
namespace {

const std::string kData = LFM_TEST_DATA;

// A machine without anything to complain about.
MachineReport GoodMachine() {
  MachineReport machine;
  machine.cpus.n_online = machine.cpus.n_allowed = 8;
  machine.cpus.cores.resize(8);
  machine.memory = {uint64_t{16} << 30, uint64_t{12} << 30, 0, 0, 0, 0.0};
  machine.huge_pages = {"madvise", uint64_t{2} << 20};
  machine.n_threads = 8;
  machine.isa = machine.best_isa = "avx2";
  machine.isas = {"avx2", "scalar"};
  machine.bandwidths = {{1, 10e9}, {4, 38e9}, {8, 40e9}};
  machine.peaks = {{"avx2", 1e12, 0.25e12}, {"scalar", 1e10, 1e10}};
  machine.checks = {{"avx2", {{"add", 6, 0}}}};
  return machine;
}

ModelReport GoodModel() {
  ModelReport model;
  model.description.parameters = int64_t{8} << 30;
  model.description.file_bytes = model.needed_bytes = uint64_t{5} << 30;
  model.packed = true;
  model.decode = {32, 8, 40, "memory", 30};
  model.prefill = {512, 8, 400, "arithmetic", 200};
  model.decode_work.read_bytes = 1e9;
  return model;
}

std::vector<std::string> Ids(const MachineReport& machine, const ModelReport* model = nullptr) {
  std::vector<std::string> ids;
  for (const Advice& advice : Advise(machine, model)) {
    EXPECT_FALSE(advice.text.empty());
    ids.push_back(advice.id);
  }
  return ids;
}
using Strings = std::vector<std::string>;

TEST(Limits, HeadersTellTheWorkThatARunCounts) {
  Threads threads(2);
  for (const char* name : {"/gguf/mini-lfm2-moe-Q4_0.gguf", "/gguf/mini-lfm2-moe-Q4_K_M.gguf", "/gguf/mini-lfm2-IQ4_XS.gguf",
                           "/models/tiny-lfm25-moe", "/models/tiny-lfm2"}) {
    SCOPED_TRACE(name);
    const auto checkpoint = formats::OpenCheckpoint(kData + name);
    ASSERT_TRUE(checkpoint.ok());
    const auto model = engine::LoadedModel::Load(*checkpoint, threads);
    ASSERT_TRUE(model.ok());
    for (const BenchCase& test : {BenchCase{0, 1}, BenchCase{0, 1, 70}, BenchCase{40, 0}}) {
      const auto row = RunBench(**model, threads, test, 1, 512, false);
      ASSERT_TRUE(row.ok());
      const Work counted = WorkOf(row->profile);
      const int64_t n = test.n_prompt + test.n_gen;
      const Work work = CountWork(*checkpoint, (*model)->config(), {n, test.n_depth});
      EXPECT_DOUBLE_EQ(work.int8_operations, counted.int8_operations) << test.name();
      EXPECT_DOUBLE_EQ(work.f32_operations, counted.f32_operations) << test.name();
      // Rows are padded to units; and which experts many tokens meet is not known before.
      EXPECT_NEAR(work.read_bytes, counted.read_bytes, (n > 1 ? 0.3 : 0.05) * counted.read_bytes) << test.name();
      EXPECT_EQ(counted.n_steps, 1);
    }
  }
}

TEST(Limits, F32ComputeHasNoIntegerProducts) {
  const auto checkpoint = formats::OpenCheckpoint(kData + "/gguf/mini-lfm2-moe-Q4_0.gguf");
  ASSERT_TRUE(checkpoint.ok());
  const auto config = model::ReadConfig(*checkpoint);
  ASSERT_TRUE(config.ok());
  const Work q8 = CountWork(*checkpoint, *config, {});
  const Work f32 = CountWork(*checkpoint, *config, {1, 0, model::Compute::kF32});
  EXPECT_GT(q8.int8_operations, 0);
  EXPECT_EQ(f32.int8_operations, 0);
  EXPECT_DOUBLE_EQ(f32.f32_operations, q8.operations());
}

TEST(Limits, TheSlowerOfMemoryAndArithmetic) {
  const Work work{1e9, 1e9, 1e8, 1};
  EXPECT_DOUBLE_EQ(LeastSeconds(work, {{1e10, 1e10}, 1e12, 1e12, 0}), 0.1);
  EXPECT_STREQ(LimitName(work, {{1e10, 1e10}, 1e12, 1e12, 0}), "memory");
  EXPECT_DOUBLE_EQ(LeastSeconds(work, {{1e12, 1e12}, 1e9, 1e9, 0}), 1.1);
  EXPECT_STREQ(LimitName(work, {{1e12, 1e12}, 1e9, 1e9, 0}), "arithmetic");
  // What fits into the cache is not limited by memory, whatever that can do; a step's bytes count, not all steps'.
  EXPECT_EQ(MemorySeconds(work, {{1, 1}, 1e9, 1e9, 1000000000}), 0);
  EXPECT_EQ(MemorySeconds({1e9, 0, 0, 10}, {{1, 1}, 1e9, 1e9, 100000000}), 0);
  EXPECT_GT(MemorySeconds({1e9, 0, 0, 9}, {{1, 1}, 1e9, 1e9, 100000000}), 0);
}

TEST(Advice, AGoodMachineGetsNone) {
  EXPECT_EQ(Ids(GoodMachine()), Strings());
  const ModelReport model = GoodModel();
  EXPECT_EQ(Ids(GoodMachine(), &model), Strings());
}

TEST(Advice, OneRuleAThing) {
  const auto with = [](auto change) {
    MachineReport machine = GoodMachine();
    change(machine);
    return Ids(machine);
  };
  EXPECT_EQ(with([](auto& m) { m.checks[0].operations[0].n_differing = 1; }), Strings{"kernel"});
  EXPECT_EQ(with([](auto& m) { m.isa = "scalar"; }), Strings{"isa"});
  EXPECT_EQ(with([](auto& m) { m.others_percent = 40; }), Strings{"busy"});
  EXPECT_EQ(with([](auto& m) { m.stolen_percent = 10; }), Strings{"stolen"});
  EXPECT_EQ(with([](auto& m) { m.memory.pressure_percent = 20; }), Strings{"pressure"});
  EXPECT_EQ(with([](auto& m) {
              m.memory.swap_bytes = 100;
              m.memory.swap_used_bytes = 90;
              m.memory.available_bytes = 1000;
            }),
            Strings{"swap"});
  EXPECT_EQ(with([](auto& m) { m.power.on_battery = true; }), Strings{"battery"});
  EXPECT_EQ(with([](auto& m) { m.power.profile = "low-power"; }), Strings{"profile"});
  EXPECT_EQ(with([](auto& m) { m.power.governor = "powersave"; }), Strings{"governor"});
  EXPECT_EQ(with([](auto& m) {  // the usual state of a driver that has preferences
              m.power.governor = "powersave";
              m.power.preference = "balance_performance";
            }),
            Strings());
  EXPECT_EQ(with([](auto& m) { m.power.preference = "power"; }), Strings{"preference"});
  EXPECT_EQ(with([](auto& m) { m.cpus.quota = 2; }), Strings{"quota"});
  EXPECT_EQ(with([](auto& m) { m.cpus.n_online = 16; }), Strings{"affinity"});
  EXPECT_EQ(with([](auto& m) { m.n_numa_nodes = 2; }), Strings{"numa"});
  EXPECT_EQ(with([](auto& m) { m.bandwidths[2].bytes_per_s = 30e9; }), Strings{"threads"});
  EXPECT_EQ(with([](auto& m) { m.huge_pages.mode = "never"; }), Strings{"huge-pages"});
}

TEST(Advice, OfAModel) {
  const auto with = [](auto change) {
    ModelReport model = GoodModel();
    change(model);
    return Ids(GoodMachine(), &model);
  };
  EXPECT_EQ(with([](auto& m) { m.needed_bytes = uint64_t{14} << 30; }), Strings{"memory"});
  EXPECT_EQ(with([](auto& m) { m.n_page_faults = 3; }), Strings{"page-faults"});
  EXPECT_EQ(with([](auto& m) { m.packed = false; }), Strings{"pack"});
  EXPECT_EQ(with([](auto& m) { m.description.file_bytes = uint64_t{9} << 30; }), Strings{"file-type"});
  EXPECT_EQ(with([](auto& m) { m.disk = DiskSpeed{100e6, 1, DiskMethod::kDirect}; }), Strings{"disk"});
  EXPECT_EQ(with([](auto& m) { m.decode_by_threads = {{32, 4, 40, "memory", 35}}; }), Strings{"threads"});
  EXPECT_EQ(with([](auto& m) { m.decode_by_threads = {{32, 4, 40, "memory", 31}}; }), Strings());
}

TEST(Disk, ReadsAFileAndRefusesWhatIsNone) {
  const test::TempFolder folder;
  const std::string path = folder.Write("weights", std::string((size_t{9} << 20) + 123, 'w'));
  const auto speed = MeasureDiskSpeed(path);
  ASSERT_TRUE(speed.ok()) << speed.error().message;
  EXPECT_EQ(speed->n_bytes, (uint64_t{9} << 20) + 123);
  EXPECT_GT(speed->bytes_per_s, 0);
  EXPECT_FALSE(MeasureDiskSpeed(folder / "none").ok());
  EXPECT_FALSE(MeasureDiskSpeed(folder.Write("empty", "")).ok());
  EXPECT_FALSE(MeasureDiskSpeed(folder.path()).ok());
}

TEST(Machine, ProbesMemoryRoundAndRound) {
  Threads threads(2);
  ReadProbe probe(*kernels::Select("").value(), threads, (int64_t{1} << 20) + 12345);
  EXPECT_EQ(probe.speed().sustained, 0);
  for (int i = 0; i < 40; ++i) EXPECT_GT(probe.Pass(), 0);
  EXPECT_GT(probe.speed().sustained, 0);
  EXPECT_GE(probe.speed().best, probe.speed().sustained);

  ReadProbe none(*kernels::Select("").value(), threads, int64_t{1} << 60);  // more than there is
  EXPECT_EQ(none.Pass(), 0);
  EXPECT_EQ(none.speed().best, 0);
}

TEST(Doctor, ExaminesThisMachineAndAModel) {
  std::vector<std::string> steps;
  const auto progress = [&](std::string_view step) {
    if (!step.empty()) steps.emplace_back(step);
    return true;
  };
  const auto machine = ExamineMachine(1, "", progress);
  ASSERT_TRUE(machine.ok()) << machine.error().message;
  EXPECT_GT(steps.size(), 3U);
  EXPECT_EQ(machine->n_threads, 1);
  EXPECT_EQ(machine->isa, machine->best_isa);
  EXPECT_EQ(machine->peaks.size(), machine->isas.size());
  EXPECT_GT(machine->roofline().read.sustained, 0);
  EXPECT_GT(machine->roofline().int8_ops_per_s, 0);
  EXPECT_GT(machine->roofline().f32_ops_per_s, 0);
  for (const IsaCheck& check : machine->checks) {
    EXPECT_FALSE(check.operations.empty()) << check.isa;
    EXPECT_EQ(check.n_failed(), 0) << check.isa;
  }

  const auto checkpoint = formats::OpenCheckpoint(kData + "/gguf/mini-lfm2-moe-Q4_0.gguf");
  ASSERT_TRUE(checkpoint.ok());
  auto report = ExamineFile(*checkpoint, *machine, {}, progress);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->file_name, "mini-lfm2-moe-Q4_0.gguf");
  EXPECT_GT(report->decode.limit_ts, 0);
  EXPECT_EQ(report->decode.now_ts, 0);
  Threads threads(1);
  const auto model = engine::LoadedModel::Load(*checkpoint, threads);
  ASSERT_TRUE(model.ok());
  ASSERT_TRUE(MeasureModel(**model, threads, *machine, *report, progress).ok());
  EXPECT_GT(report->decode.now_ts, 0);
  EXPECT_GT(report->prefill.now_ts, 0);
  const std::string json = DoctorJson(*machine, &*report).Dump();
  EXPECT_EQ(json.find(kData), std::string::npos);
  EXPECT_NE(json.find("\"percent_of_limit\""), std::string::npos);
}

TEST(Doctor, StopsWhenToldTo) {
  const auto machine = ExamineMachine(0, "", [](std::string_view) { return false; });
  ASSERT_FALSE(machine.ok());
  EXPECT_EQ(machine.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(ExamineMachine(0, "abacus", {}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace lfm::report
