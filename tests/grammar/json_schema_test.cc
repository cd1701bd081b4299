// JSON Schemas: which texts they accept, what is refused and where.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/file.h"
#include "base/json.h"
#include "grammar/grammar.h"

namespace lfm::grammar {
namespace {

std::shared_ptr<const Grammar> Make(std::string_view schema, Order order = Order::kSchema,
                                    Whitespace whitespace = Whitespace::kFlexible) {
  Spec spec;
  spec.kind = Kind::kJsonSchema, spec.order = order, spec.whitespace = whitespace;
  auto json = ParseJson(schema);
  EXPECT_TRUE(json.ok()) << schema;
  spec.schema = *json;
  auto compiled = Compile(spec);
  EXPECT_TRUE(compiled.ok()) << schema << ": " << (compiled.ok() ? "" : compiled.error().message);
  return compiled.ok() ? *compiled : nullptr;
}

bool Accepts(const Grammar& grammar, std::string_view text) {
  State state = grammar.Start();
  const auto alive = state.Advance(text);
  EXPECT_TRUE(alive.ok());
  return alive.ok() && *alive && state.accepting();
}

Refusal Refused(std::string_view schema) {
  Spec spec;
  spec.kind = Kind::kJsonSchema, spec.schema = *ParseJson(schema);
  Refusal refusal;
  EXPECT_FALSE(Compile(spec, {}, &refusal).ok()) << schema;
  return refusal;
}

// tests/data/grammar/schemas.jsonl: {"schema", "valid": [text, ...], "invalid": [text, ...]} a line.
TEST(JsonSchema, AcceptsWhatIsValidAndNothingElse) {
  const auto text = ReadWholeFile(LFM_TEST_DATA "/grammar/schemas.jsonl");
  ASSERT_TRUE(text.ok());
  int n_lines = 0;
  for (size_t at = 0; at < text->size(); ++n_lines) {
    const size_t end = text->find('\n', at);
    const auto row = ParseJson(std::string_view(*text).substr(at, end - at));
    at = end + 1;
    ASSERT_TRUE(row.ok());
    const auto grammar = Make((*row)["schema"].Dump(), Order::kAny);
    ASSERT_NE(grammar, nullptr);
    for (const Json& valid : (*row)["valid"].items())
      EXPECT_TRUE(Accepts(*grammar, valid.AsString())) << (*row)["schema"].Dump() << " " << valid.AsString();
    for (const Json& invalid : (*row)["invalid"].items())
      EXPECT_FALSE(Accepts(*grammar, invalid.AsString())) << (*row)["schema"].Dump() << " " << invalid.AsString();
  }
  EXPECT_GT(n_lines, 40);
}

TEST(JsonSchema, PropertiesKeepTheSchemasOrderUnlessAskedOtherwise) {
  constexpr std::string_view kSchema = R"({"properties": {"b": {}, "a": {}}, "required": ["a"], "type": "object"})";
  EXPECT_TRUE(Accepts(*Make(kSchema), R"({"b":1,"a":2})"));
  EXPECT_FALSE(Accepts(*Make(kSchema), R"({"a":1,"b":2})"));
  EXPECT_FALSE(Accepts(*Make(kSchema), R"({"x":1,"a":2})"));  // what the schema does not name comes last
  EXPECT_TRUE(Accepts(*Make(kSchema), R"({"a":2,"x":1})"));
  EXPECT_TRUE(Accepts(*Make(kSchema, Order::kAny), R"({"a":1,"b":2})"));
  EXPECT_TRUE(Accepts(*Make(kSchema, Order::kAny), R"({"x":1,"a":2})"));
}

TEST(JsonSchema, WhiteSpaceIsBounded) {
  const auto grammar = Make(R"({"type": "array", "items": {"type": "integer"}})");
  EXPECT_TRUE(Accepts(*grammar, "[1, 2,3]"));
  EXPECT_TRUE(Accepts(*grammar, "[\n  1,\n  2\n]"));
  EXPECT_TRUE(Accepts(*grammar, "[\n" + std::string(20, ' ') + "1]"));
  EXPECT_FALSE(Accepts(*grammar, "[\n" + std::string(21, ' ') + "1]"));
  EXPECT_FALSE(Accepts(*grammar, "[  1]"));
  EXPECT_FALSE(Accepts(*grammar, " [1]"));
  EXPECT_FALSE(Accepts(*grammar, "[1] "));
  const auto compact = Make(R"({"type": "array"})", Order::kSchema, Whitespace::kCompact);
  EXPECT_TRUE(Accepts(*compact, "[1,{\"a\":2}]"));
  EXPECT_FALSE(Accepts(*compact, "[1, 2]"));
}

TEST(JsonSchema, NoKeyComesTwice) {
  const auto grammar = Make(R"({"type": "object", "additionalProperties": {"type": "integer"}})");
  EXPECT_TRUE(Accepts(*grammar, R"({"a":1,"b":2,"ab":3})"));
  EXPECT_FALSE(Accepts(*grammar, R"({"a":1,"b":2,"a":3})"));
  EXPECT_FALSE(Accepts(*grammar, R"({"\n":1,"\u000a":3})"));
}

TEST(JsonSchema, ARefusalNamesKeywordAndPlace) {
  Refusal refusal = Refused(R"({"properties": {"a/b": {"pattern": "(a)\\1"}}})");
  EXPECT_EQ(refusal.keyword, "pattern");
  EXPECT_EQ(refusal.pointer, "/properties/a~1b");
  refusal = Refused(R"({"items": {"uniqueItems": true, "type": "array", "items": {"type": "object"}}})");
  EXPECT_EQ(refusal.keyword, "uniqueItems");
  EXPECT_EQ(refusal.pointer, "/items");
  EXPECT_EQ(Refused(R"({"$ref": "https://example.com/other.json"})").keyword, "$ref");
  EXPECT_EQ(Refused(R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})").keyword, "$ref");
  EXPECT_EQ(Refused(R"({"type": "text"})").keyword, "type");
  std::string deep = R"({"$ref": "#/$defs/d0", "$defs": {)";
  for (int i = 0; i < 700; ++i) {
    deep += "\"d" + std::to_string(i) + R"(": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/d)" +
            std::to_string(i + 1) + "\"}}}, ";
  }
  EXPECT_EQ(Refused(deep + R"("d700": {}}})").keyword, "$ref");
  EXPECT_EQ(Refused(R"({"$schema": "https://example.com/my-dialect"})").keyword, "$schema");
  EXPECT_FALSE(Refused(R"({"type": "string", "minLength": 3, "maxLength": 2})").message.empty());
  EXPECT_FALSE(
      Refused(R"({"type": "array", "items": {"enum": ["a", 1, 1.5]}, "uniqueItems": true, "minItems": 4})").message.empty());
  EXPECT_FALSE(
      Refused(
          R"({"$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}}, "$ref": "#/$defs/n"})")
          .message.empty());
}

// All of these could be answered for some tokens before they failed.
TEST(JsonSchema, WhatWouldFailInUseIsRefusedBefore) {
  std::string patterns, contains, multiples;
  for (int i = 0; i < 9; ++i) {
    const std::string comma = i == 0 ? "" : ",", n = std::to_string(i);
    patterns += comma + "\"" + n + "\": {\"minimum\": " + n + "}";
    contains += comma + "{\"contains\": {\"multipleOf\": " + std::to_string(i + 2) + "}}";
  }
  for (const int prime : {7, 11, 13, 17, 19, 23, 29}) {
    multiples += (multiples.empty() ? "" : ",") + ("{\"multipleOf\": " + std::to_string(prime) + "}");
  }
  Refusal refusal = Refused(R"({"properties": {"a": {"patternProperties": {)" + patterns + "}}}}");
  EXPECT_EQ(refusal.keyword, "patternProperties") << refusal.message;
  EXPECT_EQ(refusal.pointer, "/properties/a");
  refusal = Refused(R"({"items": {"allOf": [)" + contains + "]}}");
  EXPECT_EQ(refusal.keyword, "allOf") << refusal.message;
  EXPECT_EQ(refusal.pointer, "/items");
  refusal = Refused(R"({"items": {"type": "integer", "allOf": [)" + multiples + "]}}");
  EXPECT_EQ(refusal.keyword, "allOf") << refusal.message;
  EXPECT_EQ(refusal.pointer, "/items");
  const auto all = [](std::initializer_list<std::string> wanted) {
    std::string out = R"({"type": "string", "maxLength": 200, "allOf": [)";
    for (const std::string& one : wanted) out += R"({"pattern": ")" + one + "\"},";
    return out + R"({"pattern": "[aA][12].*[zZ]"}]})";
  };
  const std::string words = R"(^[\\w]*$)", digits = R"(\\d\\d)";
  refusal = Refused(R"({"items": )" +
                    all({"^" + std::string(60, '.') + "$", "ab1", "b12", "bc1", "c12", "ca1", "a12", words, digits, "[a|b]",
                         "[b|c]", "[c|a]", "1.*2", "ac", "a2", "a1"}) +
                    "}");
  EXPECT_EQ(refusal.keyword, "allOf") << refusal.message;
  EXPECT_EQ(refusal.pointer, "/items");
  EXPECT_NE(refusal.message.find("conditions on one string"), std::string::npos) << refusal.message;
  // Without the first seven they can be held, and so can remainders of 3, 5, 8 and 11.
  const auto held = Make(all({words, digits, "[a|b]", "[b|c]", "[c|a]", "1.*2", "ac", "a2", "a1"}));
  EXPECT_TRUE(Accepts(*held, "\"a1ac_a2_12z\""));
  EXPECT_FALSE(Accepts(*held, "\"a1ac_a2_1z\""));
  const auto numbers = Make(R"({"type": "number", "minimum": 1, "allOf": [
    {"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}, {"multipleOf": 15}]},
    {"oneOf": [{"not": {"anyOf": [{"multipleOf": 5}, {"multipleOf": 3}]}}, {"multipleOf": 8}]},
    {"oneOf": [{"not": {"multipleOf": 8}}, {"multipleOf": 11}]}]})");
  EXPECT_TRUE(Accepts(*numbers, "264"));
  EXPECT_FALSE(Accepts(*numbers, "132"));
}

TEST(JsonSchema, UnsupportedKeywordsCanLoosenTheGrammarInstead) {
  Spec spec;
  spec.kind = Kind::kJsonSchema, spec.annotate_unsupported = true;
  spec.schema = *ParseJson(R"({"type": "string", "pattern": "(a)\\1", "format": "colour"})");
  const auto compiled = Compile(spec);
  ASSERT_TRUE(compiled.ok());
  EXPECT_TRUE(Accepts(**compiled, "\"anything\""));
  ASSERT_EQ((*compiled)->unenforced().size(), 2u);
  EXPECT_EQ((*compiled)->unenforced()[0].keyword, "pattern");
  EXPECT_EQ((*compiled)->unenforced()[1].keyword, "format");
}

TEST(JsonSchema, TheShortestEndHasWhatOtherNamesAskFor) {
  const auto grammar = Make(R"({"type": "object", "properties": {"d": {"type": "object",
    "properties": {"x": {"type": "boolean"}}, "dependencies": {"long name": ["another name", "third name"]}}}, "required": ["d"]})");
  const std::string begun = R"({"d":{"long name":1)";
  State state = grammar->Start();
  ASSERT_TRUE(*state.Advance(begun));
  const auto rest = state.ShortestCompletion(100);
  ASSERT_TRUE(rest.ok());
  EXPECT_TRUE(Accepts(*grammar, begun + *rest)) << *rest;
}

TEST(JsonSchema, AnEndThatIsTooLongIsGivenUpEarly) {
  for (const char* schema : {R"({"type": "object", "minProperties": 1000000000})", R"({"type": "object", "minProperties": 3000})",
                             R"({"type": "array", "minItems": 1000000000})", R"({"type": "string", "minLength": 1000000000})"}) {
    const auto grammar = Make(schema);
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(grammar->Start().ShortestCompletion(600).ok()) << schema;
    EXPECT_TRUE(*grammar->Start().Advance(std::string(1, schema[10] == 'o' ? '{' : schema[10] == 'a' ? '[' : '"'))) << schema;
  }
}

TEST(JsonSchema, HugeBoundsCostNothing) {
  const auto grammar = Make(R"({"type": "object", "properties": {"s": {"type": "string", "maxLength": 1000000000},
    "a": {"type": "array", "minItems": 2, "maxItems": 1000000000}}, "required": ["s", "a"]})");
  EXPECT_TRUE(Accepts(*grammar, "{\"s\":\"" + std::string(5000, 'x') + "\",\"a\":[1,2]}"));
  EXPECT_FALSE(Accepts(*grammar, R"({"s":"","a":[1]})"));
}

TEST(JsonSchema, ManyEnumValuesAreATrie) {
  Json values = Json::MakeArray();
  for (int i = 0; i < 10000; ++i) values.Append("value-" + std::to_string(i * 7919));
  Json schema = Json::MakeObject();
  schema.Set("enum", std::move(values));
  const auto grammar = Make(schema.Dump());
  EXPECT_TRUE(Accepts(*grammar, "\"value-79190\""));
  EXPECT_FALSE(Accepts(*grammar, "\"value-79191\""));
}

TEST(JsonSchema, ForcedBytesAndTheShortestEnd) {
  const auto grammar =
      Make(R"({"type": "object", "properties": {"name": {"type": "string", "minLength": 2}, "kind": {"enum": ["cat", "cow"]},
    "sizes": {"type": "array", "items": {"type": "integer"}, "minItems": 1}}, "required": ["name", "kind", "sizes"], "additionalProperties": false})",
           Order::kSchema, Whitespace::kCompact);
  State state = grammar->Start();
  EXPECT_EQ(state.Forced(), "{\"name\":\"");
  for (const std::string_view begun :
       {"", "{", "{\"na", "{\"name\":\"x", "{\"name\":\"xyz\",\"kind\":\"co", "{\"name\":\"xyz\",\"kind\":\"cow\",\"sizes\":[",
        "{\"name\":\"xyz\",\"kind\":\"cow\",\"sizes\":[12", "{\"name\":\"x\\\\"}) {
    State at = grammar->Start();
    ASSERT_TRUE(*at.Advance(begun)) << begun;
    const auto end = at.ShortestCompletion();
    ASSERT_TRUE(end.ok()) << begun;
    EXPECT_TRUE(Accepts(*grammar, std::string(begun) + *end)) << begun << " + " << *end;
  }
  ASSERT_TRUE(*state.Advance("{\"name\":\"ab\",\"kind\":\"c"));
  EXPECT_EQ(state.Forced(), "");
  ASSERT_TRUE(*state.Advance("o"));
  EXPECT_EQ(state.Forced(), "w\",\"sizes\":[");
}

TEST(JsonSchema, AStateIsKeptWhenBytesAreForbidden) {
  const auto grammar = Make(R"({"enum": ["ab"]})");
  State state = grammar->Start();
  EXPECT_FALSE(*state.Advance("\"ax"));
  EXPECT_TRUE(*state.Advance("\"a"));
  const State fork = state;
  EXPECT_TRUE(*state.Advance("b\""));
  EXPECT_TRUE(state.accepting());
  EXPECT_FALSE(fork.accepting());
}

}  // namespace
}  // namespace lfm::grammar
