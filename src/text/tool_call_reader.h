// A list of tool calls, Pythonic or JSON, read byte by byte: a machine without look-ahead that can be set back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/answer_parser.h"
#include "text/tool_call_text.h"

namespace lfm::text {

// Reads what stands between the two markers:
//   list  = "[" [call {"," call} [","]] "]" | call {"," call} [","]
//   call  = name ["(" [args [","]] ")"] | JSON object with a name and arguments
//   args  = dict | arg {"," arg};  arg = key "=" value | "**" dict
// Arguments go to a tape of JSON text that only grows, so that a state can be kept and taken up again at no cost.
class ToolCallReader {
 public:
  static constexpr size_t kMaxDepth = 100;  // of lists and dicts in each other

  // A call on the tape. A confirmed call is certain: what follows it is another call or the end of the list.
  struct Span {
    std::string name;
    size_t begin = 0, end = 0;  // of the arguments' text
    size_t at = 0;              // where it begins in what was read
  };
  enum class At : uint8_t {
    kListStart,
    kElement,
    kName,
    kAfterName,
    kArgsStart,
    kArg,
    kKey,
    kKeyEnd,
    kStar,
    kStarDict,
    kPositionalEnd,
    kValue,
    kString,
    kPrefix,
    kWord,
    kSign,
    kNumber,
    kAfterValue,
    kAfterCall,
    kListEnd,
    kFailed,
  };

  // `declared`: names that count although they do not begin with a letter ("2fa_send"). Kept, not copied.
  explicit ToolCallReader(const std::vector<std::string>* declared = nullptr) : declared_(declared) {}

  void set_ends(StringReader::Ends ends) { ends_ = ends; }

  // Takes a byte. `may_end` matters for Ends::kAsked only. False: this is no list; the reader stays failed.
  bool Feed(char c, bool may_end = false);
  // The text is over; true if the list is complete, and then every call is confirmed. `cut`: it was cut off, so a
  // name at the end may be half of one.
  bool End(bool cut);

  At at() const { return now_.at; }
  bool failed() const { return now_.at == At::kFailed; }
  // Just behind the bracket or comma where a call may begin.
  bool at_element_begin() const { return now_.at == At::kElement && now_.pos == now_.element_at; }
  bool could_end_string(char c) const { return now_.at == At::kString && now_.string.CouldEnd(c); }
  // In a string that is a member's name in a JSON call, where no quote is ever left unescaped.
  bool in_json_name() const {
    return now_.json && now_.at == At::kString && now_.stack.back().kind == Kind::kBraces && now_.stack.back().at_key;
  }
  // A string was opened in what was read: another reading of its quotes may do better.
  bool has_quotes() const { return has_quotes_; }
  bool bracketed() const { return now_.bracketed; }

  const std::vector<Span>& calls() const { return calls_; }
  size_t n_confirmed() const { return now_.n_confirmed; }
  size_t pos() const { return now_.pos; }  // bytes read
  // Where the first call begins that is not confirmed.
  size_t unconfirmed_at() const { return now_.n_confirmed < calls_.size() ? calls_[now_.n_confirmed].at : now_.element_at; }
  // The call as it is given out: repeated names once, with their last value.
  ToolCall Call(size_t i) const;
  // The call as it stands on the tape.
  ToolCall RawCall(size_t i) const;

  // The call being read, its name known; for those who give arguments out while they come. Its text is final up to
  // open_end().
  bool has_open_call() const { return now_.open && !now_.json; }
  const std::string& open_name() const { return name_; }
  size_t open_begin() const { return now_.begin; }
  size_t open_end() const;
  std::string_view tape() const { return tape_; }

 private:
  enum class Kind : uint8_t { kArgument, kPositional, kStar, kElement, kList, kParens, kBraces };
  struct Frame {
    Kind kind;
    bool empty = true;                                    // nothing in it yet
    bool open_end = true;                                 // may be closed here: at its beginning and after a comma
    bool is_dict = false, is_set = false, at_key = true;  // of braces; neither: not decided yet
    bool many = false;                                    // of parentheses: there was a comma
    size_t begin = 0;                                     // of its bracket on the tape
  };
  enum class Item : uint8_t { kString, kScalar, kOther };
  struct State {
    At at = At::kListStart;
    bool bracketed = false, after_comma = false, open = false, json = false;
    Item item = Item::kOther;  // the last value
    bool open_string = false;  // its closing quote is not written yet
    bool key_scalar = false;   // it may be a key: it waits in `word_`
    size_t pos = 0, element_at = 0;
    size_t begin = 0, n_confirmed = 0;  // begin: of the open call's arguments on the tape
    StringReader string;
    std::vector<Frame> stack;
  };

 public:
  // A state to come back to. Valid as long as no older one was taken up.
  class Mark {
    friend class ToolCallReader;
    State now_;
    size_t tape_ = 0, calls_ = 0;
    std::string name_, word_;
  };
  Mark Keep() const;
  void TakeUp(const Mark& mark);
  // As if it had come to byte `pos`, where an element of the list begins.
  void BeginElement(bool bracketed, size_t pos);

 private:
  bool Step(char c, bool may_end);
  bool ListStep(char c);
  bool Element(char c);
  bool HasName() const;
  bool AfterName(char c);
  bool ArgumentStep(char c);
  bool BeginArgument(char c);
  bool EndKey();
  bool ValueStep(char c, bool may_end);
  bool BeginValue(char c);
  bool BeginString(std::string_view prefix, char quote);
  bool Word(char c);
  bool Number(char c);
  bool AfterValue(char c);
  bool AfterArgument(char c);
  bool AfterItem(char c);
  bool AfterBraces(char c);
  bool CanClose(char c) const;
  bool Close();
  bool Open(Kind kind);
  bool IsMerged(size_t i) const { return i > 0 && now_.stack[i - 1].kind == Kind::kStar; }
  bool EndScalar(std::string text, Item item);
  void WriteKeptScalar(bool as_key);
  bool EndCall();
  bool EndBareCall();
  bool EndElement();
  bool GoTo(At at) {
    now_.at = at;
    return true;
  }
  void NextElement();
  void Confirm() { now_.n_confirmed = calls_.size(); }

  StringReader::Ends ends_ = StringReader::Ends::kFirst;
  const std::vector<std::string>* declared_;
  State now_;
  std::string tape_, name_, word_;
  std::vector<Span> calls_;
  bool has_quotes_ = false;
};

// A JSON object as a call: {"name", "arguments" or "parameters"}, or {"type": "function", "function": {…}}. Arguments
// may be the text of an object; null or none are an empty object.
std::optional<ToolCall> CallFromJson(std::string_view text);

}  // namespace lfm::text
