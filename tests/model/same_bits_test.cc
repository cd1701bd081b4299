// Same bits everywhere: chunks, threads, ISAs, batches, copies and cuts of a sequence change nothing. Compared with ==.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/kernels.h"
#include "model_fixture.h"
#include "support/golden.h"

namespace lfm::test {
namespace {

using model::BatchItem;
using model::Compute;
using model::State;

std::vector<int32_t> Prompt(int64_t n, int64_t vocab, uint32_t seed) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>(seed >> 8) % static_cast<int32_t>(vocab));
  }
  return ids;
}

// A folder with bf16 weights and files of several types: every product family, both layer kinds, dense and MoE.
std::vector<std::string> Paths() {
  std::vector<std::string> paths = GoldenEntries("gguf", ".gguf");
  if (LFM_SANITIZED) {  // every fourth: the bits are compared without sanitizers, and all types in tests/kernels
    for (size_t i = 0; i * 4 < paths.size(); ++i) paths[i] = paths[i * 4];
    paths.resize((paths.size() + 3) / 4);
  }
  for (const std::string& folder : GoldenEntries("models")) paths.push_back(folder);
  return paths;
}

TEST(SameBits, ChunksAndThreads) {
  for (const std::string& path : Paths()) {
    const auto rig = Rig::Load(path, Compute::kAuto, 2);
    const auto other = Rig::Load(path, Compute::kAuto, 3);
    ASSERT_TRUE(rig && other);
    const auto ids = Prompt(150, rig->vocab(), 1);
    const auto whole = rig->Logits(ids, 512);
    for (const size_t chunk : {1, 7, 64, 100}) EXPECT_EQ(whole, rig->Logits(ids, chunk)) << path << " " << chunk;
    EXPECT_EQ(whole, other->Logits(ids, 33)) << path;
  }
}

TEST(SameBits, Isas) {
  const auto isas = kernels::DetectIsas();
  for (const std::string& path : Paths()) {
    std::vector<float> first;
    for (const kernels::Isa isa : isas) {
      const auto rig = Rig::Load(path, Compute::kAuto, 2, std::string(kernels::IsaName(isa)));
      ASSERT_TRUE(rig);
      const auto logits = rig->Logits(Prompt(70, rig->vocab(), 2), 64);
      if (first.empty()) first = logits;
      EXPECT_EQ(first, logits) << path << " " << kernels::IsaName(isa);
    }
  }
}

TEST(SameBits, RaggedBatch) {
  for (const std::string& path : Paths()) {
    const auto rig = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(rig);
    const int64_t lengths[] = {130, 1, 64, 17, 65};
    std::vector<std::vector<int32_t>> prompts;
    std::vector<std::vector<float>> alone;
    std::vector<State> states;
    for (const int64_t n : lengths) {
      prompts.push_back(Prompt(n, rig->vocab(), static_cast<uint32_t>(n)));
      alone.push_back(rig->Logits(prompts.back()));
      states.emplace_back(*rig->pool);
    }
    // Two steps that cut the prompts at different places, all sequences together.
    std::vector<std::vector<float>> together(prompts.size());
    for (const bool first : {true, false}) {
      std::vector<BatchItem> batch;
      std::vector<size_t> owner;
      for (size_t i = 0; i < prompts.size(); ++i) {
        const size_t cut = prompts[i].size() / (i + 2);
        const auto part = first ? std::span(prompts[i]).first(cut) : std::span(prompts[i]).subspan(cut);
        if (part.empty()) continue;
        ASSERT_TRUE(states[i].Reserve(static_cast<int64_t>(part.size())).ok());
        batch.push_back({&states[i], part, model::Logits::kAll});
        owner.insert(owner.end(), part.size(), i);
      }
      model::Forward(*rig->model, batch, *rig->workspace, *rig->threads);
      for (size_t row = 0; row < owner.size(); ++row) {
        const auto logits = rig->workspace->logits(static_cast<int64_t>(row));
        together[owner[row]].insert(together[owner[row]].end(), logits.begin(), logits.end());
      }
    }
    for (size_t i = 0; i < prompts.size(); ++i) EXPECT_EQ(alone[i], together[i]) << path << " sequence " << i;
  }
}

TEST(SameBits, LastRowAlone) {
  for (const std::string& path : Paths()) {
    const auto rig = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(rig);
    const auto ids = Prompt(40, rig->vocab(), 5);
    const auto all = rig->Logits(ids);
    State state(*rig->pool);
    ASSERT_TRUE(state.Reserve(40).ok());
    const BatchItem item{&state, ids, model::Logits::kLast};
    model::Forward(*rig->model, {&item, 1}, *rig->workspace, *rig->threads);
    ASSERT_EQ(rig->workspace->n_logits(), 1);
    const auto last = rig->workspace->logits(0);
    EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - static_cast<std::ptrdiff_t>(last.size()))) << path;
  }
}

TEST(SameBits, CopySaveAndCut) {
  for (const std::string& path : Paths()) {
    const auto rig = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(rig);
    const auto ids = Prompt(200, rig->vocab(), 3);
    const auto head = std::vector<int32_t>(ids.begin(), ids.begin() + 170), tail = std::vector<int32_t>(ids.begin() + 170, ids.end());
    State state(*rig->pool);
    rig->Logits(state, head, 50);
    const model::Snapshot snapshot = state.TakeSnapshot();
    auto copy = state.Copy();
    ASSERT_TRUE(copy.ok());
    const std::vector<std::byte> saved = state.Save();
    const auto expected = rig->Logits(state, tail, 64);
    EXPECT_EQ(expected, rig->Logits(*copy, tail, 1)) << path;

    State restored(*rig->pool);
    ASSERT_TRUE(restored.Restore(saved).ok());
    EXPECT_EQ(restored.n_tokens(), 170);
    EXPECT_EQ(expected, rig->Logits(restored, tail, 30)) << path;

    ASSERT_TRUE(state.Truncate(snapshot).ok());
    EXPECT_EQ(expected, rig->Logits(state, tail, 13)) << path;

    EXPECT_EQ(state.TruncationPoint(150), 128);
    EXPECT_FALSE(state.Truncate(150).ok());
    ASSERT_TRUE(state.Truncate(128).ok());
    const std::vector<int32_t> middle(ids.begin() + 128, ids.begin() + 170);
    rig->Logits(state, middle, 20);
    EXPECT_EQ(expected, rig->Logits(state, tail, 64)) << path;
    ASSERT_TRUE(state.Truncate(0).ok());
    EXPECT_EQ(rig->Logits(ids), rig->Logits(state, ids, 64)) << path;
  }
}

TEST(State, RefusesForeignAndDamagedBytes) {
  const auto paths = GoldenEntries("models");
  const auto rig = Rig::Load(paths.front(), Compute::kAuto);
  ASSERT_TRUE(rig);
  State state(*rig->pool);
  rig->Logits(state, Prompt(70, rig->vocab(), 9), 64);
  std::vector<std::byte> saved = state.Save();
  State other(*rig->pool);
  EXPECT_FALSE(other.Restore(std::span(saved).first(10)).ok());
  EXPECT_FALSE(other.Restore(std::span(saved).first(saved.size() - 1)).ok());
  saved[20] ^= std::byte{1};  // the token count
  EXPECT_FALSE(other.Restore(saved).ok());
  saved[0] = std::byte{0};
  EXPECT_FALSE(other.Restore(saved).ok());
  EXPECT_EQ(other.n_tokens(), 0);
}

TEST(State, PagesComeFromALimitedPool) {
  const auto rig = Rig::Load(GoldenEntries("models").front(), Compute::kAuto);
  ASSERT_TRUE(rig);
  model::PagePool pool(model::StateLayout(rig->model->config, kernels::KvType::kF16), 2);
  {
    State state(pool);
    EXPECT_TRUE(state.Reserve(128).ok());
    EXPECT_EQ(pool.n_used(), 2);
    const Status refused = state.Reserve(129);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  }
  EXPECT_EQ(pool.n_used(), 0);
}

}  // namespace
}  // namespace lfm::test
