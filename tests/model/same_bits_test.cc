// Same bits everywhere: chunks, threads, ISAs, batches, copies and cuts of a sequence change nothing. Compared with ==.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/kernels.h"
#include "model/sequence.h"
#include "model/stepper.h"
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

// A past of several splits of attention: read in large steps, each thread walks blocks; token by token, each takes splits.
TEST(SameBits, SplitsOfALongPast) {
  const std::string path = GoldenEntries("models").front();
  const auto rig = Rig::Load(path, Compute::kAuto, 2);
  ASSERT_TRUE(rig);
  const auto ids = Prompt(2100, rig->vocab(), 3);
  State state(*rig->pool);
  rig->Logits(state, {ids.begin(), ids.begin() + 2030}, 512);
  const std::vector<int32_t> rest(ids.begin() + 2030, ids.end());
  auto copy = state.Copy();
  ASSERT_TRUE(copy.ok());
  const auto whole = rig->Logits(*copy, rest, 512);
  for (const int n_threads : {1, 2, 3}) {
    const auto other = Rig::Load(path, Compute::kAuto, n_threads);
    ASSERT_TRUE(other);
    for (const size_t chunk : {1, 13}) {
      auto again = state.Copy();
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(whole, other->Logits(*again, rest, chunk)) << n_threads << " " << chunk;
    }
  }
}

// Many sequences that decode, with pasts of several lengths: a thread takes several heads of a page, by splits (6 sequences) or by
// whole blocks (20), where few threads have many tasks.
TEST(SameBits, HeadsThatGoTogether) {
  const std::string path = GoldenEntries("models").front();
  const auto alone = Rig::Load(path, Compute::kAuto, 8);  // one head a task
  const auto rig = Rig::Load(path, Compute::kAuto, 1);
  ASSERT_TRUE(alone && rig);
  ASSERT_EQ(rig->model->config.n_kv_heads % 2, 0);
  const auto ids = Prompt(2060, rig->vocab(), 4);
  std::vector<State> pasts;
  std::vector<std::vector<float>> expected;
  for (const int64_t n : {2050, 70, 1100}) {
    pasts.emplace_back(*rig->pool);
    rig->Logits(pasts.back(), {ids.begin(), ids.begin() + n}, 512);
    auto copy = pasts.back().Copy();
    ASSERT_TRUE(copy.ok());
    expected.push_back(alone->Logits(*copy, {ids.back()}, 1));
  }
  for (const size_t n_sequences : {6, 20}) {
    std::vector<State> states;
    std::vector<BatchItem> batch;
    for (size_t i = 0; i < n_sequences; ++i) {
      auto copy = pasts[i % pasts.size()].Copy();
      ASSERT_TRUE(copy.ok());
      ASSERT_TRUE(copy->Reserve(1).ok());
      states.push_back(std::move(*copy));
    }
    for (State& state : states) batch.push_back({&state, std::span(ids).last(1), model::Logits::kAll});
    model::Forward(*rig->model, batch, *rig->workspace, *rig->threads);
    for (size_t i = 0; i < n_sequences; ++i) {
      const auto logits = rig->workspace->logits(static_cast<int64_t>(i));
      EXPECT_EQ(expected[i % pasts.size()], std::vector<float>(logits.begin(), logits.end())) << n_sequences << " " << i;
    }
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
    const auto head = std::vector<int32_t>(ids.begin(), ids.begin() + 170),
               tail = std::vector<int32_t>(ids.begin() + 170, ids.end());
    State state(*rig->pool);
    rig->Logits(state, head, 50);
    const model::CutPoint point = state.TakeCutPoint();
    auto copy = state.Copy();
    ASSERT_TRUE(copy.ok());
    const std::vector<std::byte> saved = state.Save();
    const auto expected = rig->Logits(state, tail, 64);
    EXPECT_EQ(expected, rig->Logits(*copy, tail, 1)) << path;

    State restored(*rig->pool);
    ASSERT_TRUE(restored.Restore(saved).ok());
    EXPECT_EQ(restored.n_tokens(), 170);
    EXPECT_EQ(expected, rig->Logits(restored, tail, 30)) << path;

    ASSERT_TRUE(state.Truncate(point).ok());
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
  saved.back() ^= std::byte{1};
  EXPECT_EQ(other.Restore(saved).error().code, ErrorCode::kCorrupt) << "the hash";
  saved.back() ^= std::byte{1};
  ASSERT_TRUE(other.Restore(saved).ok());
  EXPECT_EQ(other.Save(), saved);
  for (const uint64_t n_tokens : {uint64_t{64}, uint64_t{129}, ~uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0} >> 1}) {
    std::memcpy(saved.data() + 16, &n_tokens, sizeof n_tokens);  // near 2^63 a sum of positions would overflow
    EXPECT_EQ(other.Restore(saved).error().code, ErrorCode::kCorrupt) << n_tokens;
    EXPECT_EQ(other.n_tokens(), 0);
  }
  saved[0] = std::byte{0};
  EXPECT_FALSE(other.Restore(saved).ok());
  EXPECT_EQ(other.n_tokens(), 0);
}

// Full pages are complete: a sequence that takes them over goes on as the one that read them.
TEST(SameBits, AdoptedPages) {
  for (const std::string& path : Paths()) {
    const auto rig = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(rig);
    const auto ids = Prompt(200, rig->vocab(), 11);
    State state(*rig->pool);
    const auto expected = rig->Logits(state, ids, 50);
    const auto vocab = static_cast<size_t>(rig->vocab());
    for (const int64_t n_pages : {1, 2, 3}) {
      std::vector<std::shared_ptr<model::Page>> pages;
      for (int64_t i = 0; i < n_pages; ++i) pages.push_back(state.FullPage(i));
      State other(*rig->pool);
      other.Adopt(std::span(pages).first(1));  // in two parts
      other.Adopt(std::span(pages).subspan(1));
      EXPECT_EQ(other.n_tokens(), 64 * n_pages);
      const std::vector<int32_t> rest(ids.begin() + 64 * n_pages, ids.end());
      const auto logits = rig->Logits(other, rest, 30);
      EXPECT_TRUE(std::equal(logits.begin(), logits.end(), expected.end() - static_cast<std::ptrdiff_t>(rest.size() * vocab)))
          << path << " " << n_pages;
    }
    // Nobody writes into shared pages: the first sequence still has its own.
    ASSERT_TRUE(state.Truncate(128).ok());
    const std::vector<int32_t> rest(ids.begin() + 128, ids.end());
    const auto logits = rig->Logits(state, rest, 64);
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), expected.end() - static_cast<std::ptrdiff_t>(rest.size() * vocab)));
  }
}

TEST(State, PagesAreZeroedOnReuse) {
  const auto rig = Rig::Load(GoldenEntries("models").front(), Compute::kAuto);
  ASSERT_TRUE(rig);
  model::PagePool pool(model::StateLayout(rig->model->config, kernels::KvType::kF16), 1);
  State fresh(pool);
  const auto ids = Prompt(3, rig->vocab(), 1);
  rig->Logits(fresh, ids, 3);
  const std::vector<std::byte> wanted = fresh.Save();
  for (const int n : {1, 17, 60, 64}) {  // a full page holds the convolutions' state too
    fresh.Clear();
    State other(pool);
    rig->Logits(other, Prompt(n, rig->vocab(), 2), n);
    other.Clear();
    rig->Logits(fresh, ids, 3);
    EXPECT_EQ(fresh.Save(), wanted) << "nothing of the " << n << " positions that the page held before";
  }
}

TEST(Stepper, ReservesForAllOrNone) {
  const auto rig = Rig::Load(GoldenEntries("models").front(), Compute::kAuto);
  ASSERT_TRUE(rig);
  model::PagePool pool(model::StateLayout(rig->model->config, kernels::KvType::kF16), 3);
  const auto stepper = model::Stepper::Create(*rig->model, *rig->threads, {256, 2, 256});
  ASSERT_TRUE(stepper.ok());
  model::Sequence one(pool), two(pool);
  const auto ids = Prompt(100, rig->vocab(), 1);
  const model::StepItem items[] = {{&one, ids, model::Logits::kLast}, {&two, ids, model::Logits::kLast}};
  EXPECT_EQ((*stepper)->Step(items).error().code, ErrorCode::kLimit);
  EXPECT_EQ(pool.n_used(), 0) << "the first one gave back what it had taken";
  EXPECT_EQ(one.n_tokens(), 0);
  EXPECT_TRUE((*stepper)->Step(one, ids).ok());
  EXPECT_EQ((*stepper)->CheckIds(std::vector<int32_t>{0, -1}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ((*stepper)->Step(one, Prompt(157, rig->vocab(), 1)).error().code, ErrorCode::kLimit) << "257 positions";
}

// An infinite input of the convolutions stands for whatever made a number overflow: only its own sequence fails.
TEST(Stepper, NonFiniteNumbersFailTheirSequenceAlone) {
  const auto rig = Rig::Load(GoldenEntries("models").front(), Compute::kAuto);
  ASSERT_TRUE(rig);
  const auto stepper = model::Stepper::Create(*rig->model, *rig->threads, {64, 2, 256});
  ASSERT_TRUE(stepper.ok());
  const auto ids = Prompt(20, rig->vocab(), 1);
  model::Sequence good(*rig->pool), bad(*rig->pool), alone(*rig->pool);
  for (model::Sequence* sequence : {&good, &bad, &alone}) ASSERT_TRUE((*stepper)->Step(*sequence, ids).ok());
  for (int i = 0; i < rig->pool->layout().n_conv; ++i) bad.state().Conv(i)[0] = std::numeric_limits<float>::infinity();
  const std::vector<int32_t> next{5};
  ASSERT_TRUE((*stepper)->Step(alone, next).ok());
  const std::vector<float> wanted((*stepper)->logits(0).begin(), (*stepper)->logits(0).end());
  const model::StepItem items[] = {{&bad, next, model::Logits::kLast}, {&good, next, model::Logits::kLast}};
  ASSERT_TRUE((*stepper)->Step(items).ok());
  EXPECT_FALSE((*stepper)->ItemStatus(0).ok());
  EXPECT_TRUE((*stepper)->ItemStatus(1).ok());
  EXPECT_EQ(std::vector<float>((*stepper)->logits(1).begin(), (*stepper)->logits(1).end()), wanted);
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
