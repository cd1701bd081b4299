#include "engine/thinking.h"

#include <gtest/gtest.h>

#include "jinja/jinja.h"

namespace lfm::engine {
namespace {

// What the splitter must give, from the whole text at once.
ThinkingSplitter::Parts SplitWhole(std::string_view text, bool open) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  std::string_view rest = text;
  const std::string_view trimmed = jinja::Strip(text, jinja::Side::kLeft);
  if (trimmed.starts_with(kOpen)) {
    rest = trimmed.substr(kOpen.size());
  } else if (!open) {
    return {"", std::string(text)};
  }
  const size_t close = rest.find(kClose);
  if (close == std::string_view::npos) return {std::string(jinja::Strip(rest)), ""};
  return {std::string(jinja::Strip(rest.substr(0, close))),
          std::string(jinja::Strip(rest.substr(close + kClose.size()), jinja::Side::kLeft))};
}

// Feeds `text` in pieces of n bytes.
ThinkingSplitter::Parts Split(const std::string& text, size_t n, bool open) {
  ThinkingSplitter splitter(open);
  ThinkingSplitter::Parts all;
  const auto add = [&](const ThinkingSplitter::Parts& parts) {
    all.thinking += parts.thinking;
    all.text += parts.text;
  };
  for (size_t at = 0; at < text.size(); at += n) add(splitter.Push(text.substr(at, n)));
  add(splitter.Finish());
  return all;
}

TEST(ThinkingSplitter, AgreesWithTheWholeTextInPiecesOfAnySize) {
  const std::string texts[] = {"",
                               " ",
                               "Hello",
                               " \n Hello ",
                               "<think>",
                               "<think>a",
                               "<think>a</think>",
                               "<think>a</think>b",
                               "\n<think>\n a <b> c \n</think>\n\n Hello </think> <think>x</think>",
                               "<thin",
                               "<thinking>no</thinking>",
                               "<think></think>b",
                               "<think>  </think>  ",
                               "a</think>b",
                               " a < b </thin </think> c ",
                               "<think>a</think",
                               "<think>a </thin",
                               "<<think>",
                               "text <think>later</think>"};
  for (const std::string& text : texts) {
    for (const bool open : {false, true}) {
      const auto wanted = SplitWhole(text, open);
      for (size_t n = 1; n <= 9; ++n) {
        const auto parts = Split(text, n, open);
        EXPECT_EQ(parts.thinking, wanted.thinking) << text << " open " << open << " by " << n;
        EXPECT_EQ(parts.text, wanted.text) << text << " open " << open << " by " << n;
      }
    }
  }
}

TEST(ThinkingSplitter, ShowsPlainTextAtOnce) {
  ThinkingSplitter splitter;
  EXPECT_EQ(splitter.Push("<").text, "");
  EXPECT_EQ(splitter.Push("b").text, "<b");
  EXPECT_EQ(splitter.Push(">").text, ">");
  EXPECT_FALSE(splitter.found());
}

}  // namespace
}  // namespace lfm::engine
