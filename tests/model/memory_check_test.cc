// What is said where memory does not do, and what is said to fit.
#include "model/memory_check.h"

#include <gtest/gtest.h>

namespace lfm::model {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

MemoryState Memory(uint64_t available, uint64_t limit = 0, uint64_t free_swap = 0) {
  MemoryState memory;
  memory.total_bytes = 64 * kGiB;
  memory.available_bytes = available;
  memory.limit_bytes = limit;
  memory.swap_bytes = free_swap;
  return memory;
}

TEST(MemoryCheck, WeightsThatFitAndThatDoNot) {
  EXPECT_TRUE(CheckWeightMemory(4 * kGiB, 8'300'000'000, "m.gguf", Memory(5 * kGiB)).ok());
  EXPECT_TRUE(CheckWeightMemory(4 * kGiB, 8'300'000'000, "m.gguf", Memory(0)).ok());  // not known
  const Status status = CheckWeightMemory(9 * kGiB, 8'300'000'000, "m.gguf", Memory(6 * kGiB + kGiB / 16, 8 * kGiB));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kOutOfMemory);
  for (const char* part :
       {"m.gguf", "9.00 GiB", "6.00 GiB are free", "limit of 8.00 GiB", "3.00 GiB are missing", "lfm pack", "Q5_K_M"}) {
    EXPECT_NE(status.error().message.find(part), std::string::npos) << part << ": " << status.error().message;
  }
  const Status small = CheckWeightMemory(9 * kGiB, 8'300'000'000, "m.gguf", Memory(kGiB));
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().message.find("take the model"), std::string::npos) << small.error().message;  // none fits
}

TEST(MemoryCheck, SaysThatNothingIsLeft) {
  const Status status = CheckWeightMemory(9 * kGiB, 8'300'000'000, "m.gguf", Memory(1, kGiB));
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("9.00 GiB of memory, and none is left within the limit of 1.00 GiB"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(FreeWords(1), "none is left");
  EXPECT_EQ(FreeWords(kGiB), "1.00 GiB are free");
}

TEST(MemoryCheck, AnythingElse) {
  EXPECT_TRUE(CheckMemoryFor("x", kGiB, Memory(2 * kGiB)).ok());
  EXPECT_TRUE(CheckMemoryFor("x", kGiB, Memory(0)).ok());
  EXPECT_TRUE(CheckMemoryFor("x", kGiB, Memory(kGiB / 2, 0, kGiB)).ok());
  const Status status = CheckMemoryFor("the tokenizer of m.gguf", kGiB, Memory(kGiB, 2 * kGiB));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(status.error().message.find("the tokenizer of m.gguf needs 1.00 GiB of memory, and 1020.00 MiB are free"), 0U)
      << status.error().message;
}

TEST(MemoryCheck, SwapCountsWhereNoGroupLimits) {
  EXPECT_EQ(ObtainableBytes(Memory(kGiB, 0, kGiB)), 2 * kGiB);
  EXPECT_EQ(ObtainableBytes(Memory(kGiB, 2 * kGiB, kGiB)), kGiB);
  EXPECT_EQ(ObtainableBytes(Memory(0, 0, kGiB)), 0U);
}

TEST(MemoryCheck, PositionsInWholePages) {
  Config config;
  config.d_model = 64;
  config.n_heads = config.n_kv_heads = 1;
  config.head_dim = 64;
  config.n_taps = 3;
  config.layers.resize(1);
  config.layers[0].mixer = Mixer::kAttention;
  config.n_layers = 1;
  const StateLayout layout(config, kernels::KvType::kF16);
  const uint64_t reserve = uint64_t{64} << 20;
  EXPECT_EQ(PositionsThatFit(layout, 1000, Memory(reserve + 3 * layout.page_bytes)), 192);
  EXPECT_EQ(PositionsThatFit(layout, 100, Memory(reserve + 3 * layout.page_bytes)), 100);
  EXPECT_EQ(PositionsThatFit(layout, 100, Memory(kGiB)), 100);
  EXPECT_EQ(PositionsThatFit(layout, 100, Memory(1)), 0);
  EXPECT_EQ(PositionsThatFit(layout, 100, Memory(0)), 100);
}

TEST(MemoryCheck, ContextsAndPages) {
  Config config;
  config.d_model = 64;
  config.n_heads = config.n_kv_heads = 1;
  config.head_dim = 64;
  config.n_taps = 3;
  config.layers.resize(1);
  config.layers[0].mixer = Mixer::kAttention;
  config.n_layers = 1;
  const StateLayout layout(config, kernels::KvType::kF16);
  const uint64_t reserve = uint64_t{64} << 20;
  EXPECT_TRUE(CheckContextMemory(layout, 192, 1, Memory(reserve + 3 * layout.page_bytes)).ok());
  EXPECT_TRUE(CheckContextMemory(layout, 1 << 30, 9, Memory(0)).ok());  // not known
  const Status one = CheckContextMemory(layout, 1000, 1, Memory(reserve + 3 * layout.page_bytes));
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.error().code, ErrorCode::kOutOfMemory);
  EXPECT_NE(one.error().message.find("192 positions fit"), std::string::npos) << one.error().message;
  const Status two = CheckContextMemory(layout, 192, 2, Memory(2 * reserve + 4 * layout.page_bytes));
  ASSERT_FALSE(two.ok());
  EXPECT_NE(two.error().message.find("2 contexts of 192 positions"), std::string::npos) << two.error().message;
  EXPECT_NE(two.error().message.find("128 positions fit"), std::string::npos) << two.error().message;
  EXPECT_NE(CheckContextMemory(layout, 192, 1, Memory(1)).error().message.find("close other programs"), std::string::npos);

  const uint64_t page_reserve = uint64_t{16} << 20;
  EXPECT_TRUE(CheckPageMemory(layout, 3, Memory(page_reserve + 3 * layout.page_bytes)).ok());
  EXPECT_EQ(CheckPageMemory(layout, 4, Memory(page_reserve + 3 * layout.page_bytes)).error().code, ErrorCode::kOutOfMemory);
  EXPECT_TRUE(CheckPageMemory(layout, 4, Memory(0)).ok());
}

}  // namespace
}  // namespace lfm::model
