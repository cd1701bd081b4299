// Masks against the oracle: every token's bytes pushed one by one.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "grammar/grammar.h"

namespace lfm::grammar {
namespace {

constexpr int32_t kFirst = 5;  // the first token of plain bytes

// All bytes, pieces of JSON and of words, a few special tokens; id 0 has no bytes, 1 and 2 end the answer,
// 3 and 4 are the marks of tool calls.
std::shared_ptr<const Vocabulary> MakeVocabulary() {
  std::vector<Vocabulary::Token> tokens(kFirst);
  tokens[1] = {"<|end|>", true}, tokens[2] = {"<|stop|>", true}, tokens[3] = {"<|call|>", true}, tokens[4] = {"<|called|>", true};
  for (int byte = 0; byte < 256; ++byte) tokens.push_back({std::string(1, static_cast<char>(byte)), false});
  for (const char* piece : {"{\"",
                            "\":",
                            "\": ",
                            "\",",
                            "\"}",
                            "\"]",
                            "\",\"",
                            "\": \"",
                            "\":\"",
                            "}}",
                            "]}",
                            "},",
                            "},{",
                            "[{",
                            "[\"",
                            "[[",
                            "]]",
                            "null",
                            "true",
                            "false",
                            "tru",
                            "10",
                            "12",
                            "00",
                            "-1",
                            "0.",
                            ".5",
                            "e1",
                            "1,",
                            "2]",
                            "3}",
                            ", \"",
                            ",\n  ",
                            "\n    ",
                            "  ",
                            "\\n",
                            "\\\"",
                            "\\u00",
                            "\\\\",
                            "a\"",
                            "ab\",\"",
                            "name",
                            "na",
                            "me\":",
                            "kind\":\"c",
                            "cat",
                            "ow",
                            "é",
                            "\xC3",
                            "\xA9\"",
                            "\xF0\x9F",
                            "\x98\x80",
                            "日本",
                            "id",
                            "x",
                            "xy",
                            "tags",
                            "value",
                            "2024",
                            "-0",
                            "1-",
                            "T1",
                            "2:",
                            "@e",
                            ".c",
                            "om",
                            "foo",
                            "bar",
                            "baz\"]",
                            "[cat",
                            "(id=",
                            "='",
                            "'s",
                            "', ",
                            "')",
                            "')]",
                            ")]",
                            "=['",
                            "\":1,\"",
                            "\":1,\"x",
                            "\":1,\"x\":",
                            "x\":true,\"x\":",
                            "\":true, \"xy\"",
                            "=1, x",
                            "=1, x=",
                            "':1, 'x':"}) {
    tokens.push_back({piece, false});
  }
  std::mt19937 random(7);
  for (int i = 0; i < 1200; ++i) {
    std::string bytes;
    const int n = 1 + static_cast<int>(random() % 5);
    for (int k = 0; k < n; ++k) bytes += tokens[kFirst + random() % (tokens.size() - kFirst)].bytes.substr(0, 4);
    tokens.push_back({bytes, false});
  }
  tokens.push_back({"<|special|>", true});
  return Vocabulary::Create(tokens, {1, 2});
}

bool Allowed(const std::vector<uint32_t>& mask, int32_t id) { return mask[static_cast<size_t>(id) / 32] >> (id % 32) & 1; }

// Walks a grammar at random by tokens and compares every mask on the way; the number of pairs compared.
int64_t Compare(const Spec& spec, const Vocabulary& vocabulary, unsigned seed, int n_steps) {
  const auto compiled = Compile(spec);
  EXPECT_TRUE(compiled.ok()) << (compiled.ok() ? "" : compiled.error().message);
  if (!compiled.ok()) return 0;
  std::mt19937 random(seed);
  int64_t n_pairs = 0;
  State state = (*compiled)->Start();
  std::string text;
  for (int step = 0; step < n_steps; ++step) {
    std::vector<uint32_t> mask((static_cast<size_t>(vocabulary.n_tokens()) + 31) / 32);
    EXPECT_TRUE(state.Mask(vocabulary, mask).ok());
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < vocabulary.n_tokens(); ++id, ++n_pairs) {
      State copy = state;
      const auto accepted = copy.Accept(vocabulary, id);
      EXPECT_TRUE(accepted.ok());
      EXPECT_EQ(Allowed(mask, id), *accepted) << "after " << text << " token " << vocabulary.Bytes(id);
      if (Allowed(mask, id) != *accepted) return n_pairs;
      if (*accepted) allowed.push_back(id);
    }
    EXPECT_FALSE(allowed.empty()) << "nothing may follow " << text;
    if (allowed.empty()) return n_pairs;
    const int32_t id = allowed[random() % allowed.size()];
    if (vocabulary.IsEnd(id) || text.size() > 300) {
      state = (*compiled)->Start(), text.clear();
      continue;
    }
    EXPECT_TRUE(*state.Accept(vocabulary, id));
    text += vocabulary.Bytes(id);
    // No state is a dead end, and the short way out is one.
    const auto end = state.ShortestCompletion();
    EXPECT_TRUE(end.ok()) << text;
    if (!end.ok()) return n_pairs;
    State ended = state;
    EXPECT_TRUE(*ended.Advance(*end) && ended.accepting()) << text << " + " << *end;
  }
  return n_pairs;
}

Spec Schema(std::string_view text) {
  Spec spec;
  spec.kind = Kind::kJsonSchema, spec.schema = *ParseJson(text);
  return spec;
}

TEST(Mask, EqualsPushingEveryTokensBytes) {
  const auto vocabulary = MakeVocabulary();
  int64_t n_pairs = 0;
  const int n_steps = LFM_SANITIZED ? 8 : 60;
  for (
      const std::string_view schema :
      {R"({})", R"({"type": "object"})",
       R"({"type": "object", "properties": {"name": {"type": "string", "minLength": 1}, "kind": {"enum": ["cat", "cow", "café"]}, "id": {"type": "integer", "minimum": 3, "maximum": 120},
               "tags": {"type": "array", "items": {"enum": ["foo", "bar", "baz"]}, "uniqueItems": true}}, "required": ["name", "id"], "additionalProperties": false})",
       R"({"type": "string", "pattern": "^[a-é]{2,40}(foo|bar)?$", "maxLength": 20})",
       R"({"type": "array", "items": {"type": "number", "multipleOf": 0.25}, "maxItems": 5, "minItems": 2})",
       R"({"anyOf": [{"type": "object", "properties": {"name": {"const": "x"}, "value": {"type": "integer"}}, "required": ["name", "value"]},
                         {"type": "object", "properties": {"name": {"type": "string"}, "value": {"type": "string"}}, "required": ["name", "value"]}]})",
       R"({"type": "object", "patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}, "minProperties": 2, "maxProperties": 3})",
       R"({"type": "array", "contains": {"const": 10}, "maxContains": 2, "maxItems": 4})",
       R"({"type": "string", "pattern": "foo"})", R"({"type": "string", "pattern": "^.+x", "maxLength": 9})",
       R"({"type": "string", "pattern": ".+"})",
       R"({"oneOf": [{"pattern": "foo"}, {"pattern": "bar"}, {"pattern": "x"}], "type": "string"})",
       R"({"type": "string", "allOf": [{"pattern": "o$"}, {"pattern": "^a"}, {"pattern": "b.*r"}], "maxLength": 30})",
       R"s({"type": "array", "items": {"type": "string", "pattern": "^(?!foo)", "minLength": 2}, "maxItems": 3})s",
       R"({"format": "date-time", "type": "string"})", R"({"type": "string", "maxLength": 700, "minLength": 600})",
       R"({"$defs": {"t": {"type": "object", "properties": {"x": {"$ref": "#/$defs/t"}, "xy": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "additionalProperties": false}}, "$ref": "#/$defs/t"})"}) {
    Spec spec = Schema(schema);
    n_pairs += Compare(spec, *vocabulary, 1, n_steps);
    spec.order = Order::kAny, spec.whitespace = Whitespace::kCompact;
    n_pairs += Compare(spec, *vocabulary, 2, n_steps);
  }
  Spec regex;
  regex.kind = Kind::kRegex, regex.text = "(foo|bar)+[0-9]{2,}.*é?";
  n_pairs += Compare(regex, *vocabulary, 3, n_steps);
  Spec choice;
  choice.kind = Kind::kChoice, choice.choices = {"cat", "cow", "café", "catx"};
  Spec tools;
  tools.kind = Kind::kTools;
  tools.tools.start_id = 3, tools.tools.end_id = 4;
  tools.tools.tools = {
      {"cat",
       *ParseJson(
           R"({"properties": {"name": {"type": "string"}, "id": {"enum": ["x", "it's", "a, 'b'", 10]}, "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["id"]})")},
      {"foo", Json()}};
  n_pairs += Compare(tools, *vocabulary, 5, n_steps);
  tools.tools.choice = ToolChoice::kRequired;
  n_pairs += Compare(tools, *vocabulary, 6, n_steps);
  n_pairs += Compare(choice, *vocabulary, 4, n_steps);
  Spec cfg;
  cfg.kind = Kind::kGrammar;
  cfg.text = "root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | \"\\\"\" [^\"\\\\]* \"\\\"\" | \"-\"? [0-9]+\n";
  n_pairs += Compare(cfg, *vocabulary, 7, n_steps);
  EXPECT_GE(n_pairs, LFM_SANITIZED ? 100'000 : 1'000'000);
}

// Two patterns that any text may still lead to, but never to both at once.
// Keys that no schema speaks of are asked for once; but a token may hold the end of one and the next one.
TEST(Mask, TokensThatHoldTwoKeysAreHeldToBoth) {
  const auto vocabulary = MakeVocabulary();
  for (const std::string_view schema :
       {R"({"type": "object"})",
        R"({"type": "object", "additionalProperties": {"type": ["integer", "boolean"]}, "maxProperties": 3})",
        R"({"type": "object", "properties": {"name": true, "xy": {"type": "integer"}}, "required": ["xy"], "minProperties": 3})",
        R"({"type": "object", "patternProperties": {"^x": {"type": "integer"}, "y$": {"type": ["integer", "boolean"]}}})",
        R"({"type": "object", "propertyNames": {"pattern": "^[xy]$"}, "patternProperties": {"y": {"type": "boolean"}}})",
        R"({"type": "object", "properties": {"\ue000\ue001": {"type": "null"}}, "dependentRequired": {"x": ["na"]}})"}) {
    Spec spec = Schema(schema);
    spec.whitespace = Whitespace::kCompact;
    Spec tools;
    tools.kind = Kind::kTools;
    tools.tools.tools = {{"f", spec.schema}};
    tools.tools.choice = ToolChoice::kRequired, tools.tools.start_id = 3, tools.tools.end_id = 4;
    const auto compiled = Compile(spec), calls = Compile(tools);
    ASSERT_TRUE(compiled.ok() && calls.ok());
    std::vector<uint32_t> mask((static_cast<size_t>(vocabulary->n_tokens()) + 31) / 32);
    const auto compare = [&](const State& at, std::string_view before) {
      ASSERT_TRUE(at.Mask(*vocabulary, mask).ok());
      for (int32_t id = 0; id < vocabulary->n_tokens(); ++id) {
        State copy = at;
        EXPECT_EQ(Allowed(mask, id), *copy.Accept(*vocabulary, id)) << schema << before << "|" << vocabulary->Bytes(id);
      }
    };
    for (const std::string_view before :
         {"{\"", "{\"x", "{\"xy", "{\"y", "{\"q", "{\"q\":1,\"x", "{\"x\":1,\"y", "{\"\xEE\x80\x80\":1,\"x", "{\"na\":1,\"xyy"}) {
      State state = (*compiled)->Start();
      const auto alive = state.Advance(before);
      if (alive.ok() && *alive) compare(state, before);
    }
    for (const std::string_view before : {"x", "xy", "q", "q=1, x", "q=1, 'y"}) {
      State state = (*calls)->Start();
      const auto alive = state.Advance(Vocabulary::SpecialBytes(3) + "[f(" + std::string(before));
      if (alive.ok() && *alive) compare(state, before);
    }
  }
}

TEST(Mask, WhatGoesOnForEachOfTwoPatternsNeedNotGoOnForBoth) {
  EXPECT_FALSE(Compile(Schema(R"({"type": "string", "allOf": [{"pattern": "a$"}, {"pattern": "b$"}]})")).ok());
  EXPECT_FALSE(Compile(Schema(R"({"type": "string", "allOf": [{"pattern": "foo$"}, {"maxLength": 2}]})")).ok());
  EXPECT_TRUE(Compile(Schema(R"({"type": "string", "allOf": [{"pattern": "foo$"}, {"maxLength": 3}]})")).ok());
}

// A bound on the length that makes no difference to any token's bytes does make one where only some ends fit into it.
TEST(Mask, WhatNoLongerFitsIsForbiddenFromTheStart) {
  EXPECT_FALSE(Compile(Schema(R"({"type": "string", "allOf": [{"maxLength": 10}, {"minLength": 20}]})")).ok());
  EXPECT_FALSE(Compile(Schema(R"({"type": "string", "maxLength": 100, "not": {"pattern": "^[^]{0,300}$"}})")).ok());
  EXPECT_TRUE(Compile(Schema(R"({"type": "string", "maxLength": 100, "not": {"pattern": "^[^]{0,99}$"}})")).ok());
  const auto vocabulary = MakeVocabulary();
  for (const std::string_view schema : {R"s({"type": "string", "maxLength": 600, "pattern": "^(a{590}|c{700})$"})s",
                                        R"s({"type": "string", "maxLength": 600, "pattern": "^a{0,3}(b{590}|c{700})$"})s"}) {
    const auto compiled = Compile(Schema(schema));
    ASSERT_TRUE(compiled.ok()) << schema;
    State state = (*compiled)->Start();
    ASSERT_TRUE(*state.Advance("\""));
    std::vector<uint32_t> mask((static_cast<size_t>(vocabulary->n_tokens()) + 31) / 32);
    ASSERT_TRUE(state.Mask(*vocabulary, mask).ok());
    EXPECT_TRUE(Allowed(mask, kFirst + 'a'));
    EXPECT_FALSE(Allowed(mask, kFirst + 'c')) << schema;
  }
}

TEST(Mask, IsExactWhereCountsAreFarAndWhereTheyAreNear) {
  const auto vocabulary = MakeVocabulary();
  for (const std::string_view schema :
       {R"s({"type": "string", "pattern": "^(?:\\S+\\s+){0,9}\\S+$", "maxLength": 60})s",
        R"s({"type": "string", "pattern": "^(?:[a-f]{2,3}x?){0,30}(foo|bar)$", "maxLength": 90})s",
        R"s({"type": "string", "pattern": "^([ab]{1,9}x){2,50}$", "minLength": 20, "maxLength": 80})s",
        R"s({"type": "string", "pattern": "^(a?){30}a{30}$"})s",
        R"s({"type": "string", "not": {"enum": ["foo", "x"]}, "minLength": 3, "maxLength": 90})s"}) {
    Compare(Schema(schema), *vocabulary, 11, LFM_SANITIZED ? 6 : 40);
  }
}

TEST(Mask, WorkBeyondTheBudgetIsAnError) {
  const auto vocabulary = MakeVocabulary();
  Spec regex;
  regex.kind = Kind::kRegex, regex.text = "(a{1,9}|[b-x]{2,8}x?){1,300}";
  Budgets budgets;
  budgets.work = 100;
  const auto compiled = Compile(regex, budgets);
  ASSERT_TRUE(compiled.ok());
  std::vector<uint32_t> mask((static_cast<size_t>(vocabulary->n_tokens()) + 31) / 32);
  const Status status = (*compiled)->Start().Mask(*vocabulary, mask);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kLimit);
}

// What one call may take, many may not: the budget fills up slowly.
TEST(Mask, ManyHeavyMasksTogetherAreBounded) {
  const auto vocabulary = MakeVocabulary();
  Spec regex;
  regex.kind = Kind::kRegex, regex.text = "(?=.*a.{20}b)(?=.*c.{20}d)(?!.*e.{20}f).*";
  std::vector<uint32_t> mask((static_cast<size_t>(vocabulary->n_tokens()) + 31) / 32);
  // Enough for the first mask.
  Budgets budgets;
  bool first = false;
  for (budgets.work = 100'000; !first && budgets.work < 20'000'000; budgets.work *= 2) {
    const auto compiled = Compile(regex, budgets);
    ASSERT_TRUE(compiled.ok());
    State state = (*compiled)->Start();
    if (!state.Mask(*vocabulary, mask).ok()) continue;
    first = true;
    Status status;
    for (size_t i = 0; i < 100 && status.ok(); ++i) {
      const auto alive = state.Advance(std::string_view("ace").substr(i * 7 % 3, 1));
      status = alive.ok() ? state.Mask(*vocabulary, mask) : Status(alive.error());
    }
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kLimit);
  }
  EXPECT_TRUE(first);
}

// Exactly one of seven words anywhere in the text: few states, which each exclude six words, and no way into those that
// could not end.
TEST(Mask, WordsThatExcludeEachOtherStayCheap) {
  const auto vocabulary = MakeVocabulary();
  Budgets budgets;
  budgets.work = 400'000;
  const auto compiled =
      Compile(Schema(R"({"type": "string", "oneOf": [{"pattern": "NEW"}, {"pattern": "ON_APPROVAL"}, {"pattern": "ON_SIGNING"},
      {"pattern": "ON_MODIFICATION"}, {"pattern": "EXECUTED"}, {"pattern": "DEPRECATED"}, {"pattern": "REJECTED"}]})"),
              budgets);
  ASSERT_TRUE(compiled.ok());
  State state = (*compiled)->Start();
  std::vector<uint32_t> mask((static_cast<size_t>(vocabulary->n_tokens()) + 31) / 32);
  for (const char c : std::string_view("\"ON_ON_SIGNINGNE")) {
    ASSERT_TRUE(*state.Advance({&c, 1}));
    ASSERT_TRUE(state.Mask(*vocabulary, mask).ok());
  }
  EXPECT_FALSE(Allowed(mask, kFirst + 'W'));
  EXPECT_TRUE(Allowed(mask, kFirst + 'w'));
  EXPECT_FALSE(*state.Advance("W"));
}

// The automata of one answer fit into the budget many times, those of all do not.
TEST(Mask, AGrammarServesAnyNumberOfAnswers) {
  Spec spec;
  spec.kind = Kind::kRegex, spec.text = "[ab]*a[ab]{16}c";
  Budgets budgets;
  budgets.max_bytes = size_t{4} << 20;
  const auto compiled = Compile(spec, budgets);
  ASSERT_TRUE(compiled.ok());
  std::mt19937 random(1);
  State first = (*compiled)->Start();
  ASSERT_TRUE(first.Advance("ab").ok());
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (int n = 0; n < 200; ++n) text += random() % 2 == 0 ? 'a' : 'b';
    text += "a" + std::string(16, 'b') + "c";
    State state = (*compiled)->Start();
    const auto alive = state.Advance(text);
    ASSERT_TRUE(alive.ok()) << i << ": " << alive.error().message;
    EXPECT_TRUE(*alive && state.accepting());
    ASSERT_LT((*compiled)->bytes(), budgets.max_bytes);
  }
  const auto alive = first.Advance("a" + std::string(16, 'b') + "c");  // what it began with is still there
  EXPECT_TRUE(alive.ok() && *alive && first.accepting());
}

TEST(Mask, EndTokensComeExactlyWhereTheTextMayEnd) {
  const auto vocabulary = MakeVocabulary();
  Spec choice;
  choice.kind = Kind::kChoice, choice.choices = {"cat", "catx"};
  const auto compiled = Compile(choice);
  ASSERT_TRUE(compiled.ok());
  State state = (*compiled)->Start();
  std::vector<uint32_t> mask((static_cast<size_t>(vocabulary->n_tokens()) + 31) / 32);
  ASSERT_TRUE(state.Mask(*vocabulary, mask).ok());
  EXPECT_FALSE(Allowed(mask, 1));
  ASSERT_TRUE(*state.Advance("cat"));
  ASSERT_TRUE(state.Mask(*vocabulary, mask).ok());
  EXPECT_TRUE(Allowed(mask, 1));
  EXPECT_TRUE(Allowed(mask, 2));
  EXPECT_TRUE(*state.Accept(*vocabulary, 2));
  EXPECT_TRUE(state.finished());
  ASSERT_TRUE(state.Mask(*vocabulary, mask).ok());
  EXPECT_EQ(mask, std::vector<uint32_t>(mask.size()));
}

TEST(Mask, TokensWithoutBytesAndForeignIdsAreNeverAllowed) {
  const auto vocabulary = MakeVocabulary();
  Spec spec;
  spec.kind = Kind::kRegex, spec.text = "[^]*";
  const auto compiled = Compile(spec);
  ASSERT_TRUE(compiled.ok());
  State state = (*compiled)->Start();
  for (const int32_t id : {-1, 0, kFirst + 0xFF, vocabulary->n_tokens() - 1, vocabulary->n_tokens(), INT32_MAX}) {
    EXPECT_FALSE(*state.Accept(*vocabulary, id)) << id;
  }
}

}  // namespace
}  // namespace lfm::grammar
