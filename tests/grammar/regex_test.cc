// Regular expressions and numbers as languages.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "grammar/code_points.h"
#include "grammar/numbers.h"
#include "grammar/regex_parse.h"

namespace lfm::grammar {
namespace {

class Regex : public ::testing::Test {
 protected:
  // A match anywhere, as ECMA's test() does it.
  bool Matches(std::string_view pattern, std::string_view text) {
    const auto re = ParseRegex(pool_, pattern);
    EXPECT_TRUE(re.ok()) << pattern << ": " << (re.ok() ? "" : re.error().message);
    return re.ok() && pool_.Matches(*re, text);
  }
  ErrorCode CodeOf(std::string_view pattern) {
    const auto re = ParseRegex(pool_, pattern);
    EXPECT_FALSE(re.ok()) << pattern;
    return re.ok() ? ErrorCode::kInternal : re.error().code;
  }

  RegexPool pool_{1 << 20};
};

TEST_F(Regex, IsEcma) {
  EXPECT_TRUE(Matches("", "anything"));
  EXPECT_TRUE(Matches("b+", "abc"));
  EXPECT_FALSE(Matches("^b+", "abc"));
  EXPECT_TRUE(Matches("a|^b$", "b"));
  EXPECT_FALSE(Matches("a|^b$", "bb"));
  EXPECT_TRUE(Matches("(^|,)x", "a,x"));
  EXPECT_FALSE(Matches("(^|,)x", "ax"));
  EXPECT_TRUE(Matches("^[^]{2}$", "\n\n"));
  EXPECT_FALSE(Matches("^.$", "\n"));
  EXPECT_TRUE(Matches("^.$", "\xF0\x9F\x98\x80"));  // one code point
  EXPECT_TRUE(Matches("^\\ud83d\\ude00\\u{1F600}\\x41\\cJ\\/$",
                      "\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
                      "A\n/"));
  EXPECT_TRUE(Matches("^[\\w-]+@\\S*?$", "a-b@c"));
  EXPECT_TRUE(Matches("^a{2}b{1,}c{0,2}{$", "aabbc{"));
  EXPECT_TRUE(Matches("^(?<year>\\d{4})$", "2024"));
  EXPECT_TRUE(Matches("^\\P{L}+$", "123"));
  EXPECT_FALSE(Matches("^\\d$", "\xD9\xA3"));  // ASCII digits only
}

// What can be read in many ways at once: alternatives that others hold are left out.
TEST_F(Regex, ManyReadingsDoNotPileUp) {
  std::string pattern = "^";
  for (int i = 0; i < 400; ++i) pattern += "a?";
  EXPECT_TRUE(Matches(pattern + std::string(400, 'a') + "$", std::string(600, 'a')));
  EXPECT_FALSE(Matches(pattern + std::string(400, 'a') + "$", std::string(399, 'a')));
  EXPECT_TRUE(Matches("^(a{1,100}){1,100}$", std::string(3000, 'a')));
  EXPECT_FALSE(Matches("^(a{1,100}){1,100}$", std::string(10001, 'a')));
  EXPECT_TRUE(Matches("^(a|aa)+$", std::string(3000, 'a')));
  EXPECT_FALSE(Matches("^(a*)*b$", std::string(3000, 'a')));
  EXPECT_LT(pool_.n_nodes(), 200'000u);
  EXPECT_FALSE(pool_.overflowed());
}

TEST_F(Regex, WorkIsBounded) {
  const auto re = ParseRegex(pool_, "^(?=.*a.{20}b)(?=.*c.{20}d)(?=.*e.{20}f).{0,400}$");
  ASSERT_TRUE(re.ok());
  pool_.AllowWork(50'000);
  std::string text;
  for (int i = 0; i < 200; ++i) text += "acexybdf";
  EXPECT_FALSE(pool_.Matches(*re, text));
  EXPECT_TRUE(pool_.exhausted());
}

TEST_F(Regex, AssertionsAreIntersections) {
  EXPECT_TRUE(Matches("^(?=.*b)a", "ab"));
  EXPECT_FALSE(Matches("^(?=.*b)a", "ac"));
  EXPECT_TRUE(Matches("a(?!b)", "abac"));
  EXPECT_FALSE(Matches("a(?!b)", "abab"));
  EXPECT_TRUE(Matches("(?<!x)y", "ay"));
  EXPECT_TRUE(Matches("(?<!x)y", "y"));
  EXPECT_FALSE(Matches("(?<!x)y", "xy"));
  EXPECT_TRUE(Matches("(?<=x)y", "xy"));
  EXPECT_FALSE(Matches("(?<=x)y", "y"));
  EXPECT_TRUE(Matches("\\bfoo\\b", "a foo."));
  EXPECT_FALSE(Matches("\\bfoo\\b", "food"));
  EXPECT_TRUE(Matches("o\\B", "foo bar"));
  EXPECT_FALSE(Matches("r\\B", "foo bar"));
  EXPECT_TRUE(Matches("^\\w+\\b.$", "ab!"));
  EXPECT_FALSE(Matches("^\\w+\\b.$", "abc"));
}

TEST_F(Regex, WhatIsNoRegularLanguageIsRefused) {
  EXPECT_EQ(CodeOf("(a)\\1"), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeOf("(?<n>a)\\k<n>"), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeOf("(?<=ab)c"), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeOf("(?i)a"), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeOf("\\Z"), ErrorCode::kUnsupported);
  for (const std::string_view broken : {"(", ")", "[", "*", "a**", "[b-a]", "a{3,2}", "\\", "\\u12", "(?<n"}) {
    EXPECT_EQ(CodeOf(broken), ErrorCode::kInvalidArgument) << broken;
  }
}

TEST_F(Regex, HostilePatternsAreErrorsOrWork) {
  EXPECT_EQ(CodeOf(std::string(60000, '(') + "a" + std::string(60000, ')')), ErrorCode::kLimit);
  EXPECT_TRUE(Matches("^(a+)+$", std::string(2000, 'a')));
  EXPECT_FALSE(Matches("^(a+)+$", std::string(2000, 'a') + "!"));
  EXPECT_TRUE(Matches("^(a|a?)+$", std::string(500, 'a')));
  EXPECT_TRUE(Matches("^a{0,1000000000}b$", std::string(1000, 'a') + "b"));
  EXPECT_TRUE(Matches("^(x+x+)+y$", std::string(300, 'x') + "y"));
}

TEST_F(Regex, ShortestAndCount) {
  const auto re = ParseRegex(pool_, "(foo|ba)[xy]{2,3}", {.anchored = true});
  ASSERT_TRUE(re.ok());
  std::string text;
  ASSERT_TRUE(pool_.Shortest(*re, text));
  EXPECT_EQ(text, "baxx");
  EXPECT_EQ(pool_.CountUpTo(*re, 1000), 2u * (4 + 8));
  EXPECT_EQ(pool_.CountUpTo(*re, 10), 10u);
  EXPECT_FALSE(pool_.Live(pool_.And(*re, pool_.Literal("foo"))));
}

TEST_F(Regex, NumbersCompareAsDecimals) {
  const auto decimal = [](std::string_view text) { return *ParseDecimal(text); };
  constexpr std::string_view kNumbers[] = {"-123.5", "-100",  "-99.99", "-1.5", "-1.05", "-1",    "-0.5", "-0.001",
                                           "0",      "0.001", "0.5",    "0.99", "1",     "1.0",   "1.05", "1.5",
                                           "9",      "10",    "10.5",   "99",   "100",   "123.25"};
  for (const std::string_view bound : kNumbers) {
    const Re least = AtLeast(pool_, decimal(bound), false), above = AtLeast(pool_, decimal(bound), true);
    const Re most = AtMost(pool_, decimal(bound), false), below = AtMost(pool_, decimal(bound), true);
    for (const std::string_view number : kNumbers) {
      const int order = Compare(decimal(number), decimal(bound));
      EXPECT_EQ(pool_.Matches(least, number), order >= 0) << number << " >= " << bound;
      EXPECT_EQ(pool_.Matches(above, number), order > 0) << number << " > " << bound;
      EXPECT_EQ(pool_.Matches(most, number), order <= 0) << number << " <= " << bound;
      EXPECT_EQ(pool_.Matches(below, number), order < 0) << number << " < " << bound;
    }
  }
  EXPECT_EQ(Compare(decimal("1e3"), decimal("1000.00")), 0);
  EXPECT_EQ(Compare(decimal("-12e-1"), decimal("-1.2")), 0);
  EXPECT_FALSE(ParseDecimal("1e999999999").has_value());
  const auto thirds = MultiplesOf(pool_, decimal("0.03"));
  ASSERT_TRUE(thirds.has_value());
  for (int i = 0; i < 400; ++i) {
    const std::string text = std::to_string(i / 100) + "." + std::to_string(i / 10 % 10) + std::to_string(i % 10);
    EXPECT_EQ(pool_.Matches(*thirds, text), i % 3 == 0) << text;
  }
}

TEST_F(Regex, CodePointsBecomeUtf8) {
  const Re set = pool_.CodePoints({{0x7F, 0x81}, {0x7FE, 0x801}, {0xFFFE, 0x10001}, {0xD7FF, 0xE000}});
  for (const uint32_t code : {0x7Eu, 0x7Fu, 0x81u, 0x82u, 0x7FDu, 0x7FEu, 0x801u, 0x802u, 0xFFFDu, 0xFFFEu, 0x10001u, 0x10002u,
                              0xD7FFu, 0xE000u, 0xE001u}) {
    std::string text;
    AppendCode(text, code);
    const bool inside = (code >= 0x7F && code <= 0x81) || (code >= 0x7FE && code <= 0x801) ||
                        (code >= 0xFFFE && code <= 0x10001) || code == 0xD7FF || code == 0xE000;
    EXPECT_EQ(pool_.Matches(set, text), inside) << code;
  }
  EXPECT_FALSE(pool_.Matches(pool_.Text(), "\xED\xA0\x80"));  // a lone surrogate
  EXPECT_FALSE(pool_.Matches(pool_.Text(), "\xC0\x80"));
  EXPECT_FALSE(pool_.Matches(pool_.Text(), "\xFF"));
}

}  // namespace
}  // namespace lfm::grammar
