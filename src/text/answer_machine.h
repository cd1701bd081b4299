// The machine behind AnswerParser: where in the answer it is, what is held back, and the block that is being read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/answer_parser.h"
#include "text/stream_decoder.h"
#include "text/tool_call_reader.h"

namespace lfm::text {

// Whether a byte stands in a string, by Python's rules alone; goes on whatever it reads.
class QuoteScanner {
 public:
  void Feed(char c) {
    if (escaped_) {
      escaped_ = false;
      return;
    }
    if (phase_ == Phase::kOpened || phase_ == Phase::kTwo) {
      const bool again = c == quote_;
      if (phase_ == Phase::kOpened) {
        phase_ = again ? Phase::kTwo : Phase::kBody;
        if (again) return;
      } else {
        long_ = again;
        phase_ = again ? Phase::kBody : Phase::kOutside;
        if (again) return;
      }
    }
    if (phase_ == Phase::kOutside) {
      if (c != '\'' && c != '"') return;
      quote_ = c;
      n_quotes_ = 0;
      long_ = false;
      phase_ = Phase::kOpened;
    } else if (c == quote_) {
      if (!long_ || ++n_quotes_ == 3) phase_ = Phase::kOutside;
    } else {
      n_quotes_ = 0;
      escaped_ = c == '\\';
    }
  }
  // At a byte that is no quote.
  bool inside() const { return phase_ == Phase::kOpened || phase_ == Phase::kBody; }

 private:
  enum class Phase : uint8_t { kOutside, kOpened, kTwo, kBody };
  Phase phase_ = Phase::kOutside;
  char quote_ = 0;
  bool long_ = false, escaped_ = false;
  int n_quotes_ = 0;
};

class AnswerParser::Machine {
 public:
  explicit Machine(AnswerParserOptions options)
      : options_(std::move(options)), bare_possible_(options_.calls && !options_.tools.empty()),
        place_(options_.reasoning ? Place::kBefore : Place::kText) {}

  void Push(std::string_view bytes, std::vector<AnswerEvent>& out) {
    out_ = &out;
    first_ = out.size();
    Take(stream_.Push(bytes));
    if (place_ == Place::kBlock && !reader_.failed()) EmitOpenArguments();
  }
  void Finish(std::vector<AnswerEvent>& out);

  bool has_calls() const { return n_calls_ > 0; }
  bool in_reasoning() const { return place_ == Place::kReasoning || (place_ == Place::kBefore && options_.reasoning_open); }

 private:
  enum class Place : uint8_t { kBefore, kReasoning, kText, kBare, kEcho, kBlock };
  enum class Mark : uint8_t { kThinkStart, kThinkEnd, kCallStart, kCallEnd };

  void Take(std::string_view text) {
    for (const char c : text) Lex(c);
  }
  void Lex(char c);
  bool IsWatched(Mark mark) const;
  void ReleaseMarker();
  void OnChar(char c);
  void OnMark(Mark mark);

  void BeforeChar(char c);
  void ReasoningChar(char c);
  void TextChar(char c);
  void Blank(char c);
  void BareChar(char c);
  bool BareIsPossible() const;
  bool IsDeclared(std::string_view name) const;
  bool NameIsPossible(std::string_view text) const;
  void ReleaseHeld();
  void ReleaseAsText(std::string_view text);
  bool FinishBare();

  void BeginBlock();
  void BlockChar(char c);
  void BlockMark(Mark mark);
  void GiveUpBlock();
  bool TryEarly();
  void CloseBlock(bool has_end);
  void BlockIsText(std::string_view block, bool has_end);
  void Reread(std::string_view text);
  void EndInBlock();

  void EmitConfirmed();
  void EmitCall(const ToolCall& call);
  void BeginOpenCall();
  void EmitOpenArguments();
  void EndOpenCall();
  void Emit(AnswerEvent::Kind kind, std::string_view text);

  AnswerParserOptions options_;
  bool bare_possible_;
  Place place_;
  Utf8Stream stream_;
  std::vector<AnswerEvent>* out_ = nullptr;
  size_t first_ = 0;  // of out_: what this Push has added

  std::string marker_;        // what may become a marker
  std::string blanks_;        // white space whose place is not known yet
  std::string held_;          // text that may be an echo or a call without markers
  bool said_ = false;         // there was content
  bool after_block_ = false;  // nothing was said since the last block
  bool trim_ = false;         // blanks are dropped: behind the reasoning or a block
  bool verbatim_ = false;     // the text is written out without looking for echoes
  size_t n_calls_ = 0;

  std::string block_;
  ToolCallReader reader_;
  QuoteScanner quotes_;
  size_t n_emitted_ = 0;                  // calls of this block
  size_t first_end_ = std::string::npos;  // of end markers inside a string of this block
  int n_tries_ = 0;
  bool open_emitted_ = false;  // the call being read was begun with its arguments on their way
  size_t open_sent_ = 0;       // of the tape
  uint64_t n_read_ = 0, n_reread_ = 0;
  int reread_depth_ = 0;
};

}  // namespace lfm::text
