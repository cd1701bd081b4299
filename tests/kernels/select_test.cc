// Selection of tables, the check at start, and the float mode.
#include <gtest/gtest.h>

#include <cmath>

#include "kernels/self_check.h"
#include "kernels_support.h"

namespace lfm::kernels {
namespace {

TEST(Select, GivesTheBestAndTheNamed) {
  const std::vector<Isa> isas = DetectIsas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.back(), Isa::kScalar);
  const auto best = Select("");
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(*best, *Select((*best)->isa));
  for (int i = 0; i < kTypeCount; i++) {
    EXPECT_NE((*best)->matmul_f32[i], nullptr);
    EXPECT_EQ((*best)->matmul_q8[i] != nullptr, InfoOf(kTypeOrder[i]).quantized);
    EXPECT_EQ(TypeIndex(kTypeOrder[i]), i);
  }
}

#if defined(__aarch64__) && LFM_EMULATED
// An emulator that lacked one would leave its kernels untested without a word.
TEST(Select, TheEmulatorHasEveryIsaOfArm) { EXPECT_EQ(DetectIsas(), (std::vector<Isa>{Isa::kI8mm, Isa::kNeon, Isa::kScalar})); }
#endif

TEST(Select, NamesWhatItHasWhenAskedForAnother) {
  const auto table = Select("sse17");
  ASSERT_FALSE(table.ok());
  EXPECT_NE(table.error().message.find("sse17"), std::string::npos);
  EXPECT_NE(table.error().message.find("scalar"), std::string::npos);
}

// No kernel of this host may need the replacement that the check offers.
TEST(SelfCheck, EveryKernelOfThisHostAgrees) {
  for (const Table* table : OtherTables()) {
    Table copy = *table;
    EXPECT_EQ(ReplaceDiffering(Scalar(), copy), 0) << table->isa;
    const bool has_own =
        std::any_of(copy.chosen.begin(), copy.chosen.end(), [&](const auto& c) { return c.second == table->isa; });
    EXPECT_TRUE(has_own) << table->isa;
  }
}

TEST(SelfCheck, ReplacesAKernelThatDiffers) {
  Table broken = *Select("").value();
  broken.add = [](const float* x, int64_t n, float* out) noexcept {
    for (int64_t i = 0; i < n; i++) out[i] += x[i] * 1.0000001f;
  };
  const int q4k = TypeIndex(TensorType::kQ4_K);
  broken.matmul_q8[q4k] = Scalar().matmul_q8[TypeIndex(TensorType::kQ4_0)];
  EXPECT_EQ(ReplaceDiffering(Scalar(), broken), 2);
  EXPECT_EQ(broken.add, Scalar().add);
  EXPECT_EQ(broken.matmul_q8[q4k], Scalar().matmul_q8[q4k]);
  for (const auto& [operation, isa] : broken.chosen) {
    if (operation == "add" || operation == "matmul_q4_k_q8") {
      EXPECT_EQ(isa, "scalar") << operation;
    }
  }
}

// The long form, on the kernels as they were built. It must see what is broken at odd sizes only.
TEST(SelfCheck, TheLongFormSeesEveryOperation) {
  for (const Isa isa : DetectIsas()) {
    if (isa == Isa::kScalar) continue;
    const std::unique_ptr<Table> table = BuildUnchecked(isa);
    for (const auto& [operation, from] : table->chosen) {
      if (from != IsaName(isa)) continue;
      const KernelCheck check = CheckOperation(Scalar(), *table, operation);
      EXPECT_GE(check.n_cases, 6) << operation;
      EXPECT_EQ(check.n_differing, 0) << operation << " " << from;
    }
  }
  EXPECT_EQ(CheckOperation(Scalar(), Scalar(), "none").n_cases, 0);
}

TEST(SelfCheck, TheLongFormFindsWhatTheShortOneMisses) {
  Table broken = Scalar();
  broken.matmul_q8[TypeIndex(TensorType::kQ4_0)] = [](const std::byte* panel0, const std::byte* panel1, int64_t n_blocks,
                                                      const Q8Block* x, int n, float* out, int64_t stride) noexcept {
    Scalar().matmul_q8[TypeIndex(TensorType::kQ4_0)](panel0, panel1, n_blocks, x, n, out, stride);
    if (n == 17) out[16 * stride] += 1.0f;
  };
  EXPECT_EQ(ReplaceDiffering(Scalar(), broken), 0);
  const KernelCheck check = CheckOperation(Scalar(), broken, "matmul_q4_0_q8");
  EXPECT_EQ(check.n_differing, 5);  // one for each number of columns
  EXPECT_EQ(CheckOperation(Scalar(), broken, "matmul_q4_1_q8").n_differing, 0);
}

// A multiply-add is two operations; twice the rounds, twice the number.
TEST(Peak, CountsOperations) {
  for (const Isa isa : DetectIsas()) {
    const Table& table = *Select(IsaName(isa)).value();
    for (const auto peak : {table.int8_peak, table.f32_peak}) {
      EXPECT_GT(peak(1), 0) << table.isa;
      EXPECT_EQ(peak(20), 20 * peak(1)) << table.isa;
    }
  }
}

TEST(Peak, ReadsLines) {
  for (const Isa isa : DetectIsas()) {
    const Table& table = *Select(IsaName(isa)).value();
    Aligned<uint64_t> lines(size_t{12} * 8);
    EXPECT_EQ(table.read_peak(reinterpret_cast<const std::byte*>(lines.data()), 12), 0U) << table.isa;
    for (size_t i = 0; i < lines.size(); ++i) {  // every word counts
      lines[i] = 1;
      EXPECT_EQ(table.read_peak(reinterpret_cast<const std::byte*>(lines.data()), 12), 1U) << table.isa << " " << i;
      lines[i] = 0;
    }
  }
}

TEST(FloatMode, KeepsDenormalsWhileItLives) {
  const FloatMode mode;
  volatile float tiny = 1e-40f;
  EXPECT_GT(tiny * 0.5f, 0.0f);
}

}  // namespace
}  // namespace lfm::kernels
