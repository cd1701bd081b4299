// Chooses what the next step does: who joins, who reads how many tokens, who gives way. Pure: owns no memory, thread, clock
// or model; it sees figures and remembers only what each client has had and how long steps took.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lfm::engine {

// How many prompt tokens fit into a step of a given length, learned from the steps that were made. A step's time is no
// straight line over its tokens (experts are read once for all of them), so the number itself is steered, not a model of it.
class StepBudget {
 public:
  // Beside running answers a step should take 2.75 times what it takes without prompts (a gap of three times is what a
  // reader may see), or `step_seconds` where that is more; alone a second or ten times `step_seconds`, so that a cancel or a
  // newcomer waits no longer.
  StepBudget(double step_seconds, int64_t n_chunk);

  // How many times longer steps with prompts may be because more people wait for their first token than for their next
  // one: at least 1; a second is the most.
  void Weigh(double factor);
  // A step of n_decode answers and n_prompt prompt tokens took so long.
  void Observe(int64_t n_decode, int64_t n_prompt, double seconds);
  // Beside so many answers. Now and then 0, and when their number has changed by a quarter, so that a step shows what it
  // takes without prompts: inferred from steps with prompts it would drift.
  int64_t Beside(int64_t n_decode) const;
  int64_t Alone() const { return static_cast<int64_t>(alone_); }

 private:
  void Steer(double& budget, double target, int64_t n_prompt, double seconds) const;
  double TargetBeside() const;
  bool KnowsIdle(int64_t n_decode) const;

  const double step_seconds_;
  const double n_chunk_;
  double idle_seconds_ = 0;    // of a step of answers alone, smoothed
  int64_t n_idle_decode_ = 0;  // its answers
  int n_since_idle_ = 0;       // steps of both since the last one of answers alone
  double factor_ = 1;
  double beside_, alone_;
};

// A sequence that wants to go on.
struct Claim {
  uint64_t id = 0;          // rises with arrival
  std::string_view client;  // whom it belongs to
  int priority = 0;         // lower goes first
  bool running = false;     // has a place and pages
  bool resting = false;     // cannot use a step now: its reader is behind, or another reads for it
  int64_t n_unread = 1;     // tokens until its next row of logits; few of them: an answer being written
  int64_t n_pages = 0;      // that it will need for all its tokens, if it does not run yet
};

struct Part {
  size_t claim = 0;  // its place in the list
  int64_t n_tokens = 0;
};

struct Plan {
  std::vector<size_t> admitted;  // claims that run from now on
  std::vector<Part> parts;       // of the step: answers first, then prompts in the order of their right
};

class Scheduler {
 public:
  // Parts of up to so many tokens are not counted as prompts: an answer's last token and what its grammar added.
  static constexpr int64_t kMaxAnswerTokens = 8;

  Scheduler(int max_running, int64_t n_chunk, double step_seconds)
      : max_running_(max_running), n_chunk_(n_chunk), budget_(step_seconds, n_chunk) {}

  // Places beyond max_running, for clients that have none: who floods the server does not make others wait for his answers.
  static int SparePlaces(int max_running) { return max_running / 8; }

  // Invariants: every running answer that does not rest is in every plan; who waits for pages holds none; a waiting claim
  // is passed by none that comes after it in the order of priority, what its client has had, arrival, but for those who
  // get a spare place.
  // n_free_pages: that are free, or held by nobody who runs, beyond what those who run need to read their prompts.
  Plan Next(std::span<const Claim> claims, int64_t n_free_pages);

  // Who gives its pages back when there are too few: of the running ones the last in the same order, resting ones first.
  // Never the only one. The place in the list, or claims.size().
  size_t Victim(std::span<const Claim> claims) const;

  // `client` has had so many tokens, read or written.
  void Charge(std::string_view client, int64_t n_tokens);
  void Observe(int64_t n_decode, int64_t n_prompt, double seconds) { budget_.Observe(n_decode, n_prompt, seconds); }

 private:
  void Lift(std::span<const Claim> claims);
  static double ReadersPerAnswer(std::span<const Claim> claims);
  double ServedOf(const Claim& claim) const;
  std::vector<size_t> InOrder(std::span<const Claim> claims, bool running) const;
  void ShareBudget(std::span<const Claim> claims, std::vector<size_t> readers, int64_t budget, Plan& plan) const;

  const int max_running_;
  const int64_t n_chunk_;
  StepBudget budget_;
  // Tokens that each client has had, in the manner of fair queueing: who comes anew begins with as many as the least
  // served of those present, so that nobody saves up a right to more (Sheng and others, "Fairness in serving large
  // language models", 2024).
  std::map<std::string, double, std::less<>> served_;
  double floor_ = 0;  // the least of those present
};

}  // namespace lfm::engine
