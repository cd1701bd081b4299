#include "engine/thinking.h"

#include <algorithm>
#include <utility>

namespace lfm::engine {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kSpace = " \t\r\n";

std::string_view SkipSpace(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// Bytes at the end of `text` that must wait: the longest suffix that begins `mark`, and white space before
// it.
size_t HeldAtEnd(std::string_view text, std::string_view mark) {
  size_t n = std::min(text.size(), mark.size() - 1);
  while (n > 0 && text.substr(text.size() - n) != mark.substr(0, n)) --n;
  const std::string_view before = text.substr(0, text.size() - n);
  const size_t last = before.find_last_not_of(kSpace);
  return text.size() - (last == std::string_view::npos ? 0 : last + 1);
}

std::string_view TrimEnd(std::string_view text) {
  const size_t last = text.find_last_not_of(kSpace);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

}  // namespace

ThinkingSplitter::Parts ThinkingSplitter::Push(std::string_view text) {
  held_ += text;
  Parts parts;
  if (place_ == Place::kBefore) {
    const std::string_view start = SkipSpace(held_);
    if (start.starts_with(kOpen)) {
      held_ = std::string(start.substr(kOpen.size()));
      place_ = Place::kInside;
      found_ = true;
    } else if (kOpen.starts_with(start)) {
      return parts;  // not decided yet
    } else {
      place_ = open_ ? Place::kInside : Place::kText;
    }
  }
  if (place_ == Place::kInside) {
    if (!thought_) held_ = std::string(SkipSpace(held_));
    const size_t end = held_.find(kClose);
    if (end != std::string::npos) {
      parts.thinking = std::string(TrimEnd(std::string_view(held_).substr(0, end)));
      held_.erase(0, end + kClose.size());
      place_ = Place::kAfter;
    } else {
      const size_t n = held_.size() - HeldAtEnd(held_, kClose);
      parts.thinking = held_.substr(0, n);
      held_.erase(0, n);
    }
    thought_ = thought_ || !parts.thinking.empty();
  }
  if (place_ == Place::kAfter) {
    held_ = std::string(SkipSpace(held_));
    if (!held_.empty()) place_ = Place::kText;
  }
  if (place_ == Place::kText) parts.text = std::exchange(held_, {});
  return parts;
}

ThinkingSplitter::Parts ThinkingSplitter::Finish() {
  Parts parts;
  std::string rest = std::exchange(held_, {});
  if (inside()) {
    parts.thinking = std::string(TrimEnd(thought_ ? std::string_view(rest) : SkipSpace(rest)));
  } else if (place_ == Place::kBefore || place_ == Place::kText) {
    parts.text = std::move(rest);
  }
  return parts;
}

}  // namespace lfm::engine
