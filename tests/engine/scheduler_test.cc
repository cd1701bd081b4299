// The scheduler alone: figures in, plans out.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

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
  for (int i = 0; i < 20; ++i) scheduler.Observe(2, 32, 0.1);  // 32 prompt tokens fill a step
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

TEST(StepBudget, FindsTheNumberOfTokensThatFits) {
  StepBudget budget(0.1, 512);
  const auto seconds = [](double n) { return 0.03 + 0.001 * n; };  // 70 fit into 0.1 s
  for (int i = 0; i < 50; ++i) budget.Observe(4, budget.Beside(), seconds(static_cast<double>(budget.Beside())));
  EXPECT_NEAR(static_cast<double>(budget.Beside()), 70, 2);
  const int64_t before = budget.Beside();
  budget.Observe(4, 3, 0.033);  // a short rest of a prompt says nothing about more
  EXPECT_EQ(budget.Beside(), before);
  budget.Observe(4, 3, 10);  // too slow says so at any size
  EXPECT_LT(budget.Beside(), before);
}

TEST(StepBudget, SlowMachinesStillReadPrompts) {
  StepBudget budget(0.1, 512);
  const auto seconds = [](double n) { return 0.5 + 0.01 * n; };  // answers alone take longer than a step may
  for (int i = 0; i < 20; ++i) budget.Observe(16, 0, seconds(0));
  for (int i = 0; i < 200; ++i) budget.Observe(16, budget.Beside(), seconds(static_cast<double>(budget.Beside())));
  EXPECT_NEAR(static_cast<double>(budget.Beside()), 87, 3) << "2.75 times a step without prompts";
}

TEST(StepBudget, KnowsWhatAStepWouldTakeWhenNoneIsWithoutPrompts) {
  StepBudget budget(0.1, 512);
  budget.Observe(0, 100, 1.0);
  for (int i = 0; i < 200; ++i) {
    budget.Observe(16, budget.Beside(), 0.15 + 0.01 * static_cast<double>(budget.Beside()));
  }
  EXPECT_NEAR(static_cast<double>(budget.Beside()), 26, 2) << "0.15 * 1.75 seconds of them";
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
