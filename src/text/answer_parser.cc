#include "text/answer_parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "text/stream_decoder.h"
#include "text/tool_call_list.h"
#include "text/tool_call_reader.h"

namespace lfm::text {
namespace {

using Kind = AnswerEvent::Kind;

constexpr std::string_view kThinkStart = "<think>", kThinkEnd = "</think>";
constexpr int kMaxEarlyTries = 4;  // how often a block is tried at an end marker that seems to be in a string

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

}  // namespace

class AnswerParser::Machine {
 public:
  explicit Machine(AnswerParserOptions options)
      : options_(std::move(options)),
        bare_possible_(options_.calls && !options_.tools.empty()),
        place_(options_.reasoning ? Place::kBefore : Place::kText) {}

  void Push(std::string_view bytes, std::vector<AnswerEvent>& out) {
    out_ = &out;
    first_ = out.size();
    Take(stream_.Push(bytes));
    if (place_ == Place::kBlock && !reader_.failed()) EmitOpenArguments();
  }
  void Finish(std::vector<AnswerEvent>& out);

  bool has_calls() const { return n_calls_ > 0; }
  bool in_reasoning() const {
    return place_ == Place::kReasoning || (place_ == Place::kBefore && options_.reasoning_open);
  }

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
  void Emit(Kind kind, std::string_view text);

  AnswerParserOptions options_;
  bool bare_possible_;
  Place place_;
  Utf8Stream stream_;
  std::vector<AnswerEvent>* out_ = nullptr;
  size_t first_ = 0;     // of out_: what this Push has added

  std::string marker_;   // what may become a marker
  std::string blanks_;   // white space whose place is not known yet
  std::string held_;     // text that may be an echo or a call without markers
  bool said_ = false;        // there was content
  bool after_block_ = false; // nothing was said since the last block
  bool trim_ = false;        // blanks are dropped: behind the reasoning or a block
  bool verbatim_ = false;    // the text is written out without looking for echoes
  size_t n_calls_ = 0;

  std::string block_;
  ToolCallReader reader_;
  QuoteScanner quotes_;
  size_t n_emitted_ = 0;     // calls of this block
  size_t first_end_ = std::string::npos;  // of end markers inside a string of this block
  int n_tries_ = 0;
  bool open_emitted_ = false;   // the call being read was begun with its arguments on their way
  size_t open_sent_ = 0;        // of the tape
  uint64_t n_read_ = 0, n_reread_ = 0;
  int reread_depth_ = 0;
};

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
    reader_ = {};
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
  if (!ReadWholeBlock(text, bracketed ? 1 : 0, bracketed, false, calls) || calls.empty()) return false;
  for (const ToolCall& call : calls) {
    if (!IsDeclared(call.name)) return false;
  }
  for (const ToolCall& call : calls) EmitCall(call);
  held_.clear();
  return true;
}

// ---------------------------------------------------------------------------------------------------------------------
// Blocks

void AnswerParser::Machine::BeginBlock() {
  place_ = Place::kBlock;
  block_.clear();
  reader_ = {};
  reader_.set_ends(options_.guided ? StringReader::Ends::kGuided : StringReader::Ends::kFirst);
  quotes_ = {};
  n_emitted_ = 0;
  first_end_ = std::string::npos;
  n_tries_ = 0;
  open_emitted_ = false;
}

void AnswerParser::Machine::BlockChar(char c) {
  block_ += c;
  quotes_.Feed(c);
  if (!reader_.failed()) {
    reader_.Feed(c);
    EmitConfirmed();
    if (options_.guided && !open_emitted_ && reader_.has_open_call()) BeginOpenCall();
    if (reader_.failed()) EmitOpenArguments();
  }
  if (block_.size() > options_.max_held) GiveUpBlock();
}

// Too much was held back. What was given out stays; the rest is text.
void AnswerParser::Machine::GiveUpBlock() {
  if (n_emitted_ == 0 && !open_emitted_) return BlockIsText(block_, false);
  EmitOpenArguments();
  const std::string rest = block_.substr(reader_.unconfirmed_at());
  blanks_.clear();
  after_block_ = trim_ = true;
  ReleaseAsText(rest);
}

void AnswerParser::Machine::BlockMark(Mark mark) {
  // Rereading is paid for by reading: where the text makes it too much, strings no longer hide markers.
  const bool strings_count = n_reread_ <= 8 * n_read_ + 65536 && reread_depth_ < 8;
  const bool guided_string = options_.guided && !reader_.failed() && reader_.at() == ToolCallReader::At::kString;
  const bool hidden = (options_.guided && !reader_.failed() ? guided_string : quotes_.inside()) && strings_count;
  const std::string_view text = mark == Mark::kCallStart ? kToolCallStart : kToolCallEnd;
  if (!hidden && mark == Mark::kCallStart) {
    if (TrimCallBlanks(block_).empty()) return BeginBlock();  // the first of two is an orphan
    CloseBlock(false);
    ReleaseMarker();
    return OnMark(mark);
  }
  if (!hidden || (mark == Mark::kCallEnd && reader_.failed() && n_tries_ < kMaxEarlyTries && TryEarly())) {
    return CloseBlock(true);
  }
  if (mark == Mark::kCallEnd && first_end_ == std::string::npos) first_end_ = block_.size();
  for (const char c : text) BlockChar(c);
}

// Whether the block is whole here, although by Python's rules this is inside a string.
bool AnswerParser::Machine::TryEarly() {
  ++n_tries_;
  std::vector<ToolCall> calls;
  return ReadWholeBlock(block_, reader_.unconfirmed_at(), reader_.bracketed(), false, calls);
}

void AnswerParser::Machine::EmitConfirmed() {
  for (; n_emitted_ < reader_.n_confirmed(); ++n_emitted_) {
    if (open_emitted_) {
      EndOpenCall();
    } else if (options_.guided) {
      EmitCall(reader_.RawCall(n_emitted_));
    } else {
      EmitCall(reader_.Call(n_emitted_));
    }
  }
}

void AnswerParser::Machine::CloseBlock(bool has_end) {
  std::string block = std::exchange(block_, {});
  BlockCalls read;
  read.end = block.size();
  if (!reader_.failed() && reader_.End(!has_end)) {
    read.complete = true;
    EmitConfirmed();
  } else {
    const size_t from = reader_.unconfirmed_at();
    if (open_emitted_) {  // it was given out already and stays without its end
      EmitOpenArguments();
      open_emitted_ = false;
      ++n_emitted_;
    } else {
      read = ReadBlock(block, from, reader_.bracketed(), !has_end);
    }
    for (const ToolCall& call : read.calls) EmitCall(call);
    n_emitted_ += read.calls.size();
  }
  if (n_emitted_ == 0 && !read.complete) return BlockIsText(block, has_end);
  blanks_.clear();
  after_block_ = trim_ = true;
  place_ = Place::kText;
  Reread(std::string_view(block).substr(read.end));
}

void AnswerParser::Machine::BlockIsText(std::string_view block, bool has_end) {
  const std::string text(block);
  block_.clear();
  ReleaseAsText(kToolCallStart);
  ReleaseAsText(text);
  if (has_end) ReleaseAsText(kToolCallEnd);
}

// Takes text once more, now that it is known to be outside a block.
void AnswerParser::Machine::Reread(std::string_view text) {
  n_reread_ += text.size();
  n_read_ -= text.size();
  ++reread_depth_;
  Take(text);
  --reread_depth_;
}

// ---------------------------------------------------------------------------------------------------------------------
// The end

// The text ended inside a block.
void AnswerParser::Machine::EndInBlock() {
  using At = ToolCallReader::At;
  ReleaseMarker();
  const bool whole = reader_.at() == At::kListEnd || (reader_.at() == At::kAfterCall && !reader_.bracketed());
  if (first_end_ == std::string::npos || reader_.unconfirmed_at() > first_end_ || whole || options_.guided) {
    return CloseBlock(false);
  }
  // Every end marker is inside a string: the first one counts.
  const std::string rest = block_.substr(first_end_ + kToolCallEnd.size());
  block_.resize(first_end_);
  reader_ = {};
  for (const char c : block_) reader_.Feed(c);
  CloseBlock(true);
  Reread(rest);
}

void AnswerParser::Machine::Finish(std::vector<AnswerEvent>& out) {
  out_ = &out;
  first_ = out.size();
  Take(stream_.Finish());
  while (place_ == Place::kBlock) EndInBlock();
  ReleaseMarker();
  if (place_ == Place::kBare && FinishBare()) {
    blanks_.clear();
    place_ = Place::kText;
  } else if (place_ == Place::kBare || place_ == Place::kEcho) {
    ReleaseHeld();
  }
  if (!in_reasoning() && !after_block_) Emit(Kind::kContent, std::exchange(blanks_, {}));
}

// ---------------------------------------------------------------------------------------------------------------------
// Events

void AnswerParser::Machine::Emit(Kind kind, std::string_view text) {
  if (text.empty() && kind != Kind::kCallEnd) return;
  const bool joins = out_->size() > first_ && out_->back().kind == kind && kind <= Kind::kReasoning;
  if (joins) {
    out_->back().text += text;
  } else {
    out_->push_back({kind, std::string(text)});
  }
}

void AnswerParser::Machine::EmitCall(const ToolCall& call) {
  Emit(Kind::kCallBegin, call.name);
  Emit(Kind::kArguments, call.arguments);
  Emit(Kind::kCallEnd, "");
  ++n_calls_;
}

// Under a grammar a call is given out while it is read.
void AnswerParser::Machine::BeginOpenCall() {
  Emit(Kind::kCallBegin, reader_.open_name());
  ++n_calls_;
  open_emitted_ = true;
  open_sent_ = reader_.open_begin();
}

void AnswerParser::Machine::EmitOpenArguments() {
  if (!open_emitted_) return;
  const size_t end = reader_.open_end();
  if (end > open_sent_) Emit(Kind::kArguments, reader_.tape().substr(open_sent_, end - open_sent_));
  open_sent_ = std::max(open_sent_, end);
}

void AnswerParser::Machine::EndOpenCall() {
  const size_t end = reader_.calls()[n_emitted_].end;
  if (end > open_sent_) Emit(Kind::kArguments, reader_.tape().substr(open_sent_, end - open_sent_));
  Emit(Kind::kCallEnd, "");
  open_emitted_ = false;
}

// ---------------------------------------------------------------------------------------------------------------------

AnswerParser::AnswerParser(AnswerParserOptions options) : machine_(std::make_unique<Machine>(std::move(options))) {}
AnswerParser::~AnswerParser() = default;
AnswerParser::AnswerParser(AnswerParser&&) noexcept = default;
AnswerParser& AnswerParser::operator=(AnswerParser&&) noexcept = default;
void AnswerParser::Push(std::string_view bytes, std::vector<AnswerEvent>& out) { machine_->Push(bytes, out); }
void AnswerParser::Finish(std::vector<AnswerEvent>& out) { machine_->Finish(out); }
bool AnswerParser::has_calls() const { return machine_->has_calls(); }
bool AnswerParser::in_reasoning() const { return machine_->in_reasoning(); }

void ParsedAnswer::Add(const AnswerEvent& event) {
  switch (event.kind) {
    case Kind::kContent: content = content.value_or("") + event.text; return;
    case Kind::kReasoning: reasoning = reasoning.value_or("") + event.text; return;
    case Kind::kCallBegin: open_ = {event.text, ""}; return;
    case Kind::kArguments: open_.arguments += event.text; return;
    case Kind::kCallEnd: calls.push_back(std::exchange(open_, {})); return;
  }
}

ParsedAnswer ParseAnswer(std::string_view text, AnswerParserOptions options) {
  options.reasoning_open = options.reasoning_open || HasLoneThinkEnd(text);
  AnswerParser parser(std::move(options));
  std::vector<AnswerEvent> events;
  parser.Push(text, events);
  parser.Finish(events);
  ParsedAnswer answer;
  for (const AnswerEvent& event : events) answer.Add(event);
  return answer;
}

bool HasLoneThinkEnd(std::string_view text) {
  if (text.find(kThinkEnd) == std::string_view::npos) return false;
  AnswerParserOptions options;
  options.reasoning = false;
  AnswerParser parser(options);
  std::vector<AnswerEvent> events;
  parser.Push(text, events);
  parser.Finish(events);
  std::string said;
  for (const AnswerEvent& event : events) {
    if (event.kind == Kind::kContent) said += event.text;
  }
  const size_t end = said.find(kThinkEnd);
  return end != std::string::npos && said.find(kThinkStart) > end;
}

}  // namespace lfm::text
