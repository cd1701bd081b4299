// Expressions on tensor names: what they match, what is refused, and that none takes long.
#include "quant/name_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace lfm::quant {
namespace {

bool Matches(const char* pattern, const std::string& name) {
  const auto parsed = NamePattern::Parse(pattern);
  EXPECT_TRUE(parsed.ok()) << pattern << ": " << (parsed.ok() ? "" : parsed.error().message);
  return parsed.ok() && parsed->Matches(name);
}

TEST(NamePattern, MatchesAsTheCommonSyntaxSays) {
  const struct {
    const char *pattern, *yes, *no;
  } kCases[] = {
      {"ffn_down", "blk.3.ffn_down.weight", "blk.3.ffn_up.weight"},
      {R"(blk\.(1[0-9]|2[0-3])\.)", "blk.17.ffn_up.weight", "blk.27.ffn_up.weight"},
      {"^token", "token_embd.weight", "a.token"},
      {"weight$", "output.weight", "weight.bias"},
      {"a.c", "xabc", "ac"},
      {"ab*c", "ac", "adc"},
      {"ab+c", "abbbc", "ac"},
      {"ab?c$", "abc", "abbc"},
      {"^a{2,3}$", "aaa", "aaaa"},
      {"^a{2}$", "aa", "a"},
      {"^a{2,}$", "aaaaa", "a"},
      {"^(ab|cd)+$", "abcdab", "abc"},
      {"^(?:x|)y$", "y", "z"},
      {"[^0-9]$", "a", "7"},
      {R"(^\d+\.\w+$)", "12.ffn_up", "12.ffn-up"},
      {R"(\bup\b)", "ffn.up.x", "ffn_up.x"},
      {"[[:digit:]x]", "7", "y"},
      {"[a\\-c]$", "-", "b"},
      {"[]a]", "]", "b"},
      {"(a|b)*?c", "abac", "aba"},
      {"", "anything", nullptr},
      {"^$", "", "x"},
  };
  for (const auto& test : kCases) {
    EXPECT_TRUE(Matches(test.pattern, test.yes)) << test.pattern;
    if (test.no) {
      EXPECT_FALSE(Matches(test.pattern, test.no)) << test.pattern;
    }
  }
}

TEST(NamePattern, RefusesWhatIsNoneOrTooMuch) {
  for (const char* pattern : {"(", ")", "a)", "[", "[a", "[b-a]", "*a", "a**", "a{", "a{x}", "a{3,2}", "a{1001}", "\\", "(?=a)",
                              "(a)\\1", "[[:nothing:]]", "((a{900}){900}){900}", "((){1000}){1000}", "\\q"}) {
    EXPECT_FALSE(NamePattern::Parse(pattern).ok()) << pattern;
  }
  EXPECT_FALSE(NamePattern::Parse(std::string(2000, 'a')).ok());
  EXPECT_FALSE(NamePattern::Parse(std::string(500, '(') + std::string(500, ')')).ok());
}

TEST(NamePattern, NoExpressionTakesLong) {
  const std::string name(2000, 'a');
  EXPECT_FALSE(Matches("^(a*)*b$", name));
  EXPECT_FALSE(Matches("^(a|a)*b$", name));
  EXPECT_FALSE(Matches("^(a?){100}(a){100}c", name));
}

}  // namespace
}  // namespace lfm::quant
