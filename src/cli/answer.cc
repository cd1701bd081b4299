#include "cli/answer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "base/strings.h"
#include "cli/environment.h"
#include "cli/output.h"
#include "text/tool_history.h"

namespace lfm::cli {
namespace {

Json TokenJson(const engine::TokenLogprob& token, const text::Tokenizer& tokenizer) {
  Json row = Json::MakeObject();
  row.Set("id", static_cast<int64_t>(token.id));
  row.Set("piece", ToValidUtf8(tokenizer.Bytes(token.id)));
  row.Set("logprob", static_cast<double>(token.logprob));
  return row;
}

double Rounded(double value) { return std::floor(value * 1000 + 0.5) / 1000; }

}  // namespace

AnswerPrinter::AnswerPrinter(const AnswerStyle& style)
    : style_(style), splitter_(style.open_thinking), terminal_(OutputIsTerminal()), dim_(terminal_ && ColorsAllowed()),
      parser_(ParserOptions()) {}

text::AnswerParserOptions AnswerPrinter::ParserOptions() const {
  text::AnswerParserOptions options;
  options.reasoning = false;  // told apart before
  options.tools = style_.tools;
  return options;
}

void AnswerPrinter::Push(std::string_view piece) {
  n_seen_ += piece.size();
  Feed(piece);
}

void AnswerPrinter::Feed(std::string_view piece) {
  if (!style_.written.empty()) Feed(std::exchange(style_.written, {}));
  if (style_.split_thinking) {
    Take(splitter_.Push(piece));
  } else {
    Take({"", std::string(piece)});
  }
  if (style_.stream) static_cast<void>(FlushOut());
}

void AnswerPrinter::Finish(std::string_view whole) {
  Push(whole.substr(std::min(n_seen_, whole.size())));
  if (style_.split_thinking) Take(splitter_.Finish());
  if (style_.stream && terminal_) {
    parser_.Finish(events_);
    ShowEvents();
  }
  if (in_thinking_) LeaveThinking();
  if (style_.stream && last_ != '\n') WriteOut("\n");
  if (style_.stream) static_cast<void>(FlushOut());
}

void AnswerPrinter::Take(const engine::ThinkingSplitter::Parts& parts) {
  thinking_ += parts.thinking;
  text_ += parts.text;
  if (!style_.stream) return;
  if (!parts.thinking.empty() && style_.show_thinking) {
    if (!in_thinking_) dim_ ? SetDim(true) : WriteOut("<think>\n");
    in_thinking_ = true;
    Show(parts.thinking);
  }
  if (!parts.text.empty()) {
    if (in_thinking_) LeaveThinking();
    if (!terminal_ || !style_.split_thinking) return Show(parts.text);
    parser_.Push(parts.text, events_);
    ShowEvents();
  }
}

void AnswerPrinter::ShowEvents() {
  for (const text::AnswerEvent& event : std::exchange(events_, {})) {
    switch (event.kind) {
      case text::AnswerEvent::Kind::kContent:
      case text::AnswerEvent::Kind::kReasoning: Show(event.text); break;
      case text::AnswerEvent::Kind::kCallBegin: call_ = {event.text, ""}; break;
      case text::AnswerEvent::Kind::kArguments: call_.arguments += event.text; break;
      case text::AnswerEvent::Kind::kCallEnd: ShowCall(); break;
    }
  }
}

// A line of its own: call get_tide(port="Brest", day=3)
void AnswerPrinter::ShowCall() {
  auto arguments = ParseJson(call_.arguments);
  if (last_ != '\n') Show("\n");
  WriteOut(dim_ ? "\033[1mcall\033[22m " : "call ");
  Show(arguments.ok() ? text::WriteToolCall(call_.name, *arguments) : call_.name);
}

text::ParsedAnswer AnswerPrinter::Parsed() const { return text::ParseAnswer(text_, ParserOptions()); }

void AnswerPrinter::LeaveThinking() {
  dim_ ? SetDim(false) : WriteOut("\n</think>");
  WriteOut("\n\n");
  in_thinking_ = false;
  last_ = '\n';
}

void AnswerPrinter::Show(std::string_view text) {
  if (text.empty()) return;
  WriteData(text);
  last_ = text.back();
}

Json AnswerJson(const engine::Generation& generation, const AnswerPrinter& answer, std::span<const int32_t> prompt,
                const text::Tokenizer& tokenizer) {
  Json json = Json::MakeObject();
  json.Set("text", answer.text());
  if (answer.has_thinking()) json.Set("thinking", answer.thinking());
  if (const text::ParsedAnswer parsed = answer.Parsed(); answer.expects_calls() || !parsed.calls.empty()) {
    json.Set("content", parsed.content ? Json(*parsed.content) : Json());
    Json calls = Json::MakeArray();
    for (const text::ToolCall& call : parsed.calls) {
      auto arguments = ParseJson(call.arguments);
      calls.Append(Json::MakeObject(
          {{"name", call.name}, {"arguments", arguments.ok() ? std::move(arguments).value() : Json(call.arguments)}}));
    }
    json.Set("tool_calls", std::move(calls));
  }
  json.Set("ids", IdsJson(generation.ids));
  json.Set("prompt_ids", IdsJson(prompt));
  json.Set("stop_reason", engine::StopReasonName(generation.stop_reason));
  if (!generation.logprobs.empty()) {
    Json list = Json::MakeArray();
    for (const engine::TokenInfo& token : generation.logprobs) {
      Json row = TokenJson({token.id, token.logprob}, tokenizer);
      Json top = Json::MakeArray();
      for (const engine::TokenLogprob& other : token.top) top.Append(TokenJson(other, tokenizer));
      row.Set("top", std::move(top));
      list.Append(std::move(row));
    }
    json.Set("logprobs", std::move(list));
  }
  const engine::Timings& t = generation.timings;
  Json timings = Json::MakeObject();
  timings.Set("prompt_tokens", t.n_prompt);
  timings.Set("prompt_ms", Rounded(t.prompt_ms));
  timings.Set("prompt_per_second", Rounded(t.prompt_per_second()));
  timings.Set("predicted_tokens", t.n_predicted);
  timings.Set("predicted_ms", Rounded(t.predicted_ms));
  timings.Set("predicted_per_second", Rounded(t.predicted_per_second()));
  json.Set("timings", std::move(timings));
  return json;
}

}  // namespace lfm::cli
