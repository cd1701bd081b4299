// Where the time of a step goes: one accumulator a phase. Costs nothing when no Profile is set.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace lfm::model {

enum class Phase : uint8_t { kEmbedding, kConv, kAttention, kRouter, kExperts, kDense, kHead };
constexpr int kPhases = 7;
constexpr std::array<std::string_view, kPhases> kPhaseNames = {"embedding", "conv",  "attention", "router",
                                                               "experts",   "dense", "head"};

struct Profile {
  std::array<double, kPhases> seconds{};
  int64_t n_steps = 0;
  int64_t n_tokens = 0;
  uint64_t read_bytes = 0;   // weights that the steps needed (of the experts: those really chosen), and their KV pages
  uint64_t operations = 0;   // of all matrix products and attention; a multiply-add is two
};

// Adds the time of its life to one phase.
class PhaseTimer {
 public:
  PhaseTimer(Profile* profile, Phase phase) : profile_(profile), phase_(phase) {
    if (profile_) begin_ = std::chrono::steady_clock::now();
  }
  ~PhaseTimer() {
    if (!profile_) return;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin_;
    profile_->seconds[static_cast<size_t>(phase_)] += time.count();
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  Profile* profile_;
  Phase phase_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace lfm::model
