// One answer on its way to the user: text as it comes, thinking apart, and the JSON and figures afterwards.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/generate.h"
#include "engine/thinking.h"

namespace lfm::cli {

struct AnswerStyle {
  bool split_thinking = false;  // chat: a leading <think> block is not part of the text
  bool open_thinking = false;   // the prompt ended with <think>
  bool show_thinking = true;
  bool stream = true;  // write to standard output; false collects only
};

class AnswerPrinter {
 public:
  explicit AnswerPrinter(const AnswerStyle& style);

  // A piece of the text, as Generate() hands it out.
  void Push(std::string_view piece);
  // The rest of the answer's whole text.
  void Finish(std::string_view whole);

  const std::string& text() const { return text_; }
  const std::string& thinking() const { return thinking_; }
  bool has_thinking() const { return splitter_.found(); }

 private:
  void Take(const engine::ThinkingSplitter::Parts& parts);
  void Show(std::string_view text);
  void LeaveThinking();

  AnswerStyle style_;
  engine::ThinkingSplitter splitter_;
  const bool terminal_, dim_;
  std::string text_, thinking_;
  size_t n_seen_ = 0;
  bool in_thinking_ = false;
  char last_ = '\n';
};

// The document of `lfm run --json`.
Json AnswerJson(const engine::Generation& generation, const AnswerPrinter& answer,
                std::span<const int32_t> prompt, const text::Tokenizer& tokenizer);

}  // namespace lfm::cli
