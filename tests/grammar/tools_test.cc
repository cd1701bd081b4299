// LFM2's tool calls under a grammar.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/json.h"
#include "grammar/grammar.h"

namespace lfm::grammar {
namespace {

constexpr int32_t kStart = 10, kEnd = 11;

Spec Tools(ToolChoice choice = ToolChoice::kRequired) {
  Spec spec;
  spec.kind = Kind::kTools;
  spec.tools.choice = choice, spec.tools.start_id = kStart, spec.tools.end_id = kEnd;
  spec.tools.tools = {
      {"get_weather",
       *ParseJson(
           R"({"type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
                                     "required": ["city"], "additionalProperties": false})")},
      {"note.add",
       *ParseJson(
           R"({"type": "object", "properties": {"text": {"type": "string", "maxLength": 40}, "tags": {"type": "array", "items": {"type": "string"}}, "meta": {"type": "object", "additionalProperties": {"type": ["boolean", "null"]}}},
                                  "required": ["text"], "additionalProperties": false})")},
      {"now", Json()}};
  return spec;
}

// ⟦ and ⟧ stand for the marks.
bool AcceptsCalls(const Spec& spec, std::string_view text) {
  const auto compiled = Compile(spec);
  EXPECT_TRUE(compiled.ok()) << (compiled.ok() ? "" : compiled.error().message);
  if (!compiled.ok()) return false;
  std::string bytes;
  for (size_t i = 0; i < text.size();) {
    if (text.substr(i, 3) == "⟦" || text.substr(i, 3) == "⟧") {
      bytes += Vocabulary::SpecialBytes(text.substr(i, 3) == "⟦" ? kStart : kEnd), i += 3;
    } else {
      bytes += text[i++];
    }
  }
  State state = (*compiled)->Start();
  const auto alive = state.Advance(bytes);
  EXPECT_TRUE(alive.ok());
  return alive.ok() && *alive && state.accepting();
}

TEST(Tools, NamesMayBeginWithADigitOrAHyphen) {
  Spec spec = Tools();
  spec.tools.tools = {{"3d_render", Json()}, {"-x", Json()}, {"2", Json()}};
  EXPECT_TRUE(AcceptsCalls(spec, "⟦[3d_render(a=1), -x(), 2()]⟧"));
  EXPECT_FALSE(AcceptsCalls(spec, "⟦[3d_rend()]⟧"));
}

// A blank behind a closing quote was a dead end where neither end nor content could follow it.
TEST(Tools, ABlankBehindAQuoteLeadsOn) {
  Spec spec;
  spec.kind = Kind::kTools, spec.tools.choice = ToolChoice::kRequired, spec.tools.start_id = 3, spec.tools.end_id = 4;
  spec.tools.tools = {
      {"t", *ParseJson(R"({"properties": {"kind": {"enum": ["cat", "it's"]}, "o": {"properties": {"k": {"type": "null"}}}, "tags":
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}}, "required": ["tags"]})")}};
  const auto compiled = Compile(spec);
  ASSERT_TRUE(compiled.ok());
  const std::string start = Vocabulary::SpecialBytes(3) + "[t(", end = ")]" + Vocabulary::SpecialBytes(4);
  const auto reads = [&](const std::string& text) {
    State state = (*compiled)->Start();
    return *state.Advance(start + text);
  };
  EXPECT_TRUE(reads("tags=['a' ,'b' ]" + end));
  EXPECT_TRUE(reads("kind='cat' ,o={'k' :None},tags=['a','b']" + end));
  EXPECT_TRUE(reads("kind='it's' ,tags"));
  EXPECT_FALSE(reads("kind='it' "));
  EXPECT_FALSE(reads("tags=['a' ]"));
}

TEST(Tools, ArgumentsAreHeldToTheirSchemas) {
  const Spec spec = Tools();
  for (const std::string_view text :
       {R"(⟦[get_weather(city="Paris")]⟧)", R"(⟦[get_weather(city='Paris', days=3, unit='c')]⟧)",
        R"(⟦[get_weather(days=7, city="Paris")]⟧)", R"(⟦[get_weather(city="a"), get_weather(city="b")]⟧)", R"(⟦[now()]⟧)",
        R"(⟦[note.add(text="x", tags=["a", 'b'], meta={"k": True, 'l': None, "m": false})]⟧)",
        R"(⟦[get_weather(city="")]⟧ and so on)", R"(⟦[now()]⟧⟦[now()]⟧)"}) {
    EXPECT_TRUE(AcceptsCalls(spec, text)) << text;
  }
  for (const std::string_view text :
       {R"(get_weather(city="Paris"))", R"(⟦[get_weather()]⟧)", R"(⟦[get_weather(days=3)]⟧)",
        R"(⟦[get_weather(city="a", city="b")]⟧)", R"(⟦[get_weather(city="a", unit="k")]⟧)",
        R"(⟦[get_weather(city="a", days=8)]⟧)", R"(⟦[get_weather(city=3)]⟧)", R"(⟦[get_weather(city="a", x=1)]⟧)",
        R"(⟦[get_weather(city="a")])", R"(⟦[get_wether(city="a")]⟧)", R"(⟦[]⟧)", R"(⟦[note.add(text="x", meta={"k": 1})]⟧)",
        R"(⟦[now(),]⟧)"}) {
    EXPECT_FALSE(AcceptsCalls(spec, text)) << text;
  }
}

// Exactly one of three: only a key with an "a" and an odd multiple of 5, or one above 80, tells them apart.
TEST(Tools, WhatMustExistIsLookedForFirst) {
  Spec spec;
  spec.kind = Kind::kTools;
  spec.tools.tools = {{"tool", *ParseJson(R"({"type": "object", "oneOf": [
      {"patternProperties": {"a": {"multipleOf": 10, "maximum": 20}}}, {"patternProperties": {"a": {"multipleOf": 5, "maximum": 100}}},
      {"patternProperties": {"a": {"multipleOf": 10, "maximum": 80}}}]})")}};
  spec.tools.choice = ToolChoice::kRequired, spec.tools.start_id = 1, spec.tools.end_id = 2;
  const auto compiled = Compile(spec);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message;
  const std::string open = Vocabulary::SpecialBytes(1) + "[tool(", close = ")]" + Vocabulary::SpecialBytes(2);
  for (const auto& [begun, max] : {std::pair<std::string, size_t>{"", 30},
                                   {"b", 30},
                                   {std::string(1500, 'b'), 30},
                                   {"x_" + std::string(1500, 'a'), 30},
                                   {"b=None, c", 30},
                                   {"a=5, cd", 30}}) {
    State state = (*compiled)->Start();
    const auto alive = state.Advance(open + begun);
    ASSERT_TRUE(alive.ok() && *alive) << begun;
    const auto end = state.ShortestCompletion(max);
    ASSERT_TRUE(end.ok()) << begun.substr(0, 20) << ": " << end.error().message;
    EXPECT_TRUE(*state.Advance(*end) && *end != close) << *end;
  }
}

TEST(Tools, AnApostropheInsideOfAStringIsContent) {
  const Spec spec = Tools();
  EXPECT_TRUE(AcceptsCalls(spec, R"(⟦[note.add(text='It's late')]⟧)"));
  EXPECT_TRUE(AcceptsCalls(spec, R"(⟦[note.add(text='rock 'n' roll')]⟧)"));
  EXPECT_TRUE(AcceptsCalls(spec, R"(⟦[note.add(text='It\'s', tags=['O'Hara', 'b'])]⟧)"));
  EXPECT_TRUE(AcceptsCalls(spec, R"(⟦[note.add(text='', tags=[''])]⟧)"));
  EXPECT_TRUE(AcceptsCalls(spec, R"(⟦[note.add(text='say "hi"')]⟧)"));
  EXPECT_FALSE(AcceptsCalls(spec, R"(⟦[note.add(text='a''b')]⟧)"));  // two strings joined, to Python
  EXPECT_FALSE(AcceptsCalls(spec, R"(⟦[note.add(text='a' 'b')]⟧)"));
  EXPECT_FALSE(AcceptsCalls(spec, R"(⟦[note.add(text='a', b')]⟧)"));
  Spec strict = Tools();
  strict.tools.double_quotes = true;
  EXPECT_TRUE(AcceptsCalls(strict, R"(⟦[note.add(text="It's late")]⟧)"));
  EXPECT_FALSE(AcceptsCalls(strict, R"(⟦[note.add(text='x')]⟧)"));
}

TEST(Tools, TheChoiceDecidesWhereCallsMayStand) {
  EXPECT_TRUE(AcceptsCalls(Tools(ToolChoice::kAuto), "plain text, [f(x=1)] too"));
  EXPECT_TRUE(AcceptsCalls(Tools(ToolChoice::kAuto), "I look it up. ⟦[now()]⟧"));
  EXPECT_FALSE(AcceptsCalls(Tools(ToolChoice::kAuto), "⟦[then()]⟧"));
  EXPECT_FALSE(AcceptsCalls(Tools(ToolChoice::kRequired), "plain text"));
  EXPECT_TRUE(AcceptsCalls(Tools(ToolChoice::kNone), "plain text"));
  EXPECT_FALSE(AcceptsCalls(Tools(ToolChoice::kNone), "⟦[now()]⟧"));
  Spec one = Tools();
  one.tools.parallel = false;
  EXPECT_TRUE(AcceptsCalls(one, "⟦[now()]⟧ done"));
  EXPECT_FALSE(AcceptsCalls(one, "⟦[now(), now()]⟧"));
  EXPECT_FALSE(AcceptsCalls(one, "⟦[now()]⟧⟦[now()]⟧"));
}

TEST(Tools, WhatCannotBeWrittenAsACallIsRefused) {
  Spec spec = Tools();
  spec.tools.tools = {{"f", *ParseJson(R"({"type": "object", "required": ["a=b"]})")}};
  EXPECT_FALSE(Compile(spec).ok());
  spec.tools.tools = {{"f", *ParseJson(R"({"properties": {"s": {"pattern": "(a)\\1"}}})")}};
  Refusal refusal;
  EXPECT_FALSE(Compile(spec, {}, &refusal).ok());
  EXPECT_EQ(refusal.keyword, "pattern");
  EXPECT_EQ(refusal.pointer, "/properties/s");
  spec = Tools();
  spec.tools.start_id = -1;
  EXPECT_FALSE(Compile(spec).ok());
}

TEST(Tools, EachToolHasItsOwnDefinitions) {
  Spec spec = Tools();
  spec.tools.tools = {{"f", *ParseJson(R"({"$defs": {"v": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/v"}}})")},
                      {"g", *ParseJson(R"({"$defs": {"v": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/v"}}})")}};
  EXPECT_TRUE(AcceptsCalls(spec, R"(⟦[f(x=1), g(x="a")]⟧)"));
  EXPECT_FALSE(AcceptsCalls(spec, R"(⟦[f(x="a")]⟧)"));
  EXPECT_FALSE(AcceptsCalls(spec, R"(⟦[g(x=1)]⟧)"));
}

}  // namespace
}  // namespace lfm::grammar
