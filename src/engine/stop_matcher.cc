// Knuth-Morris-Pratt for every stop string at once, byte by byte.
#include "engine/stop_matcher.h"

#include <algorithm>

#include "base/strings.h"

namespace lfm::engine {

Result<StopMatcher> StopMatcher::Create(std::vector<std::string> stops) {
  if (stops.size() > kMaxStops) {
    return Error{ErrorCode::kLimit, StrCat("there are ", stops.size(), " stop strings; at most ", kMaxStops, " are supported")};
  }
  StopMatcher matcher;
  for (std::string& text : stops) {
    if (text.empty()) return Error{ErrorCode::kInvalidArgument, "a stop string is empty; leave it out"};
    if (text.size() > kMaxBytes) {
      return Error{ErrorCode::kLimit, StrCat("the stop string ", Quote(text, 30), " has ", text.size(), " bytes; at most ",
                                             kMaxBytes, " are supported")};
    }
    Stop stop;
    stop.fallback.resize(text.size(), 0);
    for (size_t i = 1; i < text.size(); ++i) {
      int k = stop.fallback[i - 1];
      while (k > 0 && text[i] != text[static_cast<size_t>(k)]) k = stop.fallback[static_cast<size_t>(k) - 1];
      stop.fallback[i] = k + (text[i] == text[static_cast<size_t>(k)] ? 1 : 0);
    }
    stop.text = std::move(text);
    matcher.stops_.push_back(std::move(stop));
  }
  return matcher;
}

std::string StopMatcher::Push(std::string_view text) {
  if (stopped_) return {};
  if (stops_.empty()) return std::string(text);
  for (const char c : text) {
    held_.push_back(c);
    const Stop* longest = nullptr;
    for (Stop& stop : stops_) {
      int& n = stop.n_matched;
      while (n > 0 && stop.text[static_cast<size_t>(n)] != c) n = stop.fallback[static_cast<size_t>(n) - 1];
      n += stop.text[static_cast<size_t>(n)] == c ? 1 : 0;
      const bool complete = static_cast<size_t>(n) == stop.text.size();
      if (complete && (longest == nullptr || stop.text.size() > longest->text.size())) longest = &stop;
    }
    if (longest == nullptr) continue;
    stopped_ = true;
    found_ = longest->text;
    held_.resize(held_.size() - found_.size());
    return std::move(held_);
  }
  // What the longest partial match covers may still become a stop string.
  size_t n_held = 0;
  for (const Stop& stop : stops_) n_held = std::max(n_held, static_cast<size_t>(stop.n_matched));
  std::string certain = held_.substr(0, held_.size() - n_held);
  held_.erase(0, certain.size());
  return certain;
}

std::string StopMatcher::Finish() {
  std::string rest = std::move(held_);
  held_.clear();
  for (Stop& stop : stops_) stop.n_matched = 0;
  return stopped_ ? std::string() : rest;
}

}  // namespace lfm::engine
