// The scheduler alone: figures in, plans out.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

namespace lfm::engine {
namespace {

constexpr int64_t kManyPages = 1 << 20;

Claim Running(uint64_t id, int64_t n_unread, std::string_view client = "", int priority = 0) {
  Claim claim;
  claim.id = id;
  claim.client = client;
  claim.priority = priority;
  claim.running = true;
  claim.n_unread = n_unread;
  return claim;
}

Claim Waiting(uint64_t id, int64_t n_pages, std::string_view client = "", int priority = 0) {
  Claim claim = Running(id, n_pages * 64, client, priority);
  claim.running = false;
  claim.n_pages = n_pages;
  return claim;
}

std::map<size_t, int64_t> PartsOf(const Plan& plan) {
  std::map<size_t, int64_t> parts;
  for (const Part& part : plan.parts) parts[part.claim] += part.n_tokens;
  return parts;
}

TEST(Scheduler, AnswersGoFirstAndPromptsShareTheBudget) {
  Scheduler scheduler(8, 512, 0.1);
  const std::vector<Claim> claims{Running(1, 1), Running(2, 8000), Running(3, 1), Running(4, 3)};
  for (int i = 0; i < 20; ++i) scheduler.Observe(3, 32, 0.1);  // 32 prompt tokens fill a step
  scheduler.Observe(3, 0, 0.03);
  const Plan plan = scheduler.Next(claims, kManyPages);
  auto parts = PartsOf(plan);
  EXPECT_EQ(parts.size(), 4U);
  EXPECT_EQ(parts[0], 1);
  EXPECT_EQ(parts[2], 1);
  EXPECT_EQ(parts[3], 3);
  EXPECT_EQ(parts[1], 32);
  EXPECT_EQ(plan.parts.back().claim, 1U) << "prompts come last";
}

TEST(Scheduler, AloneAPromptTakesLargeParts) {
  Scheduler scheduler(8, 512, 0.1);
  const std::vector<Claim> claims{Running(1, 8000)};
  for (int i = 0; i < 20; ++i) {
    const int64_t n = PartsOf(scheduler.Next(claims, 0))[0];
    scheduler.Observe(0, n, static_cast<double>(n) * 1e-3);
  }
  EXPECT_EQ(PartsOf(scheduler.Next(claims, 0))[0], 512) << "512 ms, within ten steps' time";
}

// Steps of a machine that takes `idle` seconds for the answers and `token` for each token of a prompt.
void Steps(StepBudget& budget, int n_steps, double idle, double token) {
  for (int i = 0; i < n_steps; ++i) {
    const int64_t n = budget.Beside(16);
    budget.Observe(16, n, idle + token * static_cast<double>(n));
  }
}

// What prompts get of a step, leaving out the steps that look.
int64_t Share(StepBudget& budget, double idle) {
  if (budget.Beside(16) == 0) budget.Observe(16, 0, idle);
  return budget.Beside(16);
}

TEST(StepBudget, GivesPromptsWhatIsLeftOfTheStep) {
  StepBudget budget(0.1, 512);
  Steps(budget, 50, 0.03, 0.001);
  EXPECT_NEAR(static_cast<double>(Share(budget, 0.03)), 70, 2) << "of 0.1 s";
  const int64_t before = Share(budget, 0.03);
  budget.Observe(16, 3, 0.033);  // a short rest of a prompt says nothing about more
  EXPECT_EQ(Share(budget, 0.03), before);
  budget.Observe(16, 3, 10);  // too slow says so at any size
  EXPECT_LT(Share(budget, 0.03), before);
}

TEST(StepBudget, ReadersSeeGapsOfAtMostThreeTimes) {
  for (const double step : {0.0, 0.1}) {
    StepBudget budget(step, 512);
    Steps(budget, 200, 0.5, 0.01);
    EXPECT_NEAR(static_cast<double>(Share(budget, 0.5)), 87, 3) << "2.75 times a step without prompts";
  }
  StepBudget quick(0, 512);
  Steps(quick, 200, 0.008, 0.0001);
  EXPECT_NEAR(static_cast<double>(Share(quick, 0.008)), 140, 5) << "2.75 times 8 ms";
}

// A prompt's token costs more the deeper it stands: that must not be taken for slower answers, which would allow longer steps.
TEST(StepBudget, DeepPromptsDoNotStretchTheStep) {
  StepBudget budget(0, 512);
  double longest = 0;
  for (int i = 0; i < 500; ++i) {
    const double token = 0.002 + 0.00002 * i;
    const int64_t n = budget.Beside(4);
    const double seconds = 0.1 + token * static_cast<double>(n);
    if (i > 50) longest = std::max(longest, seconds);
    budget.Observe(4, n, seconds);
  }
  EXPECT_LT(longest, 0.3);
}

// Experts are read once for all tokens of a step: few tokens at a time cost several times as much. So who waits with many
// others for a first token is served in longer steps.
TEST(StepBudget, ManyPromptsBesideFewAnswersMakeLongerSteps) {
  StepBudget budget(0, 512);
  Steps(budget, 100, 0.04, 0.002);
  EXPECT_NEAR(static_cast<double>(Share(budget, 0.04)), 35, 3);
  budget.Weigh(5);
  Steps(budget, 100, 0.04, 0.002);
  EXPECT_NEAR(static_cast<double>(Share(budget, 0.04)), 255, 10) << "0.55 s";
  budget.Weigh(60);
  Steps(budget, 100, 0.04, 0.002);
  EXPECT_NEAR(static_cast<double>(Share(budget, 0.04)), 480, 15) << "a second";
  budget.Weigh(1);
  EXPECT_LT(Share(budget, 0.04), 60) << "at once";
}

TEST(Scheduler, NobodysAnswerIsSlowedDownForMoreOfOthersPromptsThanOfHisOwn) {
  const auto share = [](std::string_view reader, int n_prompts) {
    Scheduler scheduler(64, 512, 0);
    std::vector<Claim> claims{Running(0, 1, "one")};
    for (int i = 1; i <= n_prompts; ++i) claims.push_back(Running(static_cast<uint64_t>(i), 100000, reader));
    int64_t n = 0;
    for (int i = 0; i < 200; ++i) {
      int64_t now = 0;
      for (const auto& [claim, n_tokens] : PartsOf(scheduler.Next(claims, kManyPages))) now += claim == 0 ? 0 : n_tokens;
      scheduler.Observe(1, now, 0.04 + 0.002 * static_cast<double>(now));
      n = std::max(n, i > 100 ? now : 0);
    }
    return n;
  };
  EXPECT_LT(share("one", 1), 40);
  EXPECT_GT(share("one", 8), 300);
  EXPECT_LT(share("other", 8), 40);
}

TEST(StepBudget, LooksWhatAnswersAloneTake) {
  StepBudget budget(0, 512);
  EXPECT_EQ(budget.Beside(16), 0) << "nothing is known yet";
  int n_looks = 0;
  for (int i = 0; i < 170; ++i) {
    const int64_t n = budget.Beside(16);
    n_looks += n == 0;
    budget.Observe(16, n, 0.1 + 0.001 * static_cast<double>(n));
  }
  EXPECT_EQ(n_looks, 10);
}

TEST(StepBudget, MoreAnswersTakeLongerSteps) {
  StepBudget budget(0, 512);
  for (int n_decode = 1; n_decode <= 15; ++n_decode) {
    int64_t most = 0;
    double longest = 0;
    for (int i = 0; i < 6; ++i) {
      const int64_t n = budget.Beside(n_decode);
      most = std::max(most, n);
      const double seconds = 0.04 + 0.01 * n_decode + 0.004 * static_cast<double>(n);
      longest = std::max(longest, seconds / (0.04 + 0.01 * n_decode));
      budget.Observe(n_decode, n, seconds);
    }
    EXPECT_GE(most, 16) << n_decode;
    EXPECT_LT(longest, n_decode == 1 ? 10 : 3.3) << n_decode;
  }
}

TEST(Scheduler, WhoHasNoPlaceNeedNotWaitForAFlood) {
  Scheduler scheduler(16, 512, 0);
  std::vector<Claim> claims;
  for (uint64_t i = 0; i < 16; ++i) claims.push_back(Running(i, 1, "flood"));
  for (uint64_t i = 16; i < 20; ++i) claims.push_back(Waiting(i, 100, "flood"));
  EXPECT_TRUE(scheduler.Next(claims, kManyPages).admitted.empty());
  for (uint64_t i = 20; i < 22; ++i) claims.push_back(Waiting(i, 100, "one"));
  for (uint64_t i = 22; i < 26; ++i) claims.push_back(Waiting(i, 100, std::array{"two", "three", "four", "five"}[i - 22]));
  EXPECT_EQ(scheduler.Next(claims, kManyPages).admitted, (std::vector<size_t>{20, 22})) << "two spare places, one each";
}

TEST(Scheduler, ShortPromptsNeedNotWaitForLongOnes) {
  Scheduler scheduler(8, 512, 0.1);
  const std::vector<Claim> claims{Running(1, 8000), Running(2, 40)};
  const auto parts = PartsOf(scheduler.Next(claims, kManyPages));
  EXPECT_EQ(parts.at(1), 40);
  EXPECT_GT(parts.at(0), 0);
}

TEST(Scheduler, ClientsTakeTurns) {
  Scheduler scheduler(8, 64, 0.1);
  // One client with many prompts, one with a single one: both read equally much.
  std::vector<Claim> claims;
  for (uint64_t i = 0; i < 7; ++i) claims.push_back(Running(i, 100000, "many"));
  claims.push_back(Running(7, 100000, "one"));
  std::map<std::string, int64_t> read;
  for (int step = 0; step < 200; ++step) {
    for (const auto& [claim, n] : PartsOf(scheduler.Next(claims, kManyPages))) {
      read[std::string(claims[claim].client)] += n;
      scheduler.Charge(claims[claim].client, n);
    }
  }
  EXPECT_NEAR(static_cast<double>(read["one"]), static_cast<double>(read["many"]), 128);
}

TEST(Scheduler, ANewcomerHasNoRightToThePast) {
  Scheduler scheduler(8, 64, 0.1);
  const std::vector<Claim> old{Running(1, 100000, "old")};
  for (int step = 0; step < 100; ++step) {
    scheduler.Next(old, kManyPages);
    scheduler.Charge("old", 64);
  }
  const std::vector<Claim> both{Running(1, 100000, "old"), Running(2, 100000, "new")};
  std::map<size_t, int64_t> read;
  for (int step = 0; step < 100; ++step) {
    for (const auto& [claim, n] : PartsOf(scheduler.Next(both, kManyPages))) {
      read[claim] += n;
      scheduler.Charge(both[claim].client, n);
    }
  }
  EXPECT_NEAR(static_cast<double>(read[0]), static_cast<double>(read[1]), 128);
}

TEST(Scheduler, AdmitsInOrderWhilePlacesAndPagesLast) {
  Scheduler scheduler(3, 512, 0.1);
  const std::vector<Claim> claims{Running(1, 1), Waiting(2, 10), Waiting(3, 1), Waiting(4, 1, "", -1)};
  EXPECT_EQ(scheduler.Next(claims, 100).admitted, (std::vector<size_t>{3, 1})) << "priority, then arrival; 3 places";
  EXPECT_EQ(scheduler.Next(claims, 5).admitted, (std::vector<size_t>{3})) << "nobody passes the one who needs 10 pages";
  EXPECT_TRUE(scheduler.Next(claims, 0).admitted.empty());
  const std::vector<Claim> alone{Waiting(2, 10)};
  EXPECT_EQ(scheduler.Next(alone, 0).admitted.size(), 1U) << "the first always has room";
}

TEST(Scheduler, RestingClaimsTakeNoPart) {
  Scheduler scheduler(8, 512, 0.1);
  std::vector<Claim> claims{Running(1, 1), Running(2, 500), Running(3, 1)};
  claims[0].resting = claims[1].resting = true;
  EXPECT_EQ(PartsOf(scheduler.Next(claims, 0)), (std::map<size_t, int64_t>{{2, 1}}));
}

TEST(Scheduler, TheLastOneGivesWay) {
  Scheduler scheduler(8, 512, 0.1);
  std::vector<Claim> claims{Running(1, 1, "", 1), Running(2, 1), Running(3, 1), Waiting(4, 1)};
  EXPECT_EQ(scheduler.Victim(claims), 0U) << "the lowest right";
  claims[1].resting = true;
  EXPECT_EQ(scheduler.Victim(claims), 1U) << "who rests anyway";
  EXPECT_EQ(scheduler.Victim(std::span(claims).first(1)), 1U) << "never the only one";
}

}  // namespace
}  // namespace lfm::engine
