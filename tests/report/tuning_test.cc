// What `lfm doctor --tune` measures and keeps.
#include "report/tuning.h"

#include <gtest/gtest.h>

#include "support/temp_folder.h"

namespace lfm::report {
namespace {

Tuning SomeTuning() {
  return {{"Some \"CPU\" 3000", "avx2", "1.2.3"},
          {{TensorType::kQ4_0, {8192, 1024}}, {TensorType::kBF16, {0, kernels::kMostAhead}}, {TensorType::kQ4_K, {0, 0}}}};
}

TEST(Tuning, TextIsReadBackTheSame) {
  for (const Tuning& tuning : {SomeTuning(), Tuning{{"", "amx", ""}, {}}}) {
    const auto again = ReadTuning(TuningText(tuning));
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(*again, tuning);
  }
}

TEST(Tuning, WhatIsNoneIsRefused) {
  const std::string good = TuningText(SomeTuning());
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return text;
  };
  for (const std::string& text : {
           std::string(),
           std::string("[]"),
           std::string("null"),
           good.substr(0, good.size() / 2),
           good + "x",
           with("prefetching 1", "prefetching 2"),
           with("\"isa\"", "\"Isa\""),
           with("\"avx2\"", "7"),
           with("avx2", std::string(2000, 'a')),
           with("\"types\"", "\"kinds\""),
           with("Q4_0", "Q4_9"),
           with("Q4_0", "IQ2_XS"),
           with("\"Q4_0\"", "4"),
           with("Q4_0", "BF16"),  // twice
           with("8192", "-1"),
           with("8192", "65537"),
           with("8192", "8192.5"),
           with("8192", "\"8192\""),
           with("8192", "null"),
           with("8192", "99999999999999999999"),
           with("to_first", "to_last"),
           with("\"types\"", "\"more\": \"" + std::string(kMostTuningBytes, 'a') + "\", \"types\""),
       }) {
    const auto read = ReadTuning(text);
    EXPECT_FALSE(read.ok()) << text.substr(0, 300);
  }
}

TEST(Tuning, IsFollowedAndForgotten) {
  Tuning tuning = SomeTuning();
  Apply(tuning);
  EXPECT_EQ(kernels::GetPrefetch("avx2", TensorType::kQ4_0), (kernels::Prefetch{8192, 1024}));
  EXPECT_EQ(kernels::GetPrefetch("avx2", TensorType::kQ4_K), (kernels::Prefetch{0, 0}));
  EXPECT_EQ(kernels::GetPrefetch("avx2", TensorType::kQ8_0), kernels::UsualPrefetch(8, TensorType::kQ8_0));
  EXPECT_EQ(kernels::GetPrefetch("amx", TensorType::kQ4_0), kernels::UsualPrefetch(16, TensorType::kQ4_0));
  tuning.types.clear();
  Apply(tuning);
  EXPECT_EQ(kernels::GetPrefetch("avx2", TensorType::kQ4_0), kernels::UsualPrefetch(8, TensorType::kQ4_0));
}

TEST(Tuning, KeyTellsProcessorsOfOneNameApart) {
  const test::TempFolder one, other;
  std::filesystem::create_directories(one / "proc");
  std::filesystem::create_directories(other / "proc");
  one.Write("proc/cpuinfo",
            "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Some CPU\nstepping\t: 2\n\nmodel\t: 9\n");
  other.Write("proc/cpuinfo", "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Some CPU\nstepping\t: 8\n");
  EXPECT_EQ(CpuKey(one.path()), "Some CPU, cpu family 6, model 207, stepping 2");
  EXPECT_EQ(CpuKey(other.path()), "Some CPU, cpu family 6, model 143, stepping 8");
  EXPECT_EQ(CpuKey("/nowhere"), "");
}

TEST(Tuning, MeasuringLeavesTheKernelsAsTheyWere) {
  const kernels::Table& table = *kernels::Select("").value();
  const kernels::Prefetch mine{640, 64};
  const kernels::Prefetch usual = kernels::GetPrefetch(table.isa, TensorType::kQ6_K);
  kernels::SetPrefetch(table.isa, TensorType::kQ6_K, mine);
  Threads threads(2);
  const TuningKey key{"cpu", table.isa, "0"};
  const auto report = MeasureTuning(table, threads, key, {0, int64_t{1} << 20});
  EXPECT_EQ(kernels::GetPrefetch(table.isa, TensorType::kQ6_K), mine);
  kernels::SetPrefetch(table.isa, TensorType::kQ6_K, usual);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->tuning.key, key);
  EXPECT_EQ(report->n_threads, 2);
  ASSERT_FALSE(report->types.empty());
  size_t n_clear = 0;
  for (const TypeTrials& one : report->types) {
    EXPECT_EQ(one.bytes_per_s.size(), report->tried.size());
    EXPECT_FALSE(one.best == one.usual);
    EXPECT_EQ(one.usual, kernels::UsualPrefetch(kernels::LanesOf(table.isa), one.type));
    EXPECT_EQ(one.chosen(), one.clear ? one.best : one.usual);
    EXPECT_TRUE(!one.clear || one.gain >= 1.02);
    EXPECT_TRUE(!one.clear || !InfoOf(one.type).quantized || one.gain_few >= 0.99);
    EXPECT_TRUE(kernels::IsTunable(one.type));
    n_clear += one.clear ? 1 : 0;
    for (const double speed : one.bytes_per_s) EXPECT_GT(speed, 0);
  }
  EXPECT_EQ(report->tuning.types.size(), n_clear);
  EXPECT_EQ(TuningReportJson(*report)["types"].items().size(), report->types.size());
}

TEST(Tuning, MeasuringStopsAndRefuses) {
  const kernels::Table& table = *kernels::Select("").value();
  Threads threads(1);
  const auto stopped = MeasureTuning(table, threads, {}, {0, int64_t{1} << 20}, [] { return false; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  const auto huge = MeasureTuning(table, threads, {}, {0, int64_t{1} << 60});
  ASSERT_FALSE(huge.ok());
  EXPECT_EQ(huge.error().code, ErrorCode::kOutOfMemory);
}

}  // namespace
}  // namespace lfm::report
