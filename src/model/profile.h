// Where the time of a step goes: one accumulator a phase. Costs nothing when no Profile is set.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string_view>

namespace lfm::model {

enum class Phase : uint8_t { kEmbedding, kConv, kAttention, kRouter, kExperts, kDense, kHead };
constexpr int kPhases = 7;
constexpr std::array<std::string_view, kPhases> kPhaseNames = {"embedding", "conv",  "attention", "router",
                                                               "experts",   "dense", "head"};

struct Profile {
  std::array<double, kPhases> seconds{};  // without waiting
  std::array<uint64_t, kPhases>
      read_bytes{};            // weights that the steps needed (of the experts: those really chosen), and their KV pages
  double waiting_seconds = 0;  // a thread had no work left in a phase and waited for the others
  int64_t n_steps = 0;
  int64_t n_tokens = 0;
  uint64_t operations = 0;      // of all matrix products and attention; a multiply-add is two
  uint64_t f32_operations = 0;  // those of them that are made in f32: attention, and weights that are not quantised

  Phase phase = Phase::kEmbedding;  // where bytes are counted now

  uint64_t all_read_bytes() const { return std::accumulate(read_bytes.begin(), read_bytes.end(), uint64_t{0}); }
  void CountBytes(uint64_t n) { read_bytes[static_cast<size_t>(phase)] += n; }
};

// Adds the time of its life to one phase. Phases do not nest.
class PhaseTimer {
 public:
  PhaseTimer(Profile* profile, Phase phase) : profile_(profile) {
    if (!profile_) return;
    profile_->phase = phase;
    waiting_ = profile_->waiting_seconds;
    begin_ = std::chrono::steady_clock::now();
  }
  ~PhaseTimer() {
    if (!profile_) return;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin_;
    profile_->seconds[static_cast<size_t>(profile_->phase)] += time.count() - (profile_->waiting_seconds - waiting_);
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  Profile* profile_;
  double waiting_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace lfm::model
