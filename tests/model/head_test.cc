// Logits of a few tokens are those of the whole vocabulary, bit by bit: for every type of weights, every ISA, any batch.
#include <gtest/gtest.h>

#include "kernels/kernels.h"
#include "model/stepper.h"
#include "model_fixture.h"
#include "support/golden.h"

namespace lfm::test {
namespace {

using model::BatchItem;
using model::Compute;
using model::State;

using IdList = std::vector<int32_t>;

uint32_t Draw(uint32_t& seed, uint32_t n) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % n;
}

IdList SomeIds(uint32_t& seed, size_t n, int64_t vocab) {
  IdList ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(Draw(seed, static_cast<uint32_t>(vocab))));
  return ids;
}

// The lists that the items of a batch ask for in turn: edges, twice the same, unsorted, equal lists in two places, all, many.
std::vector<IdList> Lists(int64_t vocab) {
  const auto last = static_cast<int32_t>(vocab - 1);
  uint32_t seed = 7;
  std::vector<IdList> lists = {{0},        {last},     {31, 32, 31, 0, last},    {},
                               {5, 6, 40}, {5, 6, 40}, SomeIds(seed, 50, vocab), {last, 0}};
  IdList all;
  for (int32_t id = 0; id < last + 1; ++id) all.push_back(id);
  lists.push_back(std::move(all));
  return lists;
}

// One step of n_items sequences: what each asks for, and the logits that it got, row after row.
struct HeadStepResult {
  std::vector<std::vector<float>> rows;
  std::vector<size_t> item_of_row;
};

HeadStepResult RunItems(Rig& rig, const std::vector<IdList>& prompts, const std::vector<IdList>& ids, bool all_rows) {
  std::vector<State> states;
  states.reserve(prompts.size());
  std::vector<BatchItem> batch;
  HeadStepResult result;
  for (size_t i = 0; i < prompts.size(); ++i) {
    State& state = states.emplace_back(*rig.pool);
    EXPECT_TRUE(state.Reserve(static_cast<int64_t>(prompts[i].size())).ok());
    batch.push_back({&state, prompts[i], all_rows ? model::Logits::kAll : model::Logits::kLast, ids[i]});
    result.item_of_row.insert(result.item_of_row.end(), all_rows ? prompts[i].size() : 1, i);
  }
  model::Forward(*rig.model, batch, *rig.workspace, *rig.threads);
  EXPECT_EQ(rig.workspace->n_logits(), static_cast<int64_t>(result.item_of_row.size()));
  for (int64_t i = 0; i < rig.workspace->n_logits(); ++i) {
    const auto row = rig.workspace->logits(i);
    result.rows.emplace_back(row.begin(), row.end());
  }
  return result;
}

void ExpectPicked(const HeadStepResult& whole, const HeadStepResult& some, const std::vector<IdList>& ids,
                  const std::string& what) {
  ASSERT_EQ(whole.rows.size(), some.rows.size()) << what;
  for (size_t r = 0; r < whole.rows.size(); ++r) {
    const IdList& wanted = ids[whole.item_of_row[r]];
    std::vector<float> expected;
    for (const int32_t id : wanted) expected.push_back(whole.rows[r][static_cast<size_t>(id)]);
    EXPECT_EQ(some.rows[r], wanted.empty() ? whole.rows[r] : expected) << what << " row " << r;
  }
}

// `thorough`: also larger batches, all rows of an item, and each list in the place of each other.
void CheckModel(const std::string& path, Compute compute, const std::string& isa, bool thorough) {
  const auto rig = Rig::Load(path, compute, 2, isa);
  ASSERT_TRUE(rig);
  const std::vector<IdList> lists = Lists(rig->vocab());
  for (const size_t n_items : {1, 3, 16, 40}) {
    if (n_items == 40 && !thorough) continue;
    uint32_t seed = static_cast<uint32_t>(n_items);
    std::vector<IdList> prompts;
    for (size_t i = 0; i < n_items; ++i) prompts.push_back(SomeIds(seed, 1 + Draw(seed, 4), rig->vocab()));
    const std::vector<IdList> none(n_items);
    for (const bool all_rows : {false, true}) {
      if (all_rows && (n_items != 3 || !thorough)) continue;
      const HeadStepResult whole = RunItems(*rig, prompts, none, all_rows);
      const size_t n_rounds = n_items == 1 ? lists.size() : thorough ? 2 : 1;
      for (size_t round = 0; round < n_rounds; ++round) {
        std::vector<IdList> ids;
        for (size_t i = 0; i < n_items; ++i) ids.push_back(lists[(round == 1 && n_items > 1 ? 2 : i + round) % lists.size()]);
        const std::string what = path + " " + isa + " items " + std::to_string(n_items) + " round " + std::to_string(round);
        // All lists among each other; then the same from all items.
        ExpectPicked(whole, RunItems(*rig, prompts, ids, all_rows), ids, what);
      }
    }
  }
}

std::vector<std::string> HeadPaths() {
  std::vector<std::string> paths = GoldenEntries("gguf", ".gguf");
  for (const std::string& folder : GoldenEntries("models")) paths.push_back(folder);
  if (!LFM_SANITIZED) return paths;
  for (size_t i = 0; i * 4 < paths.size(); ++i) paths[i] = paths[i * 4];
  paths.resize((paths.size() + 3) / 4);
  return paths;
}

TEST(Head, FewTokensHaveTheBitsOfAll) {
  for (const std::string& path : HeadPaths()) {
    const auto isas = kernels::DetectIsas();
    for (const kernels::Isa isa : isas) {
      if (LFM_SANITIZED && isa != isas.front()) continue;  // the bits are compared without sanitizers
      CheckModel(path, Compute::kAuto, std::string(kernels::IsaName(isa)), isa == isas.front());
    }
    CheckModel(path, Compute::kF32, "", false);
  }
}

// Groups that would meet most units one by one meet them together: more lists than one, each of nearly all tokens.
TEST(Head, ManyListsOfManyTokens) {
  for (const std::string& path : HeadPaths()) {
    const auto rig = Rig::Load(path, Compute::kAuto);
    ASSERT_TRUE(rig);
    uint32_t seed = 3;
    std::vector<IdList> prompts, ids;
    for (size_t i = 0; i < 20; ++i) {
      prompts.push_back(SomeIds(seed, 2, rig->vocab()));
      ids.push_back(SomeIds(seed, static_cast<size_t>(rig->vocab()), rig->vocab()));
    }
    ids[3].clear();
    const HeadStepResult whole = RunItems(*rig, prompts, std::vector<IdList>(20), false);
    ExpectPicked(whole, RunItems(*rig, prompts, ids, false), ids, path);
  }
}

// A step that has room for one whole row has room for many short ones, and says so where it has none.
TEST(Head, ShortRowsCountAsWhatTheyAre) {
  const auto rig = Rig::Load(GoldenEntries("gguf", ".gguf")[0], Compute::kAuto);
  ASSERT_TRUE(rig);
  const auto stepper = model::Stepper::Create(*rig->model, *rig->threads, {16, 1, 64});
  ASSERT_TRUE(stepper.ok());
  const IdList prompt = {1, 2, 3, 4}, ids = {9, 3};
  model::Sequence whole(*rig->pool), some(*rig->pool);
  ASSERT_TRUE((*stepper)->Step(whole, prompt).ok());
  const std::vector<float> row((*stepper)->logits(0).begin(), (*stepper)->logits(0).end());
  const model::StepItem item{&some, prompt, model::Logits::kAll, ids};
  ASSERT_TRUE((*stepper)->Step({&item, 1}).ok());
  ASSERT_EQ((*stepper)->n_logits(), 4);
  const auto last = (*stepper)->logits(3);
  EXPECT_EQ(std::vector<float>(last.begin(), last.end()), (std::vector<float>{row[9], row[3]}));
  const IdList many(static_cast<size_t>(rig->vocab()), 1);
  const model::StepItem too_many{&some, prompt, model::Logits::kAll, many};
  const Status refused = (*stepper)->Step({&too_many, 1});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("4 rows of logits"), std::string::npos) << refused.error().message;
  EXPECT_EQ(some.n_tokens(), 4);
}

}  // namespace
}  // namespace lfm::test
