#include "text/answer_parser.h"

#include <utility>

#include "text/answer_machine.h"

namespace lfm::text {
namespace {

using Kind = AnswerEvent::Kind;

}  // namespace

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
  if (text.find("</think>") == std::string_view::npos) return false;
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
  const size_t end = said.find("</think>");
  return end != std::string::npos && said.find("<think>") > end;
}

}  // namespace lfm::text
