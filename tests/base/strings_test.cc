// Text helpers, the bounded reader, tensor types, errors and the log.
#include "base/strings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <sstream>

#include "base/byte_reader.h"
#include "base/log.h"
#include "base/result.h"
#include "base/tensor_type.h"

namespace lfm {
namespace {

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(Strings, HumanBytes) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.50 KiB");
  EXPECT_EQ(HumanBytes(4731500288), "4.41 GiB");
  EXPECT_EQ(HumanBytes(~uint64_t{0}), "16777216.00 TiB");
}

TEST(Strings, StrCat) {
  EXPECT_EQ(StrCat(), "");
  EXPECT_EQ(StrCat("a", 1, ' ', 2.5, std::string("b"), std::string_view("cd", 1)), "a1 2.5bc");
  EXPECT_EQ(StrCat(INT64_MIN, ' ', UINT64_MAX, ' ', short{-3}, ' ', true), "-9223372036854775808 18446744073709551615 -3 1");
  // As streams print floats: six significant digits.
  for (const double value : {0.0, -0.0, 1e-5, 123456.0, 1234567.0, 1.0 / 3, 1e300, -1e-300, double{INFINITY}}) {
    std::ostringstream stream;
    stream << value;
    EXPECT_EQ(StrCat(value), stream.str());
  }
}

TEST(Strings, QuoteIsSafeForATerminal) {
  EXPECT_EQ(Quote("plain é"), "'plain é'");
  EXPECT_EQ(Quote("a\nb\x1b[2J\x7f\xff"), "'a\\x0ab\\x1b[2J\\x7f\\xff'");
  EXPECT_EQ(Quote("abcdef", 3), "'abc...'");
  EXPECT_EQ(Quote("éé", 3), "'éé'");  // a character is never cut
}

TEST(Strings, PlainTextHoldsNothingThatATerminalObeys) {
  EXPECT_EQ(Plain("漢字 🙂 é"), "漢字 🙂 é");
  EXPECT_EQ(Plain("a\x1b]0;T\x07\r\n\t\x7f"), "a\\x1b]0;T\\x07\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(Plain("\u009b31m\u0085\xc2"), "\\u009b31m\\u0085\\xc2");  // C1 in UTF-8, and half a character
  EXPECT_EQ(Plain("\x9b\xff"), "\\x9b\\xff");                         // and as bytes
  EXPECT_EQ(Plain("\u202e\u2066\u2069\u200f\u061c\u2028"), "\\u202e\\u2066\\u2069\\u200f\\u061c\\u2028");
  EXPECT_EQ(PlainLines("a\tb\n\x1b[2J"), "a\tb\n\\x1b[2J");
  for (int code = 0; code < 256; ++code) {
    const std::string plain = Plain(std::string(1, static_cast<char>(code)));
    EXPECT_EQ(Plain(plain), plain);
    for (const char c : plain) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  }
  EXPECT_EQ(Plain(std::string(5, 'x') + '\0', 6), "xxxxx\\x00");
  EXPECT_EQ(Plain("abcdef", 3), "abc...");
}

TEST(Strings, ToValidUtf8FollowsPython) {
  const std::string r = "\xEF\xBF\xBD";
  const std::pair<std::string, std::string> kCases[] = {
      {"é😀", "é😀"},
      {"\x80", r},
      {"a\xC3", "a" + r},
      {"\xC3(", r + "("},
      {"\xE2\x82(", r + "("},  // a maximal subpart is one character
      {"\xF0\x9F\x98", r},
      {"\xED\xA0\x80", r + r + r},          // a surrogate
      {"\xC0\x80", r + r},                  // overlong
      {"\xF4\x90\x80\x80", r + r + r + r},  // beyond U+10FFFF
      {"\xF8\x88", r + r},
      {"\xE2\x82\xE2\x82\xAC", r + "€"},
  };
  for (const auto& [bytes, text] : kCases) EXPECT_EQ(ToValidUtf8(bytes), text);
}

TEST(ByteReader, StaysInside) {
  const unsigned char data[] = {1, 2, 0, 0, 0, 9, 9};
  ByteReader reader(std::as_bytes(std::span(data)));
  EXPECT_EQ(*reader.Read<uint8_t>("x"), 1);
  EXPECT_EQ(*reader.Read<uint32_t>("x"), 2u);
  EXPECT_EQ(reader.offset(), 5u);
  const auto beyond = reader.Read<uint64_t>("the length");
  ASSERT_FALSE(beyond.ok());
  EXPECT_HAS(beyond.error().message, "at byte 5");
  EXPECT_HAS(beyond.error().message, "the length");
  EXPECT_EQ(reader.offset(), 5u);
  EXPECT_FALSE(reader.ReadBytes(3, "x").ok());
  EXPECT_FALSE(reader.ReadBytes(~uint64_t{0}, "x").ok());
  EXPECT_TRUE(reader.CanHold(2, 1, "items").ok());
  EXPECT_FALSE(reader.CanHold(2, 2, "items").ok());
  EXPECT_FALSE(reader.CanHold(~uint64_t{0}, 8, "items").ok());
  EXPECT_EQ(reader.ReadBytes(2, "x")->size(), 2u);
  EXPECT_EQ(reader.left(), 0u);
}

TEST(TensorType, Table) {
  EXPECT_EQ(InfoOf(TensorType::kQ4_K).block_bytes, 144u);
  EXPECT_EQ(TensorTypeFromId(14), TensorType::kQ6_K);
  EXPECT_EQ(TensorTypeFromId(4), std::nullopt);
  EXPECT_EQ(TensorTypeFromName("q4_k"), TensorType::kQ4_K);
  EXPECT_EQ(TensorTypeFromName("q9"), std::nullopt);
  EXPECT_EQ(TensorTypeIdName(16), "IQ2_XXS");
  EXPECT_EQ(TensorTypeIdName(40), "NVFP4");
  EXPECT_EQ(TensorTypeIdName(1000), "");
  EXPECT_EQ(RowBytes(TensorType::kQ8_0, 64), 68u);
}

Result<int> Half(int value) {
  if (value % 2 != 0) return Error{ErrorCode::kInvalidArgument, "odd"};
  return value / 2;
}
Result<int> Quarter(int value) {
  LFM_TRY(const int half, Half(value));
  LFM_TRY(const int quarter, Half(half));
  return quarter;
}
Status Check(int value) {
  LFM_RETURN_IF_ERROR(Quarter(value));
  return Ok();
}

TEST(Result, TravelsUp) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message, "odd");
  EXPECT_TRUE(Check(4).ok());
  EXPECT_EQ(Check(5).error().Within("file").message, "file: odd");
}

TEST(Log, GoesToTheSinkOnly) {
  std::string seen;
  SetLogSink([&](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) seen += message;
  });
  Log(LogLevel::kWarning, "one");
  Log(LogLevel::kDebug, "no");
  SetLogSink({});
  Log(LogLevel::kWarning, "two");
  EXPECT_EQ(seen, "one");
}

}  // namespace
}  // namespace lfm
