// Stop strings over streamed text, found across the borders of tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lfm::engine {

// Passes text through and ends it before the first stop string. Holds back only what may be the beginning of
// one. Where several begin in the text, the one that is complete first counts; of those, the one that begins
// first. Not thread-safe. Time is linear in the text times the number of stop strings.
class StopMatcher {
 public:
  static constexpr int kMaxStops = 64;
  static constexpr int kMaxBytes = 4096;  // of one stop string

  // An error when a stop string is empty or too long, or there are too many.
  static Result<StopMatcher> Create(std::vector<std::string> stops);
  StopMatcher() = default;  // without stop strings: text passes

  // The text that can be shown now. After stopped() it is empty.
  std::string Push(std::string_view text);
  // What was held back, at the end of the text.
  std::string Finish();

  bool stopped() const { return stopped_; }
  // The stop string that was found; empty before.
  std::string_view found() const { return found_; }

 private:
  struct Stop {
    std::string text;
    std::vector<int> fallback;  // Knuth-Morris-Pratt: longest border of each prefix
    int n_matched = 0;
  };
  std::vector<Stop> stops_;
  std::string held_;
  std::string found_;
  bool stopped_ = false;
};

}  // namespace lfm::engine
