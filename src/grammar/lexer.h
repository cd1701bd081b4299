// The lexer's states: one or more languages side by side (a part for each alternative that the grammar follows) and how
// their text is written: bare, in a JSON string with its escapes, in a Python string. Rows are filled as bytes come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/regex.h"

namespace lfm::grammar {

class Lexer {
 public:
  static constexpr uint32_t kDead = 0;    // no state: the byte is forbidden
  static constexpr uint32_t kCross = 1;   // no state: the grammar decides
  static constexpr uint32_t kStruct = 2;  // a state in which every byte is the grammar's matter
  static constexpr uint32_t kSpace = 3;   // the same after any of the white space allowed between tokens of JSON
  static constexpr uint32_t kSpaced = 4;  // after one space; then line end and 0 to 20 blanks
  static constexpr uint32_t kMaxBlanks = 20;

  // kWords: parts in pairs, a word's language and the bytes that may follow it; it ends where one of them comes.
  // kFree: any text until the marker byte of special tokens, which is the grammar's matter. kDoubleQuoted and
  // kSingleQuoted: Python's strings, as models write them in calls.
  enum class Kind : uint8_t { kFixed, kRaw, kFree, kBare, kWords, kJsonString, kDoubleQuoted, kSingleQuoted };

  explicit Lexer(RegexPool& pool);

  // Whether the grammar wants to see what was written: not, as the name of a member, or as a value that may not come again.
  enum class Text : uint8_t { kUnseen, kKey, kValue };
  // The state for parts of which at least one is not kNone; kDead otherwise.
  uint32_t StateFor(Kind kind, std::vector<Re> parts, Text text, uint32_t phase = 0);
  uint32_t Next(uint32_t state, uint8_t byte) {
    const uint32_t next = rows_[size_t{state} * 256 + byte];
    return next != kUnknown ? next : Fill(state, byte);
  }

  Kind KindOf(uint32_t state) const { return states_[state].kind; }
  const std::vector<Re>& Parts(uint32_t state) const { return states_[state].parts; }
  Text TextOf(uint32_t state) const { return states_[state].text; }
  bool NeedsText(uint32_t state) const { return TextOf(state) != Text::kUnseen; }
  bool IsSpaced(uint32_t state) const { return state >= kSpaced && state < kFirstFree; }
  // After the quote of a kSingleQuoted text and a blank: it is known only now whether the quote has closed the text.
  bool AfterQuoteAndBlank(uint32_t state) const;
  bool AfterQuote(uint32_t state) const;  // with or without the blank
  // Outside of escapes, where a text may end.
  bool AtRest(uint32_t state) const { return states_[state].phase == 0; }
  // Any text of so many plain code points leads on.
  uint32_t PlainSlack(uint32_t state) const;
  // The state with counts forgotten that are farther than `reach` bytes: it has the same mask for tokens of that length.
  uint32_t Saturated(uint32_t state, uint32_t reach);
  size_t n_states() const { return states_.size(); }

  // The text that a string lexeme stands for; of a kSingleQuoted one also with its quote, and a blank, behind.
  static std::string Decode(Kind kind, std::string_view written);
  // Text written as the inside of a string of that kind.
  static std::string Encode(Kind kind, std::string_view text);

 private:
  static constexpr uint32_t kUnknown = UINT32_MAX;
  static constexpr uint32_t kFirstFree = kSpaced + 2 + kMaxBlanks;
  struct State {
    Kind kind = Kind::kFixed;
    Text text = Text::kUnseen;
    uint32_t phase = 0;  // inside an escape: see lexer.cc
    std::vector<Re> parts;
  };

  uint32_t Fill(uint32_t state, uint8_t byte);
  void FillAlike(uint32_t state, uint8_t byte, uint32_t next);
  uint32_t FillString(uint32_t state, uint8_t byte);
  uint32_t Feed(uint32_t state, std::string_view decoded, uint32_t phase);
  bool AnyLive(const std::vector<Re>& parts, std::string_view decoded);
  uint32_t FillWords(uint32_t state, uint8_t byte);
  uint32_t FillQuoted(uint32_t state, uint8_t byte);
  bool QuoteMayStay(const std::vector<Re>& parts, std::string_view quote);
  bool AnyEnds(const std::vector<Re>& parts) const;

  RegexPool& pool_;
  std::vector<State> states_;
  std::vector<uint32_t> rows_;  // [state][byte]: the next state
  std::unordered_multimap<uint64_t, uint32_t> index_;
};

}  // namespace lfm::grammar
