// A model's answer on its way out: what it says, what it thinks and which tools it calls, told apart while the bytes
// come. Reads LFM2's and LFM2.5's Pythonic calls and JSON calls between <|tool_call_start|> and <|tool_call_end|>, and
// reasoning between <think> and </think>. docs/tool-calls.md has the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lfm::text {

inline constexpr std::string_view kToolCallStart = "<|tool_call_start|>";
inline constexpr std::string_view kToolCallEnd = "<|tool_call_end|>";

struct AnswerParserOptions {
  // The prompt itself ended in <think> (PromptOpensThinking), so that the answer begins inside the reasoning.
  bool reasoning_open = false;
  bool reasoning = true;  // false: <think> is text like any other
  // false (tool_choice "none"): nothing is a call; the two markers are left out, what is between them is text.
  bool calls = true;
  // Names of the tools that the request declares. Only with them may an answer without any marker be a call, when all
  // of it is a list of calls and every name is one of these. Inside markers any name is taken that begins with a letter or _, and these whatever they begin with.
  std::vector<std::string> tools;
  // A grammar holds the calls: arguments are given out as they are written, and a quote inside a string is text unless
  // one of , ) ] } : follows, blanks between them. Without it a call is given out whole, once it is certain.
  bool guided = false;
  // What cannot be decided yet is held back; a block (or a run of blanks) longer than this is text.
  size_t max_held = size_t{4} << 20;
};

// What an answer consists of, in order. A call is kCallBegin, kArguments (one or more) and kCallEnd, never interleaved
// with anything else. Where `guided` and the answer was cut inside a call, its kCallEnd is missing.
struct AnswerEvent {
  enum class Kind : uint8_t {
    kContent,    // text: more of what is said
    kReasoning,  // text: more of the reasoning
    kCallBegin,  // text: the function's name
    kArguments,  // text: more of the call's arguments; all of them together are one JSON object
    kCallEnd,    // text: empty
  };
  Kind kind;
  std::string text;  // valid UTF-8, never a part of a character; not empty but for kCallEnd
};

// One answer. Never fails: what is no call is text. The events, with neighbours of one kind joined, do not depend on
// how the bytes are split. Time is linear in the bytes, memory is bounded by max_held. Not thread-safe.
class AnswerParser {
 public:
  explicit AnswerParser(AnswerParserOptions options = {});
  ~AnswerParser();
  AnswerParser(AnswerParser&&) noexcept;
  AnswerParser& operator=(AnswerParser&&) noexcept;

  // Appends to `out` what has become certain. Invalid UTF-8 becomes U+FFFD.
  void Push(std::string_view bytes, std::vector<AnswerEvent>& out);
  // The answer is over (end token, limit, or stop): appends the rest. Call it once, and nothing after it.
  void Finish(std::vector<AnswerEvent>& out);

  // At least one call was given out so far: the finish reason is "tool_calls".
  bool has_calls() const;
  // The answer is inside its reasoning.
  bool in_reasoning() const;

 private:
  class Machine;
  std::unique_ptr<Machine> machine_;
};

struct ToolCall {
  std::string name;
  std::string arguments;  // the text of a JSON object
  friend bool operator==(const ToolCall&, const ToolCall&) = default;
};

// A whole answer. nullopt: there is none (JSON null), as for an answer that is only a call.
struct ParsedAnswer {
  std::optional<std::string> content, reasoning;
  std::vector<ToolCall> calls;  // whole ones only
  friend bool operator==(const ParsedAnswer&, const ParsedAnswer&) = default;

  // Takes events in their order. Calls without an end are not among `calls` until it comes.
  void Add(const AnswerEvent& event);

 private:
  ToolCall open_;
};

// The answer to a finished text. Where the text holds a </think> without a <think> before it, outside any block of
// calls, the prompt must have opened the reasoning, whatever `reasoning_open` says.
ParsedAnswer ParseAnswer(std::string_view text, AnswerParserOptions options = {});
bool HasLoneThinkEnd(std::string_view text);

}  // namespace lfm::text
