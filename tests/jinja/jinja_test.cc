// The template interpreter against what Jinja2 rendered through transformers
// (tests/data/templates/make_cases.py), and its limits.
#include "jinja/jinja.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/file.h"
#include "support/golden.h"

namespace lfm::jinja {
namespace {

const std::string kCases = LFM_TEST_DATA "/templates/";

RenderOptions FixedTime() {
  RenderOptions options;
  options.clock = [] { return LocalTime{2024, 7, 26, 15, 4, 5, 123456}; };
  return options;
}

Result<std::string> RenderText(std::string_view source, const Json& variables = Json::MakeObject(),
                               const RenderOptions& options = FixedTime()) {
  auto parsed = Template::Parse(source);
  if (!parsed.ok()) return parsed.error();
  return parsed->Render(variables, options);
}

std::string Message(std::string_view source) {
  const auto result = RenderText(source);
  return result.ok() ? "rendered: " + result.value() : result.error().message;
}

TEST(Jinja, SnippetsAsJinja2) {
  const auto lines = test::ReadLines(kCases + "cases.jsonl");
  ASSERT_GT(lines.size(), 250u);
  const Json variables = ParseJson(lines[0]).value()["variables"];
  for (size_t i = 1; i < lines.size(); ++i) {
    const Json row = ParseJson(lines[i]).value();
    const auto result = RenderText(row["template"].AsString(), variables);
    if (row["error"].AsBool()) {
      EXPECT_FALSE(result.ok()) << row["template"].AsString() << "\n" << row["exception"].AsString();
      continue;
    }
    ASSERT_TRUE(result.ok()) << row["template"].AsString() << "\n" << result.error().message;
    EXPECT_EQ(result.value(), row["expected"].AsString()) << row["template"].AsString();
  }
}

// A word that is cut into a line a letter: steps in proportion to the text, or this takes minutes.
TEST(Jinja, WrappingALongWordIsLinear) {
  EXPECT_EQ(RenderText("{{ ('a' * 2000000)|wordwrap(1)|length }}").value(), "3999999");
  EXPECT_EQ(RenderText("{{ ('é' * 1000 ~ ' b')|wordwrap(999) }}").value().substr(2 * 999), "\né b");
}

TEST(Jinja, ErrorsNameLineAndConstruct) {
  EXPECT_EQ(Message("a\nb {{ 1 + 'x' }}"), "chat template, line 2: unsupported operand types for +: 'int' and 'str'");
  EXPECT_EQ(Message("\n\n{{ x.y }}"), "chat template, line 3: 'x' is undefined");
  EXPECT_EQ(Message("\n{% include 'a' %}"), "chat template, line 2: the tag 'include' is not supported in chat templates");
  EXPECT_EQ(Message("{{ 1 | nope }}"), "chat template, line 1: no filter named 'nope'");
  EXPECT_EQ(Message("{% macro f() %}\n{{ raise_exception('stop here') }}{% endmacro %}\n\n{{ f() }}"),
            "chat template, line 2: stop here");
  EXPECT_EQ(Message("{{ 'a'.encode() }}"), "chat template, line 1: the method 'encode' of str is not supported");
  EXPECT_EQ(Message("{{ [1] | random }}"),
            "chat template, line 1: the filter 'random' is not supported: a prompt must not depend on chance");
  EXPECT_EQ(RenderText("{{ lipsum() }}").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Template::Parse("\xff").error().code, ErrorCode::kCorrupt);
}

// Whatever a template tries, it ends in an error in little time and memory.
TEST(Jinja, LimitsHold) {
  RenderOptions options = FixedTime();
  options.limits.max_steps = 2'000'000;
  options.limits.max_memory = size_t{32} << 20;
  options.limits.max_output = size_t{4} << 20;
  const std::string deep_list = "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}";
  const char* const hostile[] = {
      "{{ 'a' * 10**9 }}",
      "{{ [0] * 10**9 }}",
      "{{ 10 ** 100 }}",
      "{{ 9223372036854775807 + 1 }}",
      "{{ range(10**8) }}",
      "{{ 'a'.center(10**9) }}",
      "{{ 'a'.ljust(10**9) }}",
      "{{ '1'.zfill(10**9) }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '{:1000000000}'.format(1) }}",
      "{{ 'a' | indent(10**9, true) }}",
      "{{ [1] | batch(10**9, 'x') | list }}",
      "{{ [1] | slice(10**9) | list }}",
      "{{ 'ab' | replace('', 'x' * 10**6) | replace('', 'x' * 10**6) }}",
      "{{ [1] | tojson(indent=10**9) }}",
      "{% macro r() %}{{ r() }}{% endmacro %}{{ r() }}",
      "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{% for a in range(100000) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% "
      "endfor %}",
      "{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
      "{% set ns = namespace(l=1) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l "
      "}}",
      "{% set ns = namespace(l=1) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l "
      "| tojson }}",
      "{% set n = namespace(a=1, b=1) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, "
      "n.b] %}"
      "{% endfor %}{{ n.a == n.b }}",
      "{% set n = namespace(a=1) %}{% for i in range(60) %}{% set n.a = (n.a, n.a) %}{% endfor %}{{ {n.a: 1} "
      "}}",
      "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
      "{% set ns = namespace() %}{% set ns.me = [ns, {'a': ns}] %}{{ ns.me | string }}",
  };
  for (const char* source : hostile) {
    const auto result = RenderText(source, Json::MakeObject(), options);
    EXPECT_FALSE(result.ok()) << source;
  }
  EXPECT_FALSE(RenderText(deep_list + "{{ ns.x }}", Json::MakeObject(), options).ok());
}

TEST(Jinja, ParserLimitsHold) {
  const auto repeat = [](std::string_view text, size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += text;
    return out;
  };
  EXPECT_FALSE(Template::Parse("{{ " + repeat("(", 100000) + "1" + repeat(")", 100000) + " }}").ok());
  EXPECT_FALSE(Template::Parse("{{ 1" + repeat(" + 1", 100000) + " }}").ok());
  EXPECT_FALSE(Template::Parse("{{ " + repeat("-", 100000) + "1 }}").ok());
  EXPECT_FALSE(Template::Parse("{{ " + repeat("not ", 100000) + "1 }}").ok());
  EXPECT_FALSE(Template::Parse("{{ x" + repeat(".a", 100000) + " }}").ok());
  EXPECT_FALSE(Template::Parse("{{ x" + repeat("|trim", 100000) + " }}").ok());
  EXPECT_FALSE(Template::Parse("{{ x" + repeat("[0]", 100000) + " }}").ok());
  EXPECT_FALSE(Template::Parse("{{ " + repeat("[", 100000)).ok());
  EXPECT_FALSE(Template::Parse(repeat("{% if 1 %}", 100000)).ok());
  EXPECT_FALSE(Template::Parse("{{ 1" + repeat(" if 1 else 1", 100000) + " }}").ok());
  EXPECT_FALSE(Template::Parse(std::string(size_t{5} << 20, 'x')).ok());
  EXPECT_TRUE(Template::Parse("{{ 'a'" + repeat(" ~ 'a'", 1000) + " }}").ok());
  EXPECT_TRUE(Template::Parse("{{ " + repeat("(", 30) + "1" + repeat(")", 30) + " }}").ok());
  const auto many = RenderText("{% if false %}" + repeat("{% elif false %}x", 5000) + "{% else %}y{% endif %}");
  ASSERT_TRUE(many.ok()) << many.error().message;
  EXPECT_EQ(many.value(), "y");
}

// A linked list of namespaces and a circle through macros are let go without recursion and without a leak.
TEST(Jinja, LetsGoOfChainsAndCircles) {
  EXPECT_EQ(RenderText("{% set ns = namespace(n=none) %}{% for i in range(50000) %}{% set ns.n = namespace(p=ns.n) %}"
                       "{% endfor %}ok")
                .value(),
            "ok");
  EXPECT_EQ(RenderText("{% set ns = namespace(l=[]) %}{% for i in range(3) %}{% macro m() %}{{ m }}{% endmacro %}"
                       "{% set ns.l = ns.l + [m, loop, ns] %}{% if loop.changed(loop) %}{% endif %}{% endfor %}ok")
                .value(),
            "ok");
}

TEST(Jinja, KeepsJsonNumbers) {
  const Json variables = ParseJson(R"({"a": 1, "b": 1.0, "c": 123456789012345678901234567890, "d": -0.0, "e": 1e5,
                                       "f": [9223372036854775807, -9223372036854775808, 9223372036854775808]})")
                             .value();
  EXPECT_EQ(RenderText("{{ a }} {{ b }} {{ c }} {{ d }} {{ e }} {{ f | tojson }} {{ c == c }} {{ c > f[0] }}", variables).value(),
            "1 1.0 123456789012345678901234567890 -0.0 100000.0 "
            "[9223372036854775807, -9223372036854775808, 9223372036854775808] True True");
}

TEST(Jinja, RendersFromManyThreads) {
  const auto parsed = Template::Parse(
      "{% set ns = namespace(n=0) %}{% for m in ms %}{% set ns.n = ns.n + m.v %}"
      "{{ ['a', 'b'][loop.index0 % 2] ~ m.v }}{% endfor %}={{ ns.n }}");
  ASSERT_TRUE(parsed.ok());
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      Json items = Json::MakeArray();
      for (int i = 0; i < 100; ++i) items.Append(Json::MakeObject({{"v", i}}));
      for (int n = 0; n < 20; ++n) results[t] = parsed->Render(Json::MakeObject({{"ms", items}})).value();
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, results[0]);
  EXPECT_TRUE(results[0].ends_with("=4950"));
}

TEST(Jinja, FormatsTime) {
  const LocalTime newyear{2021, 1, 3, 0, 5, 9, 7};
  EXPECT_EQ(FormatTime("%G-W%V-%u %U %W %j %I%p %-d.%-m. %k|%l|%e|%_d %f %y %h %C %P %^a %Q%", newyear),
            "2020-W53-7 01 00 003 12AM 3.1.  0|12| 3| 3 000007 21 Jan 20 am SUN %Q%");
  EXPECT_EQ(FormatTime("%A %B %D %T", LocalTime{2024, 2, 29, 23, 59, 59, 0}), "Thursday February 02/29/24 23:59:59");
  // By Python 3.11 on Linux.
  EXPECT_EQ(
      FormatTime("%c|%x|%X|%D|%r|%R|%n|%t|%Ey|%Od|%010d|%^B|%#p|%z|%Z|%%f|%-f|%E", newyear),
      "Sun Jan  3 00:05:09 2021|01/03/21|00:05:09|01/03/21|12:05:09 AM|00:05|\n|\t|21|03|0000000003|JANUARY|am|||%f|%-f|%E");
  EXPECT_EQ(FormatTime("%5Y|%+", newyear), "02021|%+");
  EXPECT_EQ(FormatTime("%999999d", newyear), "");
  EXPECT_EQ(FormatTime("", newyear), "");
  EXPECT_EQ(FormatTime(std::string_view("%d\0%m%", 6), newyear), std::string_view("03\0"
                                                                                  "01%",
                                                                                  6));
}

}  // namespace
}  // namespace lfm::jinja
