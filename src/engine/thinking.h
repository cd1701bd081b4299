// Tells a model's thinking from its answer while it is being written.
#pragma once

#include <string>
#include <string_view>

namespace lfm::engine {

// Splits streamed text. Only a block that opens the text (after white space) is thinking; later marks are plain text.
// White space around the block belongs to neither part. Not thread-safe.
class ThinkingSplitter {
 public:
  struct Parts {
    std::string thinking, text;
  };

  // `open`: the prompt itself ended with <think> (text::PromptOpensThinking), so that the text begins inside the block;
  // a model that opens it again is taken at its word once.
  explicit ThinkingSplitter(bool open = false) : open_(open), found_(open) {}

  Parts Push(std::string_view text);
  // What was held back, at the end of the text.
  Parts Finish();

  bool found() const { return found_; }  // a block was opened
  bool inside() const { return place_ == Place::kInside || (open_ && place_ == Place::kBefore); }

 private:
  enum class Place { kBefore, kInside, kAfter, kText };
  bool open_;
  Place place_ = Place::kBefore;
  bool found_;
  bool thought_ = false;  // something but white space was thought
  std::string held_;      // what may still become a mark, or white space whose place is not decided
};

}  // namespace lfm::engine
