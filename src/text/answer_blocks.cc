// What stands between the markers of calls, the end of an answer, and the events.
#include <algorithm>

#include "text/answer_machine.h"
#include "text/tool_call_list.h"

namespace lfm::text {
namespace {

using Kind = AnswerEvent::Kind;

constexpr int kMaxEarlyTries = 4;  // how often a block is tried at an end marker that seems to be in a string

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Blocks

void AnswerParser::Machine::BeginBlock() {
  place_ = Place::kBlock;
  block_.clear();
  reader_ = ToolCallReader(&options_.tools);
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
  return ReadWholeBlock(block_, reader_.unconfirmed_at(), reader_.bracketed(), false, options_.tools, calls);
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
      read = ReadBlock(block, from, reader_.bracketed(), !has_end, options_.tools);
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
  reader_ = ToolCallReader(&options_.tools);
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

}  // namespace lfm::text
