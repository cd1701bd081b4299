// A line of progress on a terminal: share, rate and time left. On a pipe nothing is shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lfm::cli {

class ProgressLine {
 public:
  enum class Unit { kBytes, kTokens, kRows };
  ProgressLine(std::string label, Unit unit);
  ~ProgressLine();  // wipes the line
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Draws at most ten times a second, and nothing in the first half second. Not thread-safe.
  void Update(uint64_t done, uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  uint64_t first_ = 0;  // what was there at the first update, e.g. by an earlier run: no part of the rate
  bool begun_ = false;
  Unit unit_;
  bool shown_, drawn_ = false;
  Clock::time_point begin_, last_;
};

}  // namespace lfm::cli
