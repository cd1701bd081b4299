// Reads arbitrary text as an answer, whole and in pieces: the result must be the same, calls must be JSON objects.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "text/answer_parser.h"

namespace {

using lfm::text::AnswerEvent;
using lfm::text::AnswerParser;
using lfm::text::AnswerParserOptions;
using lfm::text::ParsedAnswer;

struct Read {
  ParsedAnswer answer;
  bool has_calls = false;
  friend bool operator==(const Read&, const Read&) = default;
};

Read ReadPieces(std::string_view text, size_t piece, const AnswerParserOptions& options) {
  AnswerParser parser(options);
  std::vector<AnswerEvent> events;
  for (size_t i = 0; i < text.size(); i += piece) parser.Push(text.substr(i, piece), events);
  parser.Finish(events);
  Read read;
  for (const AnswerEvent& event : events) {
    LFM_CHECK(event.text.empty() == (event.kind == AnswerEvent::Kind::kCallEnd));
    read.answer.Add(event);
  }
  read.has_calls = parser.has_calls();
  return read;
}

}  // namespace

// The first byte chooses the options, the second the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  AnswerParserOptions options;
  options.reasoning_open = data[0] & 1;
  options.calls = !(data[0] & 2);
  options.guided = data[0] & 4;
  options.reasoning = !(data[0] & 8);
  if (data[0] & 16) options.tools = {"f", "get"};
  if (data[0] & 32) options.max_held = 40;
  const Read whole = ReadPieces(text, text.size() + 1, options);
  for (const lfm::text::ToolCall& call : whole.answer.calls) {
    const auto arguments = lfm::ParseJson(call.arguments);
    LFM_CHECK(arguments.ok() && arguments->is_object());
  }
  LFM_CHECK(ReadPieces(text, 1, options) == whole);
  LFM_CHECK(ReadPieces(text, 1U + data[1] % 32U, options) == whole);
  return 0;
}
