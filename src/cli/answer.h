// One answer on its way to the user: text as it comes, thinking apart, and the JSON and figures afterwards.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/generate.h"
#include "engine/thinking.h"
#include "text/answer_parser.h"

namespace lfm::cli {

struct AnswerStyle {
  bool split_thinking = false;  // chat: a leading <think> block is not part of the text
  bool open_thinking = false;   // the prompt ended with <think>
  bool show_thinking = true;
  bool stream = true;              // write to standard output; false collects only
  std::vector<std::string> tools;  // names of the declared tools
  std::string written;             // what the prompt has already written of the answer
};

class AnswerPrinter {
 public:
  explicit AnswerPrinter(const AnswerStyle& style);

  // A piece of the text, as Generate() hands it out.
  void Push(std::string_view piece);
  // The rest of the answer's whole text (without style.written).
  void Finish(std::string_view whole);

  const std::string& text() const { return text_; }
  const std::string& thinking() const { return thinking_; }
  bool has_thinking() const { return splitter_.found(); }
  // The text with its calls told apart.
  text::ParsedAnswer Parsed() const;
  bool expects_calls() const { return !style_.tools.empty(); }

 private:
  void Feed(std::string_view piece);
  void Take(const engine::ThinkingSplitter::Parts& parts);
  void Show(std::string_view text);
  void ShowEvents();
  void ShowCall();
  text::AnswerParserOptions ParserOptions() const;
  void LeaveThinking();

  AnswerStyle style_;
  engine::ThinkingSplitter splitter_;
  const bool terminal_, dim_;
  text::AnswerParser parser_;              // of the text, on a terminal: a call is shown as a call
  std::vector<text::AnswerEvent> events_;  // not yet shown
  text::ToolCall call_;
  std::string text_, thinking_;
  size_t n_seen_ = 0;
  bool in_thinking_ = false;
  char last_ = '\n';
};

// The document of `lfm run --json`.
Json AnswerJson(const engine::Generation& generation, const AnswerPrinter& answer, std::span<const int32_t> prompt,
                const text::Tokenizer& tokenizer);

}  // namespace lfm::cli
