// Templates on small stacks, templates that do not end, and searches that could take the square of their text.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "base/stack.h"
#include "jinja/jinja.h"
#include "jinja/python_text.h"
#include "support/on_stack.h"

namespace lfm::jinja {
namespace {

using test::OnStack;

std::string Repeated(std::string_view text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

// Every way to nest: each ends well or with kLimit, on any stack.
const std::vector<std::string>& DeepTemplates() {
  static const std::vector<std::string> kTemplates = {
      "{{ " + Repeated("(", 170) + "1" + Repeated(")", 170) + " }}",
      "{{ " + Repeated("[", 170) + Repeated("]", 170) + " }}",
      "{{ " + Repeated("not ", 100000) + "1 }}",
      "{{ 1" + Repeated(" + 1", 100000) + " }}",
      "{{ x" + Repeated("|trim", 100000) + " }}",
      Repeated("{% if 1 %}", 170) + Repeated("{% endif %}", 170),
      Repeated("{% for a in [1] %}", 150) + "x" + Repeated("{% endfor %}", 150),
      "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
      "{% macro f(n) %}{% if n %}{% for i in [1] %}{{ (f(n - 1) ~ '')|trim|upper }}{% endfor %}{% endif %}{% endmacro %}{{ "
      "f(900) }}",
      "{% macro f(n) %}{% call g() %}{{ f(n + 1) }}{% endcall %}{% endmacro %}{% macro g() %}{{ caller() }}{% endmacro %}{{ f(0) "
      "}}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns = namespace(a=[]) %}{% for i in range(5000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}{{ ns.a|tojson }}{{ "
      "ns.a == [ns.a] }}",
      "{% set ns = namespace(a={}) %}{% for i in range(390) %}{% set ns.a = {'k': ns.a} %}{% endfor %}{{ ns.a|string|length }}{{ "
      "ns.a|tojson|length }}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
  };
  return kTemplates;
}

TEST(JinjaStack, SmallThreadsEndInAnError) {
  for (const size_t n_bytes : {size_t{256} << 10, size_t{512} << 10, size_t{1} << 20}) {
    OnStack(n_bytes, [&] {
      for (const std::string& source : DeepTemplates()) {
        const auto parsed = Template::Parse(source);
        if (!parsed.ok()) {
          EXPECT_EQ(parsed.error().code, ErrorCode::kLimit) << source.substr(0, 80) << parsed.error().message;
          continue;
        }
        const auto rendered = parsed->Render(Json::MakeObject({{"x", "x"}}));
        if (!rendered.ok()) {
          EXPECT_EQ(rendered.error().code, ErrorCode::kLimit) << source.substr(0, 80) << rendered.error().message;
        }
      }
    });
  }
}

TEST(JinjaStack, OrdinaryTemplatesFitInto512KiB) {
  OnStack(size_t{512} << 10, [] {
    const auto parsed = Template::Parse(
        "{% macro f(n) %}{% if n %}{% for i in [1] %}({{ f(n - 1) }}){% endfor %}{% endif %}{% endmacro %}{{ f(20) }}");
    ASSERT_TRUE(parsed.ok());
    const auto rendered = parsed->Render(Json::MakeObject());
    ASSERT_TRUE(rendered.ok()) << rendered.error().message;
    EXPECT_EQ(*rendered, Repeated("(", 20) + Repeated(")", 20));
  });
}

TEST(JinjaStack, FloorsLieInsideTheStack) {
  EXPECT_TRUE(StackFloor(1 << 16) == 0 || !IsBelow(StackFloor(1 << 16)));
  OnStack(size_t{256} << 10, [] { EXPECT_FALSE(IsBelow(StackFloor(size_t{1} << 30))); });  // at most a third is kept back
}

TEST(JinjaStack, CancelledRenderingEnds) {
  const auto parsed =
      Template::Parse("{% for i in range(99999) %}{% for j in range(99999) %}{% set x = i %}{% endfor %}{% endfor %}");
  ASSERT_TRUE(parsed.ok());
  std::atomic<bool> cancel{false};
  RenderOptions options;
  options.limits.max_steps = int64_t{1} << 60;
  options.cancel = &cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    cancel = true;
  });
  const auto rendered = parsed->Render(Json::MakeObject(), options);
  canceller.join();
  ASSERT_FALSE(rendered.ok());
  EXPECT_EQ(rendered.error().code, ErrorCode::kCancelled);
  // Inside of a generator too, which keeps other errors for later.
  const auto mapped = Template::Parse("{{ [1, 2]|map('string')|list }}");
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->Render(Json::MakeObject(), options).error().code, ErrorCode::kCancelled);
}

// What looks at characters one by one costs a step for each: a limit of steps is one of time.
TEST(JinjaStack, SlowTextCostsSteps) {
  RenderOptions options;
  options.limits.max_steps = 30'000;
  for (const char* work : {"s|title", "s|upper", "s|lower", "s|capitalize", "s.title()", "s.swapcase()", "s|wordwrap(20)",
                           "s|replace('a', 'b')", "s|replace('', 'b')", "s.count('a')", "s.isalnum()", "'a' * 400000"}) {
    const auto parsed = Template::Parse(std::string("{% set x = ") + work + " %}");
    ASSERT_TRUE(parsed.ok()) << work;
    const auto rendered = parsed->Render(Json::MakeObject({{"s", std::string(40'000, 'a')}}), options);
    ASSERT_FALSE(rendered.ok()) << work;
    EXPECT_EQ(rendered.error().code, ErrorCode::kLimit) << work;
  }
}

TEST(JinjaText, SearchesAreLinear) {
  EXPECT_EQ(FindFirst("abcabc", "ca"), 2u);
  EXPECT_EQ(FindFirst("abc", "", 3), 3u);
  EXPECT_EQ(FindFirst("abc", "b", 4), std::string_view::npos);
  const std::string haystack(1 << 20, 'a'), needle = std::string(1 << 19, 'a') + "b", before = "b" + std::string(1 << 19, 'a');
  EXPECT_EQ(FindFirst(haystack, needle), std::string_view::npos);
  EXPECT_EQ(FindLast(haystack, before), std::string_view::npos);
  EXPECT_EQ(FindLast("xx0123456789abcdefgh0123456789abcdefghyy", "0123456789abcdefgh"), 20u);
  EXPECT_EQ(FindLast("0123456789abcdefgh", "0123456789abcdefgh"), 0u);
  EXPECT_EQ(FindLast("short", "longer than that"), std::string_view::npos);
}

}  // namespace
}  // namespace lfm::jinja
