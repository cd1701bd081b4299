// Answers told apart: the cases of tests/data/toolcalls at every split, what is given out when, and hostile text.
#include "text/answer_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "support/golden.h"

namespace lfm::text {
namespace {

using Kind = AnswerEvent::Kind;

const std::string kStart(kToolCallStart), kEnd(kToolCallEnd);

ParsedAnswer Parse(const std::vector<std::string_view>& pieces, const AnswerParserOptions& options) {
  AnswerParser parser(options);
  ParsedAnswer answer;
  std::vector<AnswerEvent> events;
  for (const std::string_view piece : pieces) parser.Push(piece, events);
  parser.Finish(events);
  for (const AnswerEvent& event : events) answer.Add(event);
  return answer;
}

std::vector<std::string_view> Bytes(std::string_view text) {
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  return bytes;
}

// The answer as one line, for comparisons that show what is wrong.
std::string Shown(const ParsedAnswer& answer) {
  Json out = Json::MakeObject();
  Json calls = Json::MakeArray();
  for (const ToolCall& call : answer.calls) calls.Append(call.name + call.arguments);
  out.Set("calls", calls);
  out.Set("content", answer.content ? Json(*answer.content) : Json());
  out.Set("reasoning", answer.reasoning ? Json(*answer.reasoning) : Json());
  return out.Dump();
}

std::string ShownCall(const std::string& text, AnswerParserOptions options = {}) {
  return Shown(ParseAnswer(kStart + text + kEnd, std::move(options)));
}

// Whether two values are one in JSON's eyes; 1 and 1.0 are not.
bool SameValue(const Json& a, const Json& b) { return a.kind() == b.kind() && a.Dump() == b.Dump(); }

void CheckCase(const Json& row) {
  const std::string& text = row["text"].AsString();
  const std::string where = row["note"].AsString() + ": " + text;
  AnswerParserOptions options;
  for (const Json& tool : row["tools"].items()) options.tools.push_back(tool.AsString());
  options.reasoning_open = row["reasoning_open"].AsBool();
  const ParsedAnswer answer = ParseAnswer(text, options);
  const auto& expected = row["calls"].items();
  ASSERT_EQ(answer.calls.size(), expected.size()) << where << "\n" << Shown(answer);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(answer.calls[i].name, expected[i]["name"].AsString()) << where;
    auto arguments = ParseJson(answer.calls[i].arguments);
    ASSERT_TRUE(arguments.ok()) << where << "\n" << answer.calls[i].arguments;
    EXPECT_TRUE(SameValue(*arguments, expected[i]["arguments"])) << where << "\n" << answer.calls[i].arguments;
  }
  EXPECT_EQ(answer.content ? Json(*answer.content) : Json(), row["content"]) << where;
  EXPECT_EQ(answer.reasoning ? Json(*answer.reasoning) : Json(), row["reasoning"]) << where;
  options.reasoning_open = options.reasoning_open || HasLoneThinkEnd(text);
  EXPECT_EQ(Shown(Parse(Bytes(text), options)), Shown(answer)) << where;
  for (size_t i = 1; i < text.size(); ++i) {
    const std::string_view view = text;
    ASSERT_EQ(Shown(Parse({view.substr(0, i), view.substr(i)}, options)), Shown(answer)) << where << "\nat " << i;
  }
}

TEST(AnswerParser, ReadsTheCasesAtEverySplit) {
  const auto lines = test::ReadLines(LFM_TEST_DATA "/toolcalls/cases.jsonl");
  ASSERT_GT(lines.size(), 80U);
  for (const std::string& line : lines) {
    auto row = ParseJson(line);
    ASSERT_TRUE(row.ok()) << line;
    CheckCase(*row);
  }
}

// Each event as a letter and its text.
std::vector<std::string> EventsOf(AnswerParser& parser, std::string_view text) {
  std::vector<AnswerEvent> events;
  parser.Push(text, events);
  std::vector<std::string> shown;
  for (const AnswerEvent& event : events) shown.push_back("crban"[static_cast<size_t>(event.kind)] + (":" + event.text));
  return shown;
}
using Shows = std::vector<std::string>;

TEST(AnswerParser, GivesOutWhatIsCertain) {
  AnswerParser parser;
  EXPECT_EQ(EventsOf(parser, "Let me see. <"), Shows{"c:Let me see."});
  EXPECT_EQ(EventsOf(parser, "b> \n"), Shows{"c: <b>"});
  EXPECT_EQ(EventsOf(parser, kStart + "[f(a='x')"), Shows{});
  EXPECT_FALSE(parser.has_calls());
  EXPECT_EQ(EventsOf(parser, ", g"), Shows{});
  EXPECT_EQ(EventsOf(parser, "("), (Shows{"b:f", "a:{\"a\": \"x\"}", "n:"}));
  EXPECT_TRUE(parser.has_calls());
  EXPECT_EQ(EventsOf(parser, "b='it's')]"), Shows{});
  EXPECT_EQ(EventsOf(parser, kEnd), (Shows{"b:g", "a:{\"b\": \"it's\"}", "n:"}));
  EXPECT_EQ(EventsOf(parser, "\n\ndone"), Shows{"c:\ndone"});
}

TEST(AnswerParser, StreamsReasoningWithoutTheBlanksAroundIt) {
  AnswerParserOptions options;
  options.reasoning_open = true;
  AnswerParser parser(options);
  EXPECT_TRUE(parser.in_reasoning());
  EXPECT_EQ(EventsOf(parser, "\nhm, "), Shows{"r:hm,"});
  EXPECT_EQ(EventsOf(parser, "yes\n"), Shows{"r: yes"});
  EXPECT_TRUE(parser.in_reasoning());
  EXPECT_EQ(EventsOf(parser, "</think>\n\n"), Shows{});
  EXPECT_FALSE(parser.in_reasoning());
  EXPECT_EQ(EventsOf(parser, "So"), Shows{"c:So"});
}

TEST(AnswerParser, GivesOutArgumentsAsTheyComeUnderAGrammar) {
  AnswerParserOptions options;
  options.guided = true;
  AnswerParser parser(options);
  EXPECT_EQ(EventsOf(parser, kStart + "[say(te"), Shows({"b:say", "a:{"}));
  EXPECT_EQ(EventsOf(parser, "xt='It'"), Shows{"a:\"text\": \"It"});
  EXPECT_EQ(EventsOf(parser, "s la"), Shows{"a:'s la"});
  EXPECT_EQ(EventsOf(parser, "te', n={"), Shows({"a:te\", \"n\": "}));
  EXPECT_EQ(EventsOf(parser, "'a'"), Shows{});
  EXPECT_EQ(EventsOf(parser, ": 1"), Shows{"a:{\"a\": "});
  EXPECT_EQ(EventsOf(parser, "}), g("), Shows({"a:1}}", "n:", "b:g"}));
  EXPECT_EQ(EventsOf(parser, ")]" + kEnd), Shows({"a:{}", "n:"}));
}

TEST(AnswerParser, LeavesTheEndAwayWhereAGuidedCallIsCut) {
  AnswerParserOptions options;
  options.guided = true;
  AnswerParser parser(options);
  EXPECT_EQ(EventsOf(parser, kStart + "[f(a='x"), Shows({"b:f", "a:{\"a\": \"x"}));
  std::vector<AnswerEvent> events;
  parser.Finish(events);
  EXPECT_TRUE(events.empty());
  EXPECT_TRUE(parser.has_calls());
}

TEST(AnswerParser, GuidedAndFreeReadingAgree) {
  AnswerParserOptions guided;
  guided.guided = true;
  for (const std::string text : {"[say(text='It's late, o'clock', n=1)]", "[f(a='', b=\"\", c=['x', 'y'], d={'k': None})]",
                                 "[f(a='1'), g(), h(x=-1.50)]", "[say(text='rock 'n' roll' , b='x' )]",
                                 "[f(s='a\\'b\\n', t=\"q\\\"\")]", "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]"}) {
    EXPECT_EQ(ShownCall(text, guided), ShownCall(text)) << text;
    const std::string whole = kStart + text + kEnd;
    EXPECT_EQ(Shown(Parse(Bytes(whole), guided)), ShownCall(text)) << text;
  }
}

TEST(AnswerParser, WithoutCallsDropsTheMarkersOnly) {
  AnswerParserOptions options;
  options.calls = false;
  options.tools = {"f"};
  EXPECT_EQ(ParseAnswer(kStart + "[f()]" + kEnd, options).content, "[f()]");
  EXPECT_EQ(ParseAnswer("f()", options).content, "f()");
}

TEST(AnswerParser, WithoutReasoningTagsAreText) {
  AnswerParserOptions options;
  options.reasoning = false;
  options.reasoning_open = true;
  EXPECT_EQ(Shown(Parse({"<think>a</think>"}, options)), R"({"calls": [], "content": "<think>a</think>", "reasoning": null})");
}

TEST(AnswerParser, NeverSplitsACharacter) {
  AnswerParser parser;
  std::vector<AnswerEvent> events;
  for (const char c : std::string("é\xE6\x9D\xB1\xFF\xF0\x9F")) parser.Push({&c, 1}, events);
  parser.Finish(events);
  std::string all;
  for (const AnswerEvent& event : events) {
    EXPECT_FALSE(event.text.empty());
    EXPECT_EQ(static_cast<unsigned char>(event.text[0]) & 0xC0, 0xC0) << event.text;
    all += event.text;
  }
  EXPECT_EQ(all, "é東\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(AnswerParser, ABlockBeyondTheLimitIsText) {
  AnswerParserOptions options;
  options.max_held = 64;
  const std::string text = kStart + "[f(a='" + std::string(100, 'x') + "')]" + kEnd + "!";
  const std::string without_end = kStart + "[f(a='" + std::string(100, 'x') + "')]!";
  EXPECT_EQ(Shown(Parse({text}, options)), Shown(Parse(Bytes(text), options)));
  EXPECT_EQ(Parse({text}, options).content, without_end);
  const std::string later = kStart + "[f(a=1), g(a='" + std::string(100, 'x') + "')]" + kEnd;
  const ParsedAnswer answer = Parse({later}, options);
  ASSERT_EQ(answer.calls.size(), 1U);
  EXPECT_EQ(Shown(Parse(Bytes(later), options)), Shown(answer));
  EXPECT_EQ(answer.content, "g(a='" + std::string(100, 'x') + "')]");
  const std::string blanks = "a" + std::string(200, ' ') + kStart + "[f()]" + kEnd;
  EXPECT_EQ(Shown(Parse({blanks}, options)), Shown(Parse(Bytes(blanks), options)));
}

TEST(AnswerParser, RefusesWhatIsNestedTooDeep) {
  for (const size_t depth : {size_t{90}, size_t{200}, size_t{100'000}}) {
    const std::string value = std::string(depth, '[') + std::string(depth, ']');
    EXPECT_EQ(ParseAnswer(kStart + "[f(a=" + value + ")]" + kEnd).calls.size(), depth < 100 ? 1U : 0U);
    EXPECT_EQ(ParseAnswer(kStart + value + kEnd).calls.size(), 0U);
  }
}

// Thousands of bytes of what could make a careless reader take the square of them, or run out of stack.
TEST(AnswerParser, ReadsHostileTextInLinearTime) {
  constexpr size_t kBytes = LFM_SANITIZED ? 4'000 : 20'000;
  std::vector<std::string> units{
      kStart + "'" + kEnd,
      kStart + "\\'" + kEnd,
      kStart + "[f()]\\'",
      kStart + "[f()] '",
      kStart + "[f(a='x', ",
      "','",
      "'), g(a='",
      "[f(a='",
      kEnd,
      kStart,
      "<|tool_call_",
      "<think>",
      "{\"name\": \"f\", ",
      "a='b' 'c', ",
      "f(x='a',', y='b',', ",
      "\"\"\"'''",
      "]" + kEnd + "[",
      kStart + "f(x='" + kStart,
      "{'a': {'b': ",
      "x=[1, ",
      "'\\",
      " ",
      "\\ud83c",
      "**{",
  };
  AnswerParserOptions options;
  options.tools = {"f", "g"};
  for (const std::string& opening : {std::string(), kStart + "[f(a='", kStart + "[f(a='it's', b='", std::string("[f(a='")}) {
    for (const std::string& unit : units) {
      std::string text = opening;
      while (text.size() < kBytes) text += unit;
      for (const std::string& ending : {std::string(), "')]" + kEnd, std::string("0)]")}) {
        const std::string whole = text + ending;
        const ParsedAnswer answer = Parse({whole}, options);
        const std::string_view view = whole;
        EXPECT_EQ(Parse({view.substr(0, kBytes - 5), view.substr(kBytes - 5)}, options), answer) << opening << unit << ending;
      }
    }
  }
}

// OpenAI's clients may name a tool "2fa_send" or "-x"; Python could not.
TEST(AnswerParser, TakesDeclaredNamesWhateverTheyBeginWith) {
  AnswerParserOptions options;
  options.tools = {"3d_render", "-x"};
  const std::string text = kStart + "[3d_render(size=2, by='it's'), -x()]" + kEnd;
  for (const bool guided : {false, true}) {
    options.guided = guided;
    const ParsedAnswer answer = ParseAnswer(text, options);
    EXPECT_EQ(Shown(answer),
              R"({"calls": ["3d_render{\"size\": 2, \"by\": \"it's\"}", "-x{}"], "content": null, "reasoning": null})");
    EXPECT_EQ(Parse(Bytes(text), options), answer);
  }
  options.guided = false;
  EXPECT_EQ(ParseAnswer("[3d_render(size=2)]", options).calls.size(), 1u);
  EXPECT_EQ(ParseAnswer("3d_render(size=2)", options).calls.size(), 1u);
  EXPECT_EQ(ParseAnswer(kStart + "[3d_render(size=2), g(y=, 3d_render()", options).calls.size(), 1u);
  // Others are what they were: no name, so no call.
  for (const char* other : {"[3d(x=1)]", "[1, 2]", "[-y()]", "[3d_rende(x=1)]"}) {
    EXPECT_TRUE(ParseAnswer(kStart + other + kEnd, options).calls.empty()) << other;
  }
  EXPECT_TRUE(ParseAnswer(text).calls.empty());
}

}  // namespace
}  // namespace lfm::text
