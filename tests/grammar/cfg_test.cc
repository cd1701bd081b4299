// Grammars as text: GBNF and Lark, regular ones and those that nest.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "grammar/grammar.h"

namespace lfm::grammar {
namespace {

Spec Text(std::string_view text) {
  Spec spec;
  spec.kind = Kind::kGrammar, spec.text = text;
  return spec;
}

bool AcceptsText(const Spec& spec, std::string_view text) {
  const auto compiled = Compile(spec);
  EXPECT_TRUE(compiled.ok()) << (compiled.ok() ? "" : compiled.error().message);
  if (!compiled.ok()) return false;
  State state = (*compiled)->Start();
  const auto alive = state.Advance(text);
  EXPECT_TRUE(alive.ok());
  return alive.ok() && *alive && state.accepting();
}

void Check(const Spec& spec, std::initializer_list<std::string_view> valid, std::initializer_list<std::string_view> invalid) {
  for (const std::string_view text : valid) EXPECT_TRUE(AcceptsText(spec, text)) << text;
  for (const std::string_view text : invalid) EXPECT_FALSE(AcceptsText(spec, text)) << text;
}

TEST(Gbnf, RegularRules) {
  Check(Text(R"G(# a list of moves
root ::= move (", " move){0,2} "."
move ::= [a-h] [1-8] | "O-O" "-O"?
)G"),
        {"a1.", "e4, e5.", "O-O-O, O-O, h8."}, {"", "i1.", "a1", "a1, b2, c3, d4."});
  Check(Text("root ::= [^\"\\\\]+ \"\\n\"\n"), {"abc\n", "é\n"}, {"\"\n", "abc"});
}

TEST(Gbnf, RulesThatNest) {
  const Spec arithmetic = Text(R"G(root ::= expr
expr ::= term ([-+] term)*
term ::= number | "(" expr ")"
number ::= [0-9]+
)G");
  Check(arithmetic, {"1", "1+2", "(1+2)-34", "((((7))))", "(1)+(2-(3))"}, {"", "+", "(1", "1)", "1+", "()"});
  EXPECT_TRUE(AcceptsText(arithmetic, std::string(300, '(') + "1" + std::string(300, ')')));
  const Spec json = Text(R"G(root ::= value
value ::= object | array | string | "null"
object ::= "{" (string ":" value ("," string ":" value)*)? "}"
array ::= "[" (value ("," value)*)? "]"
string ::= "\"" [^"\\]* "\""
)G");
  Check(json, {R"({"a":[null,{"b":"c"}],"d":{}})", "[]", "\"x\""}, {R"({"a":})", "[null,]", "{\"a\"}"});
}

TEST(Gbnf, LeftRecursionAndEmptyRules) {
  Check(Text("root ::= root \"a\" | \"b\" opt\nopt ::= \"c\" | \"\"\n"), {"b", "bc", "baaa", "bca"}, {"a", "cb", "bb"});
  Check(Text("root ::= a b\na ::= \"(\" a \")\" |\nb ::= \"x\"?\n"), {"", "()", "(())x", "x"}, {"(", "(()", "xx"});
}

TEST(Lark, RulesTerminalsAndIgnored) {
  const Spec spec = Text(R"G(start: greeting NAME ("," NAME)* "!"
greeting: "hello"i | "good" "day"
NAME: /[A-Z][a-z]+/
%ignore /[ ]+/
)G");
  Check(spec, {"hello Bob!", "HELLO Bob, Ann !", "good day Bob!", "goodday  Bob!"}, {"hello bob!", "hello!", "he llo Bob!"});
  Check(Text("start: x\nx: \"(\" x \")\" | /[0-9]{2,3}/\n%ignore \" \"\n"), {"12", "(123)", "( ( 12 ) )"}, {"1", "(12", "1 2"});
  Check(Text("start: \"a\"~2..3 [\"b\"] \"c\"?\n"), {"aa", "aaab", "aabc"}, {"a", "aaaa"});
}

TEST(Lark, TerminalsOfTheLibraryAreImported) {
  const char* const sums =
      "%import common.INT\n%import common (WS_INLINE, CNAME)\n%ignore WS_INLINE\nstart: v (\"+\" v)*\nv: INT | CNAME\n";
  Check(Text(sums), {"1", "1+x_2", "a + 23"}, {"+", "1+", "2x", "a\n+1"});
  Check(Text("%import common.SIGNED_NUMBER -> n\n%import common.ESCAPED_STRING\nstart: n | ESCAPED_STRING\n"),
        {"-1", "+.5e-3", "2.", "7E9", "\"\"", "\"a\\\"b\""}, {"", ".", "e1", "\"a", "\"a\"b\"", "\"\\\""});
  Check(Text("%import common.C_COMMENT\nstart: C_COMMENT\n"), {"/**/", "/* a * / */", "/***/"}, {"/*/", "/* */ */"});
  EXPECT_FALSE(Compile(Text("%import common.NOTHING\nstart: \"a\"\n")).ok());
  EXPECT_FALSE(Compile(Text("%import python.NAME\nstart: \"a\"\n")).ok());
  EXPECT_FALSE(Compile(Text("%import common.INT\nINT: \"1\"\nstart: INT\n")).ok());
}

TEST(Lark, SpecialTokensAreNamed) {
  Spec spec = Text("start: \"a\" <|call|> <[17]>\n");
  spec.special_tokens = {{"<|call|>", 5}};
  EXPECT_TRUE(AcceptsText(spec, "a" + Vocabulary::SpecialBytes(5) + Vocabulary::SpecialBytes(17)));
  EXPECT_FALSE(AcceptsText(spec, "a<|call|>"));
  spec.special_tokens.clear();
  EXPECT_FALSE(Compile(spec).ok());
}

TEST(Cfg, WhatIsBrokenOrForeignSaysWhere) {
  for (const std::string_view text :
       {"", "root ::= \"a", "root ::= (\"a\"", "root ::= b\n", "root ::= \"a\"\nroot ::= \"b\"\n", "other ::= \"a\"",
        "root ::= \"a\" root\n", "start: %json {}\n", "start: a::b\n", "%import common.WHAT\nstart: WHAT\n",
        "start[stop=\"x\"]: \"a\"\n", "root ::= [b-a]\n", "root ::= \"a\"{3,2}\n"}) {
    const auto compiled = Compile(Text(text));
    EXPECT_FALSE(compiled.ok()) << text;
    EXPECT_TRUE(compiled.ok() || !compiled.error().message.empty());
  }
}

TEST(Cfg, HostileTextsAreErrorsNotCrashes) {
  EXPECT_FALSE(Compile(Text("root ::= " + std::string(60000, '(') + "\"a\"" + std::string(60000, ')'))).ok());
  EXPECT_FALSE(Compile(Text("root ::= (root \"a\"){2,100000}\n")).ok());
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 5000; ++i) chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  EXPECT_FALSE(Compile(Text(chain + "r5000 ::= \"a\"\n")).ok());
}

}  // namespace
}  // namespace lfm::grammar
