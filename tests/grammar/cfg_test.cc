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
  spec.special_tokens = {{"<|call|>", 5}, {"<|other|>", 17}};
  EXPECT_TRUE(AcceptsText(spec, "a" + Vocabulary::SpecialBytes(5) + Vocabulary::SpecialBytes(17)));
  EXPECT_FALSE(AcceptsText(spec, "a<|call|>"));
  spec.special_tokens.clear();
  EXPECT_FALSE(Compile(spec).ok());
}

TEST(Lark, TokensByTheirIds) {
  Spec spec = Text("start: <[3-4,9]>\n");
  for (const int32_t id : {3, 4, 9}) EXPECT_TRUE(AcceptsText(spec, Vocabulary::SpecialBytes(id))) << id;
  EXPECT_FALSE(AcceptsText(spec, Vocabulary::SpecialBytes(5)));
  // A token that is plain text could never come.
  spec.special_tokens = {{"<a>", 3}, {"<b>", 4}};
  const auto compiled = Compile(spec);
  ASSERT_FALSE(compiled.ok());
  EXPECT_NE(compiled.error().message.find("line 1: the special token <[9]>"), std::string::npos) << compiled.error().message;
  spec.special_tokens.emplace_back("<c>", 9);
  EXPECT_TRUE(AcceptsText(spec, Vocabulary::SpecialBytes(9)));
}

TEST(Lark, TerminalsMeetAndAreNegated) {
  Check(Text("start: T \"!\"\nT: /[a-c]+/ & ~/(?:.*)bb(?:.*)/ & /.{2,4}/ | \"x\"\n"), {"ab!", "acbc!", "x!"},
        {"a!", "abb!", "abcab!", "ad!"});
  Check(Text("start: T\nT: ~\"a\"+\n"), {"b", "aab", "\n"}, {"a"});
  Check(Text("start: T \";\" start | T\nT: /[a-z]+/ & ~\"if\"\n"), {"i", "iff", "a;b;c"}, {"if", "a;if", ""});
  EXPECT_FALSE(Compile(Text("start: \"a\" & /./\n")).ok());
  EXPECT_FALSE(Compile(Text("start: T\nT: \"a\" T & ~\"b\"\n")).ok());
}

TEST(Lark, RangesSubstringsPrioritiesAndNames) {
  Check(Text("start: \"a\"..\"f\" \"z\"\n"), {"az", "fz"}, {"gz", "a", "a..fz"});
  Check(Text("start: A | B-1\nA.-2: \"x\"\nB-1.3: /[a-z]/\n"), {"x", "y"}, {"xx", ""});
  Check(Text(R"(start: S "."
S: %regex {"substring_words": "Dies ist  ein Ärger, ja!"}
)"),
        {"Dies.", "ist  ein Ärger,.", "  ein.", ".", "!."}, {"Die.", "st.", " ein.", "ist ein.", "ja, ja."});
  Check(Text("start: %regex {\"substring_chars\": \"äbc\"}"), {"", "ä", "bc", "äbc"}, {"äc", "cb"});
  Check(Text("start: %regex {\"substring_chunks\": [\"ab\", \"\", \"c\"]}"), {"", "ab", "abc", "c"}, {"a", "b", "bc"});
}

TEST(Lark, WhatIsForeignIsRefusedByName) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"start: \"a\"\n  | %json {}\n", "line 2: '%json' inside of a rule is not supported"},
      {"start: %lark {}\n", "line 1: '%lark' inside of a rule is not supported"},
      {"start: \"a\"\n%declare X\n", "line 2: the directive '%declare' is not supported"},
      {"start: g\ng[max_tokens=3]: /.*/\n", "line 2: the attribute 'max_tokens' of the rule 'g' is not supported"},
      {"start: g\n\ng[ suffix=\"]\" ] : /.*/\n", "line 3: the attribute 'suffix' of the rule 'g' is not supported"},
      {"%llguidance {\"allow_invalid_utf8\": {\"a\": 1}}\nstart: \"a\"\n", "line 1: the setting 'allow_invalid_utf8'"},
      {"start: \"a\"\n@b\n", "line 2: '@', another grammar"},
      {"root ::= !<[3]>\n", "line 1: '!', any token but one,"},
      {"start: <[^3]>\n", "line 1: any token, or any but some, as '<[^3]>' says, is not supported"},
      {"start: \"a\" <|x|>\n", "line 1: the special token '<|x|>', which no vocabulary is known to have,"},
      {"start: /a.b/m\n", "line 1: the pattern's flag 'm' is not supported"},
      {"start: %regex {\"type\": \"number\"}\n", "line 1: 'type' of %regex is not supported"},
      {"start: <[3-\n]>", "line 1: ids of tokens"},
  };
  for (const auto& [text, message] : cases) {
    const auto compiled = Compile(Text(text));
    ASSERT_FALSE(compiled.ok()) << text;
    EXPECT_NE(compiled.error().message.find(message), std::string::npos) << compiled.error().message << " for " << text;
  }
  EXPECT_TRUE(AcceptsText(Text("%llguidance {\"no_forcing\": true}\nstart: \"a\"\n"), "a"));
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

// Wherever a text is cut, it is a grammar or an error.
TEST(Cfg, CutTextsAreErrorsNotCrashes) {
  const std::string_view gbnf =
      "root ::= item (\", \" item)* | \"-\" # two\nitem ::= [^a-z\\x41\\]]{2,4} ws \"\\u00e9\"?\nws ::= [ \\t]*\n";
  const std::string_view lark =
      "%import common.WS\n?start: (A | /[^\\/x]+/i | \"a\"..\"z\") ~ 2..3 // two\nA.5: \"x\"i (\"y\" \"\\U0001F600\")?\n"
      "b[lazy]: <|end|>\n%ignore /\\s+/\n";
  for (const std::string_view whole : {gbnf, lark}) {
    for (size_t n = 0; n < whole.size(); ++n) {
      const auto compiled = Compile(Text(whole.substr(0, n)));
      EXPECT_TRUE(compiled.ok() || !compiled.error().message.empty()) << whole.substr(0, n);
    }
  }
}

TEST(Cfg, HostileTextsAreErrorsNotCrashes) {
  EXPECT_FALSE(Compile(Text("root ::= " + std::string(60000, '(') + "\"a\"" + std::string(60000, ')'))).ok());
  EXPECT_FALSE(Compile(Text("root ::= (root \"a\"){2,100000}\n")).ok());
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 5000; ++i) chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  EXPECT_FALSE(Compile(Text(chain + "r5000 ::= \"a\"\n")).ok());
}

// The ways to read a text grow with the cube of its length: short ones work, long ones end in an error.
TEST(Cfg, AmbiguityIsBoundedByTheBudget) {
  Budgets budgets;
  budgets.work = 1'000'000;
  const auto compiled = Compile(Text("root ::= s\ns ::= s s | \"a\"\n"), budgets);
  ASSERT_TRUE(compiled.ok());
  State few = (*compiled)->Start();
  EXPECT_TRUE(*few.Advance(std::string(40, 'a')) && few.accepting());
  State many = (*compiled)->Start();
  const auto alive = many.Advance(std::string(400, 'a'));
  ASSERT_FALSE(alive.ok());
  EXPECT_EQ(alive.error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace lfm::grammar
