// One choice of an answer on its way from the engine's events to what clients see: text, reasoning, tool calls and log
// probabilities, told apart. The writers of each API turn the parts into their own documents and streams.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "text/answer_parser.h"
#include "text/tokenizer.h"

namespace lfm::server {

// A token beside its log probability. Bytes may be a part of a character.
struct TokenFigure {
  std::string bytes;
  float logprob = 0;
  bool known = true;  // false: the first token of a prompt has no probability
  bool shown = true;  // false: the text leaves it out
  std::vector<std::pair<std::string, float>> top;
};

// A stretch of an answer, in the order of the text.
struct Block {
  enum class Kind { kText, kReasoning, kCall };
  Kind kind = Kind::kText;
  std::string text;  // of a call: its arguments, a JSON object
  std::string name, call_id;
  bool closed = false;
};

struct Answer {
  std::vector<Block> blocks;
  std::vector<TokenFigure> figures;  // where asked for; the end token has none
  std::string finish;                // "stop", "length", "tool_calls"; "" until it is over
  std::string stop;                  // the stop string that was found
  int64_t n_tokens = 0, n_reasoning = 0;

  std::string Text(Block::Kind kind) const;  // all blocks of the kind, joined
  bool Has(Block::Kind kind) const;
};

// What came with one event. `block` is the index in Answer::blocks.
struct Part {
  enum class Kind { kText, kReasoning, kCallBegin, kArguments, kCallEnd };
  Kind kind = Kind::kText;
  size_t block = 0;
  std::string text;                  // kCallBegin: the function's name
  std::vector<TokenFigure> figures;  // of the tokens since the last part
};

// Makes a new id with a prefix ("call_"); tests give their own.
using IdMaker = std::function<std::string(std::string_view prefix)>;
std::string RandomId(std::string_view prefix);

struct ReaderOptions {
  text::AnswerParserOptions parser;
  bool parse = true;  // false: all is text, as in completions
  bool figures = false;
  int n_top = 0;  // alternatives of a figure
  bool ignore_eos = false;
  bool shows_all = false;  // special tokens stand in the text
  std::string call_prefix = "call_";
};

// Not thread-safe. Borrows the tokenizer.
class AnswerReader {
 public:
  AnswerReader(const text::Tokenizer& tokenizer, ReaderOptions options, IdMaker make_id = RandomId);

  // Takes a kToken or kChoiceEnd event of this choice; appends what became certain.
  void Take(const engine::Event& event, std::vector<Part>& parts);
  const Answer& answer() const { return answer_; }
  // Figures of tokens after the last part, at the end of the answer.
  std::vector<TokenFigure> TakeFigures() { return std::exchange(pending_, {}); }

 private:
  void AddFigure(const engine::TokenInfo& token);
  void Place(text::AnswerEvent& event, std::vector<Part>& parts);

  const text::Tokenizer* tokenizer_;
  ReaderOptions options_;
  IdMaker make_id_;
  text::AnswerParser parser_;
  Answer answer_;
  std::vector<TokenFigure> pending_;
  std::vector<text::AnswerEvent> events_;
};

// The figure of one token with its n_top best alternatives, as of a text that shows every token.
TokenFigure MakeFigure(const text::Tokenizer& tokenizer, const engine::TokenInfo& token, int n_top);

}  // namespace lfm::server
