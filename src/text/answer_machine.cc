// Markers, reasoning, text, and calls without markers; answer_blocks.cc has the blocks.
#include "text/answer_machine.h"

#include <algorithm>
#include <array>

#include "text/tool_call_list.h"

namespace lfm::text {
namespace {

using Kind = AnswerEvent::Kind;

constexpr std::string_view kThinkStart = "<think>", kThinkEnd = "</think>";

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Markers

bool AnswerParser::Machine::IsWatched(Mark mark) const {
  switch (place_) {
    case Place::kBefore: return mark == Mark::kThinkStart || (mark == Mark::kThinkEnd) == options_.reasoning_open;
    case Place::kReasoning: return mark == Mark::kThinkEnd;
    default: return mark == Mark::kCallStart || mark == Mark::kCallEnd;
  }
}

// Every marker begins with the only '<' in it, so that what turns out to be none is released whole.
void AnswerParser::Machine::Lex(char c) {
  static constexpr std::array<std::string_view, 4> kTexts{kThinkStart, kThinkEnd, kToolCallStart, kToolCallEnd};
  ++n_read_;
  if (marker_.empty() && c != '<') return OnChar(c);
  if (c == '<') ReleaseMarker();
  marker_ += c;
  bool possible = false;
  for (size_t i = 0; i < kTexts.size(); ++i) {
    if (!IsWatched(static_cast<Mark>(i)) || !kTexts[i].starts_with(marker_)) continue;
    if (marker_ == kTexts[i]) {
      marker_.clear();
      return OnMark(static_cast<Mark>(i));
    }
    possible = true;
  }
  if (!possible) ReleaseMarker();
}

void AnswerParser::Machine::ReleaseMarker() {
  const std::string text = std::exchange(marker_, {});
  for (const char c : text) OnChar(c);
}

void AnswerParser::Machine::OnChar(char c) {
  switch (place_) {
    case Place::kBefore: return BeforeChar(c);
    case Place::kReasoning: return ReasoningChar(c);
    case Place::kText: return TextChar(c);
    case Place::kBare: return BareChar(c);
    case Place::kEcho:
      held_ += c;
      if (held_.size() > options_.max_held) ReleaseHeld();
      return;
    case Place::kBlock: return BlockChar(c);
  }
}

void AnswerParser::Machine::OnMark(Mark mark) {
  if (mark == Mark::kThinkStart) {
    blanks_.clear();
    place_ = Place::kReasoning;
    trim_ = true;
    return;
  }
  if (mark == Mark::kThinkEnd) {
    blanks_.clear();
    place_ = Place::kText;
    trim_ = true;
    return;
  }
  if (place_ == Place::kBlock) return BlockMark(mark);
  if (place_ == Place::kBefore) place_ = Place::kText;
  if (place_ == Place::kEcho && mark == Mark::kCallEnd) {  // the block said again: dropped
    held_.clear();
    place_ = Place::kText;
    return;
  }
  if (place_ == Place::kEcho || place_ == Place::kBare) ReleaseHeld();
  bare_possible_ = false;
  if (mark == Mark::kCallStart && options_.calls) BeginBlock();  // others are orphans: dropped
}

// ---------------------------------------------------------------------------------------------------------------------
// Reasoning and text

void AnswerParser::Machine::BeforeChar(char c) {
  if (IsCallBlank(c)) return Blank(c);
  const std::string blanks = std::exchange(blanks_, {});
  place_ = options_.reasoning_open ? Place::kReasoning : Place::kText;
  trim_ = options_.reasoning_open;
  if (!trim_) blanks_ = blanks;
  OnChar(c);
}

void AnswerParser::Machine::ReasoningChar(char c) {
  if (IsCallBlank(c)) return Blank(c);
  Emit(Kind::kReasoning, std::exchange(blanks_, {}));
  trim_ = false;
  Emit(Kind::kReasoning, {&c, 1});
}

// Keeps a blank back, for it may stand beside a block or at the end of the reasoning.
void AnswerParser::Machine::Blank(char c) {
  if (trim_) return;
  blanks_ += c;
  if (blanks_.size() <= options_.max_held) return;
  const std::string blanks = std::exchange(blanks_, {});
  Emit(in_reasoning() ? Kind::kReasoning : Kind::kContent, blanks);
  said_ = said_ || !in_reasoning();
}

void AnswerParser::Machine::TextChar(char c) {
  if (IsCallBlank(c)) return Blank(c);
  if (bare_possible_) {
    bare_possible_ = false;
    place_ = Place::kBare;
    return BareChar(c);
  }
  if (after_block_ && !verbatim_) {
    if (c == '[') {
      place_ = Place::kEcho;
      held_ = c;
      return;
    }
  }
  if (after_block_ && said_) Emit(Kind::kContent, "\n");
  after_block_ = trim_ = false;
  Emit(Kind::kContent, std::exchange(blanks_, {}));
  Emit(Kind::kContent, {&c, 1});
  said_ = true;
}

// Text that is what it is: neither an echo nor a call.
void AnswerParser::Machine::ReleaseAsText(std::string_view text) {
  place_ = Place::kText;
  verbatim_ = true;
  for (const char c : text) TextChar(c);
  verbatim_ = false;
}

void AnswerParser::Machine::ReleaseHeld() { ReleaseAsText(std::exchange(held_, {})); }

// ---------------------------------------------------------------------------------------------------------------------
// A call without markers: the whole text, or nothing

bool AnswerParser::Machine::IsDeclared(std::string_view name) const {
  return std::find(options_.tools.begin(), options_.tools.end(), name) != options_.tools.end();
}

// `text` is what follows the member "name" of a JSON call.
bool AnswerParser::Machine::NameIsPossible(std::string_view text) const {
  while (!text.empty() && (IsCallBlank(text[0]) || text[0] == ':')) text.remove_prefix(1);
  if (text.empty()) return true;
  const std::string_view given = text.substr(1);
  if (const size_t end = given.find(text[0]); end != std::string_view::npos) return IsDeclared(given.substr(0, end));
  return std::any_of(options_.tools.begin(), options_.tools.end(),
                     [&](const std::string& name) { return name.starts_with(given); });
}

// Looks at how the text begins: a declared name, or an object whose first member may be a call's.
bool AnswerParser::Machine::BareIsPossible() const {
  std::string_view text = held_;
  const auto skip = [&] {
    while (!text.empty() && IsCallBlank(text[0])) text.remove_prefix(1);
  };
  if (text[0] == '[') {
    text.remove_prefix(1);
    skip();
  }
  if (text.empty()) return true;
  if (text[0] == '{') {
    text.remove_prefix(1);
    skip();
    if (text.empty()) return true;
    for (const std::string_view key : {"\"name\"", "\"type\"", "\"function\"", "'name'", "'type'", "'function'"}) {
      if (key.starts_with(text)) return true;
      if (!text.starts_with(key)) continue;
      return key.find("name") == std::string_view::npos || NameIsPossible(text.substr(key.size()));
    }
    return false;
  }
  for (const std::string& name : options_.tools) {
    if (name.starts_with(text)) return true;
    if (!text.starts_with(name)) continue;
    std::string_view rest = text.substr(name.size());
    while (!rest.empty() && IsCallBlank(rest[0])) rest.remove_prefix(1);
    if (rest.empty() || rest[0] == '(' || rest[0] == ',' || rest[0] == ']') return true;
  }
  return false;
}

void AnswerParser::Machine::BareChar(char c) {
  constexpr size_t kLooked = 512;  // longer beginnings were looked at byte by byte before
  held_ += c;
  if (held_.size() == 1) {
    reader_ = ToolCallReader(&options_.tools);
    if (c != '[' && c != '{' && !BareIsPossible()) return ReleaseHeld();
  }
  reader_.Feed(c);
  const bool hopeless = reader_.failed() && !reader_.has_quotes();
  if (hopeless || held_.size() > options_.max_held || (held_.size() <= kLooked && !BareIsPossible())) ReleaseHeld();
}

bool AnswerParser::Machine::FinishBare() {
  std::vector<ToolCall> calls;
  const std::string_view text = TrimCallBlanks(held_);
  const bool bracketed = text[0] == '[';
  if (!ReadWholeBlock(text, bracketed ? 1 : 0, bracketed, false, options_.tools, calls) || calls.empty()) return false;
  for (const ToolCall& call : calls) {
    if (!IsDeclared(call.name)) return false;
  }
  for (const ToolCall& call : calls) EmitCall(call);
  held_.clear();
  return true;
}

}  // namespace lfm::text
