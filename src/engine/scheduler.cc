#include "engine/scheduler.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace lfm::engine {
namespace {

constexpr double kFirstBudget = 32;  // tokens, before anything was measured
constexpr double kLeastBudget = 4;
constexpr double kMostSlowdown = 2.75;
constexpr double kLeastStep = 0.006;   // seconds: shorter ones read prompts slowly, and nobody sees the difference
constexpr double kLongestAlone = 1.0;  // seconds
constexpr int kLookEvery = 16;         // steps with prompts between two that show what answers alone take

void Smooth(double& value, double sample) { value = value == 0 ? sample : value + (sample - value) / 4; }

}  // namespace

StepBudget::StepBudget(double step_seconds, int64_t n_chunk)
    : step_seconds_(step_seconds), n_chunk_(static_cast<double>(n_chunk)), beside_(std::min(kFirstBudget, n_chunk_)),
      alone_(std::min(4 * kFirstBudget, n_chunk_)) {}

void StepBudget::Steer(double& budget, double target, int64_t n_prompt, double seconds) const {
  const auto n = static_cast<double>(n_prompt);
  const double factor = target / seconds;
  // A step that was too long says so at any size; one that was short enough only when it was near the budget.
  if (factor >= 1 && n < budget / 2) return;
  budget = std::clamp(n * std::clamp(factor, 0.25, 2.0), std::min(kLeastBudget, n_chunk_), n_chunk_);
}

double StepBudget::TargetBeside() const {
  const double target = std::max({kLeastStep, step_seconds_, kMostSlowdown * idle_seconds_});
  return std::max(target, std::min(factor_ * target, kLongestAlone));
}

void StepBudget::Weigh(double factor) {
  const double before = TargetBeside();
  factor_ = std::max(1.0, factor);
  // Longer steps are found by steering; shorter ones are owed at once.
  if (const double now = TargetBeside(); now < before)
    beside_ = std::max(std::min(kLeastBudget, n_chunk_), beside_ * now / before);
}

// More answers make longer steps: what fewer of them took would leave the last prompts a few tokens a step.
bool StepBudget::KnowsIdle(int64_t n_decode) const {
  return 4 * n_decode <= 5 * n_idle_decode_ && 4 * n_decode >= 3 * n_idle_decode_;
}

int64_t StepBudget::Beside(int64_t n_decode) const {
  return !KnowsIdle(n_decode) || n_since_idle_ >= kLookEvery ? 0 : static_cast<int64_t>(beside_);
}

void StepBudget::Observe(int64_t n_decode, int64_t n_prompt, double seconds) {
  if (!(seconds > 0)) return;
  if (n_prompt == 0) {
    if (!KnowsIdle(n_decode)) idle_seconds_ = 0;
    Smooth(idle_seconds_, seconds);
    n_idle_decode_ = n_decode;
    n_since_idle_ = 0;
  } else if (n_decode == 0) {
    Steer(alone_, step_seconds_ > 0 ? 10 * step_seconds_ : kLongestAlone, n_prompt, seconds);
  } else {
    ++n_since_idle_;
    Steer(beside_, TargetBeside(), n_prompt, seconds);
  }
}

double Scheduler::ServedOf(const Claim& claim) const {
  const auto found = served_.find(claim.client);
  return found == served_.end() ? floor_ : std::max(found->second, floor_);
}

void Scheduler::Lift(std::span<const Claim> claims) {
  if (claims.empty()) return;
  // The least served of those who are present; newcomers are not asked, they begin there.
  double least = std::numeric_limits<double>::infinity();
  for (const Claim& claim : claims) {
    if (const auto found = served_.find(claim.client); found != served_.end()) least = std::min(least, found->second);
  }
  if (least < std::numeric_limits<double>::infinity()) floor_ = std::max(floor_, least);
  for (const Claim& claim : claims) {
    const auto found = served_.find(claim.client);
    if (found == served_.end()) {
      served_.emplace(std::string(claim.client), floor_);
    } else {
      found->second = std::max(found->second, floor_);
    }
  }
  // Who is absent and not ahead would begin at the floor anyway: forgotten.
  if (served_.size() <= 2 * claims.size() + 64) return;
  std::erase_if(served_, [&](const auto& entry) {
    return entry.second <= floor_ &&
           std::none_of(claims.begin(), claims.end(), [&](const Claim& c) { return c.client == entry.first; });
  });
}

std::vector<size_t> Scheduler::InOrder(std::span<const Claim> claims, bool running) const {
  std::vector<size_t> order;
  for (size_t i = 0; i < claims.size(); ++i) {
    if (claims[i].running == running) order.push_back(i);
  }
  std::vector<double> served(claims.size());
  for (const size_t i : order) served[i] = ServedOf(claims[i]);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(claims[a].priority, served[a], claims[a].id) < std::tuple(claims[b].priority, served[b], claims[b].id);
  });
  return order;
}

// Of the client who has the fewest prompts waiting for each of his answers that are being written: nobody's answer is slowed
// down for more of somebody else's prompts than of his own.
double Scheduler::ReadersPerAnswer(std::span<const Claim> claims) {
  std::map<std::string_view, std::pair<double, double>> counts;  // prompts, answers
  for (const Claim& claim : claims) {
    auto& [n_prompts, n_answers] = counts[claim.client];
    (claim.running && claim.n_unread <= kMaxAnswerTokens ? n_answers : n_prompts) += 1;
  }
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [client, count] : counts) {
    if (count.second > 0) least = std::min(least, count.first / count.second);
  }
  return least < std::numeric_limits<double>::infinity() ? least : 1;
}

Plan Scheduler::Next(std::span<const Claim> claims, int64_t n_free_pages) {
  Plan plan;
  Lift(claims);
  std::vector<size_t> running = InOrder(claims, true);
  std::set<std::string_view> present;
  for (const size_t i : running) present.insert(claims[i].client);
  for (const size_t i : InOrder(claims, false)) {
    const int n_running = static_cast<int>(running.size());
    if (n_running >= max_running_ + SparePlaces(max_running_)) break;
    if (claims[i].resting || (n_running >= max_running_ && present.contains(claims[i].client))) continue;
    // The first one always has room: the pool holds at least one whole context.
    if (claims[i].n_pages > n_free_pages && !running.empty()) break;
    n_free_pages -= claims[i].n_pages;
    plan.admitted.push_back(i);
    running.push_back(i);
    present.insert(claims[i].client);
  }
  std::sort(running.begin(), running.end());

  std::vector<size_t> readers;
  int64_t left = n_chunk_;
  for (const size_t i : running) {
    if (claims[i].resting) continue;
    if (claims[i].n_unread > kMaxAnswerTokens) {
      readers.push_back(i);
    } else {
      plan.parts.push_back({i, claims[i].n_unread});
    }
  }
  budget_.Weigh(ReadersPerAnswer(claims));
  const auto n_answers = static_cast<int64_t>(plan.parts.size());
  const int64_t budget = std::min(left, n_answers == 0 ? budget_.Alone() : budget_.Beside(n_answers));
  ShareBudget(claims, std::move(readers), budget, plan);
  return plan;
}

void Scheduler::ShareBudget(std::span<const Claim> claims, std::vector<size_t> readers, int64_t budget, Plan& plan) const {
  std::vector<double> served(claims.size());
  for (const size_t i : readers) served[i] = ServedOf(claims[i]);
  std::sort(readers.begin(), readers.end(), [&](size_t a, size_t b) {
    return std::tuple(claims[a].priority, served[a], claims[a].id) < std::tuple(claims[b].priority, served[b], claims[b].id);
  });
  // The shortest prompt of the client whose turn it is has half of the budget, so that it need not wait for a long one;
  // the rest goes down the line, so that the long one is not starved by short ones either.
  std::vector<int64_t> given(readers.size());
  if (readers.size() > 1) {
    size_t shortest = 0;
    for (size_t i = 1; i < readers.size(); ++i) {
      const Claim &claim = claims[readers[i]], &first = claims[readers[0]];
      if (claim.priority != first.priority || claim.client != first.client) break;
      if (claim.n_unread < claims[readers[shortest]].n_unread) shortest = i;
    }
    if (shortest != 0) given[shortest] = std::min(claims[readers[shortest]].n_unread, budget / 2);
    budget -= given[shortest];
  }
  for (size_t i = 0; i < readers.size() && budget > 0; ++i) {
    const int64_t more = std::min(budget, claims[readers[i]].n_unread - given[i]);
    given[i] += more;
    budget -= more;
  }
  for (size_t i = 0; i < readers.size(); ++i) {
    if (given[i] > 0) plan.parts.push_back({readers[i], given[i]});
  }
}

size_t Scheduler::Victim(std::span<const Claim> claims) const {
  const std::vector<size_t> order = InOrder(claims, true);
  if (order.size() < 2) return claims.size();
  const auto resting = std::find_if(order.rbegin(), order.rend(), [&](size_t i) { return claims[i].resting; });
  return resting != order.rend() ? *resting : order.back();
}

void Scheduler::Charge(std::string_view client, int64_t n_tokens) {
  const auto found = served_.find(client);
  if (found == served_.end()) {
    served_.emplace(std::string(client), floor_ + static_cast<double>(n_tokens));
  } else {
    found->second += static_cast<double>(n_tokens);
  }
}

}  // namespace lfm::engine
