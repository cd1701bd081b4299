// JSON: order, integers of any length, Python's number texts, limits.
#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/plain_json.h"
#include "support/on_stack.h"

namespace lfm {
namespace {

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

std::string ErrorOf(std::string_view text, const JsonLimits& limits = {}) {
  const auto json = ParseJson(text, limits);
  return json.ok() ? "" : json.error().message;
}

Json Parse(std::string_view text) {
  auto json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << text << ": " << json.error().message;
  return json.ok() ? std::move(json).value() : Json();
}

TEST(Json, KeepsOrderAndNumbers) {
  const std::string text =
      R"({"z": 1, "a": [1.0, 1e5, -0, -0.0, 123456789012345678901234567890, true, false, null], "z2": {"": "x"}})";
  EXPECT_EQ(Parse(text).Dump(), text);
  EXPECT_EQ(Parse(" [ ] ").Dump(), "[]");
  EXPECT_EQ(Parse("{}").Dump(2), "{}");
  EXPECT_EQ(Parse(R"({"a":[1,{"b":2}]})").Dump(2), "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ]\n}");
}

// Requests choose how many members an object has: a look-up takes the same time among a million, or this takes hours.
TEST(Json, ManyMembers) {
  constexpr int kMany = 300000;
  std::string text = "{";
  for (int i = 0; i < kMany; ++i) text += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":" + std::to_string(i);
  const Json parsed = ParseJson(text + R"(,"k7":"again"})").value();
  Json built = Json::MakeObject();
  for (const auto& [name, value] : parsed.members()) built.Set(name, *parsed.Find(name));
  ASSERT_EQ(built.members().size(), static_cast<size_t>(kMany));
  EXPECT_EQ(parsed["k7"].AsString(), "again");  // of equal names the last
  EXPECT_EQ(parsed.Find("k"), nullptr);
  EXPECT_EQ(parsed["k299999"].AsInt(), 299999);

  Json copy = parsed;
  copy.Set("new", 1).Set("k7", "first");  // Set changes the first of equal names
  EXPECT_EQ(copy["new"].AsInt(), 1);
  EXPECT_EQ(copy.members()[7].second.AsString(), "first");
  EXPECT_EQ(parsed.Find("new"), nullptr);
  const Json moved = std::move(copy);
  EXPECT_EQ(moved["new"].AsInt(), 1);

  Json changed = built;
  changed.members().erase(changed.members().begin());  // by hand: found all the same
  EXPECT_EQ(changed.Find("k0"), nullptr);
  EXPECT_EQ(changed["k1"].AsInt(), 1);
  changed.Set("k0", 5).Set("k1", 6);
  EXPECT_EQ(changed["k0"].AsInt(), 5);
  EXPECT_EQ(changed["k1"].AsInt(), 6);
  EXPECT_EQ(changed.members().size(), static_cast<size_t>(kMany));
}

TEST(Json, KindsAndValues) {
  const Json json = Parse(R"({"i": 5, "f": 2.0, "h": 2.5, "s": "text", "t": true, "n": null, "big": 99999999999999999999,
                              "a": [1], "o": {}, "nan": NaN, "inf": Infinity, "minf": -Infinity})");
  EXPECT_TRUE(json["i"].is_integer());
  EXPECT_EQ(json["f"].kind(), Json::Kind::kFloat);
  EXPECT_EQ(json["f"].AsInt(), 2);
  EXPECT_EQ(json["h"].AsInt(-1), -1);
  EXPECT_EQ(json["big"].AsInt(-1), -1);
  EXPECT_EQ(json["big"].AsDouble(), 1e20);
  EXPECT_EQ(json["s"].AsString(), "text");
  EXPECT_EQ(json["s"].AsInt(-1), -1);
  EXPECT_TRUE(json["t"].AsBool());
  EXPECT_FALSE(json["i"].AsBool());
  EXPECT_TRUE(json["n"].is_null());
  EXPECT_TRUE(json["absent"]["deeper"].is_null());
  EXPECT_EQ(json.Find("absent"), nullptr);
  EXPECT_NE(json.Find("n"), nullptr);
  EXPECT_TRUE(json["a"].is_array());
  EXPECT_TRUE(json["o"].is_object());
  EXPECT_TRUE(std::isnan(json["nan"].AsDouble()));
  EXPECT_EQ(json["inf"].AsDouble(), HUGE_VAL);
  EXPECT_EQ(json["minf"].AsDouble(), -HUGE_VAL);
  EXPECT_EQ(json["minf"].AsDouble(), -HUGE_VAL);
  EXPECT_EQ(json["minf"].Dump(), "null");  // JSON has no such number
  EXPECT_EQ(json["inf"].AsInt(-1), -1);
}

TEST(Json, LastOfEqualNamesWins) {
  const Json json = Parse(R"({"a": 1, "a": 2})");
  EXPECT_EQ(json["a"].AsInt(), 2);
  EXPECT_EQ(json.members().size(), 2u);
}

TEST(Json, DoublesPrintAsPythons) {
  const std::pair<double, const char*> kCases[] = {{1.0, "1.0"},
                                                   {0.0, "0.0"},
                                                   {-0.0, "-0.0"},
                                                   {0.1, "0.1"},
                                                   {100000.0, "100000.0"},
                                                   {1e15, "1000000000000000.0"},
                                                   {1e16, "1e+16"},
                                                   {123456789012345680.0, "1.2345678901234568e+17"},
                                                   {1e22, "1e+22"},
                                                   {0.0001, "0.0001"},
                                                   {0.00001, "1e-05"},
                                                   {-2.5e-10, "-2.5e-10"},
                                                   {1e-300, "1e-300"},
                                                   {5e-324, "5e-324"},
                                                   {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                   {HUGE_VAL, "null"},
                                                   {-HUGE_VAL, "null"},
                                                   {std::nan(""), "null"}};
  for (const auto& [value, text] : kCases) EXPECT_EQ(Json(value).Dump(), text);
}

TEST(Json, NumbersOutOfRange) {
  EXPECT_HAS(ErrorOf("[1e400]"), "byte 1");
  EXPECT_HAS(ErrorOf("-1E+400"), "too big");
  EXPECT_EQ(Json::MakeNumber("1e400").AsDouble(), HUGE_VAL);
  EXPECT_EQ(Json::MakeNumber("-1E+400").AsDouble(), -HUGE_VAL);
  EXPECT_EQ(Parse("1e-400").AsDouble(), 0.0);
  EXPECT_TRUE(std::signbit(Parse("-1e-400").AsDouble()));
  EXPECT_EQ(Parse("0." + std::string(400, '0') + "1").AsDouble(5), 0.0);
  EXPECT_EQ(Parse("-0." + std::string(400, '0') + "1").AsDouble(5), 0.0);
  EXPECT_EQ(Json::MakeNumber("1" + std::string(400, '0')).AsDouble(), HUGE_VAL);
  EXPECT_EQ(Parse("1" + std::string(300, '0')).NumberText().size(), 301u);
  EXPECT_EQ(Parse("9223372036854775807").AsInt(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Parse("9223372036854775808").AsInt(-1), -1);
  EXPECT_EQ(Parse("-9223372036854775808").AsInt(), std::numeric_limits<int64_t>::min());
}

TEST(Json, Strings) {
  EXPECT_EQ(Parse("\"힣\"").AsString(), "힣");
  EXPECT_EQ(Parse(R"("\u00e9\ud83d\ude00\n\/\"")").AsString(), "é😀\n/\"");
  EXPECT_EQ(JsonQuote("a\"\\\n\r\t\b\f\x01\x1f é😀\x7f"), "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u001f é😀\x7f\"");
  EXPECT_EQ(JsonQuote("\xff\xc3"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(Parse("\"" + std::string("a\\u0000b") + "\"").AsString(), std::string("a\0b", 3));
  EXPECT_EQ(Parse("\xEF\xBB\xBF[1]").Dump(), "[1]");  // a byte order mark is skipped
}

TEST(Json, ErrorsNameTheOffset) {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "[1,]",
                          "{\"a\"}",
                          "{\"a\": 1,}",
                          "{a: 1}",
                          "'a'",
                          "01",
                          "1.",
                          "+1",
                          ".5",
                          "1e",
                          "nul",
                          "tru",
                          "[1] 2",
                          "\"\\x\"",
                          "\"\n\"",
                          "\"\\ud800\"",
                          "\"\\ude00\"",
                          "{\"\\udfff\": 1}",
                          "\"\xff\"",
                          "\"unfinished",
                          "]",
                          "[}",
                          "{\"a\" 1}",
                          "// c",
                          "[1 2]",
                          "--1",
                          "nan"}) {
    EXPECT_HAS(ErrorOf(bad), "at byte") << bad;
  }
  EXPECT_HAS(ErrorOf("[1, 2, x]"), "byte 7");
}

TEST(Json, IsPlainForTerminalsAndStaysTheSame) {
  const Json json =
      Json::MakeObject({{"a\x7f", "\x1b[31m \xC2\x9B \xE2\x80\xAE \xE2\x81\xA6 \xD8\x9C gr\xC3\xBC\xC3\x9F \xE6\xBC\xA2"}});
  const std::string plain = PlainJson(json.Dump());
  for (const char* part : {"\x1b", "\x7f", "\xC2\x9B", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xD8\x9C"}) {
    EXPECT_EQ(plain.find(part), std::string::npos) << plain;
  }
  EXPECT_HAS(plain, "gr\xC3\xBC\xC3\x9F \xE6\xBC\xA2");
  EXPECT_TRUE(Parse(plain) == json) << plain;
}

TEST(Json, FitsIntoSmallStacks) {
  for (const size_t n_bytes : {size_t{256} << 10, size_t{512} << 10}) {
    test::OnStack(n_bytes, [] {
      std::string open, close;
      for (int i = 0; i < 100; ++i) open += "[{\"a\":", close = "}]" + close;
      const Json json = Parse(open + "1" + close);
      const Json copy = json;
      EXPECT_TRUE(copy == json);
      EXPECT_EQ(Parse(copy.Dump(2)).Dump(), json.Dump());
      EXPECT_HAS(ErrorOf(std::string(5'000'000, '[')), "nested deeper");
      EXPECT_HAS(ErrorOf(open + open), "nested deeper");
    });
  }
}

TEST(Json, Limits) {
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  EXPECT_EQ(ErrorOf(deep), "");
  EXPECT_HAS(ErrorOf("[" + deep + "]"), "nested deeper than 200");
  EXPECT_HAS(ErrorOf(std::string(1000000, '[')), "nested deeper");
  EXPECT_HAS(ErrorOf("[1, 2]", {.max_depth = 5, .max_bytes = 3}), "longer than the limit");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_HAS(ErrorOf(objects), "nested deeper");
}

TEST(Json, Building) {
  Json json;
  json.Set("b", 1).Set("a", "x").Set("b", 2);
  json.Set("list", Json().Append(1).Append(2.5).Append(nullptr).Append(uint64_t{18446744073709551615u}));
  EXPECT_EQ(json.Dump(), R"({"b": 2, "a": "x", "list": [1, 2.5, null, 18446744073709551615]})");
  EXPECT_TRUE(json == Parse(json.Dump()));
  EXPECT_FALSE(Json(1) == Json(1.0));
  EXPECT_FALSE(Json(0) == Json(false));
  EXPECT_EQ(Json::MakeNumber("1e5").kind(), Json::Kind::kFloat);
  EXPECT_EQ(Json::MakeNumber("12").kind(), Json::Kind::kInteger);
}

}  // namespace
}  // namespace lfm
