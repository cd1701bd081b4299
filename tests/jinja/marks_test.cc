// Marks: what came from marked variables is known through whatever a template does with it.
#include <gtest/gtest.h>

#include "jinja/jinja.h"
#include "support/golden.h"

namespace lfm::jinja {
namespace {

// x, and the items of list and dict, are marked; `own` is not.
Json Variables() {
  return ParseJson(R"({"x": "  ab<t>cd  ", "y": "3", "own": "<t>", "list": ["a<t>", "<t>b"], "role": "user",
                       "dict": {"k<t>": "v<t>", "n": [1, "w<t>"]}, "empty": "", "names": {"user": "<u>"}})")
      .value();
}

// The rendered text with [ ] around what is marked.
std::string Marked(std::string_view source) {
  const Json variables = Variables();
  RenderOptions options;
  for (const char* name : {"x", "y", "list", "dict", "role", "empty"}) options.marks[variables.Find(name)] = 1;
  const auto parsed = Template::Parse(source);
  EXPECT_TRUE(parsed.ok()) << source;
  const auto rendered = parsed->RenderMarked(variables, options);
  if (!rendered.ok()) return rendered.error().message;
  EXPECT_EQ(rendered->text, parsed->Render(variables, options).value());
  std::string out;
  size_t at = 0;
  for (const Mark& mark : rendered->marks) {
    EXPECT_LE(at, mark.begin);
    EXPECT_LT(mark.begin, mark.end);
    EXPECT_LE(mark.end, rendered->text.size());
    out += rendered->text.substr(at, mark.begin - at) + "[" + rendered->text.substr(mark.begin, mark.end - mark.begin) + "]";
    at = mark.end;
  }
  return out + rendered->text.substr(at);
}

TEST(Marks, FollowCutsAndJoints) {
  EXPECT_EQ(Marked("<t>{{ x }}<t>"), "<t>[  ab<t>cd  ]<t>");
  EXPECT_EQ(Marked("{{ own ~ x|trim ~ own }}"), "<t>[ab<t>cd]<t>");
  EXPECT_EQ(Marked("{{ '<t>' + x.strip() + '<t>' + 1|string }}"), "<t>[ab<t>cd]<t>1");
  EXPECT_EQ(Marked("{{ ('<t>' + x + '|<t>').split('|')[-1] }}"), "<t>");
  EXPECT_EQ(Marked("{{ ('<t>' + x).split('cd')[0] }}"), "<t>[  ab<t>]");
  EXPECT_EQ(Marked("{{ ('<t>' ~ x|trim)[1:6] }}{{ ('<t>' ~ x|trim)[4] }}"), "t>[ab<b]");
  EXPECT_EQ(Marked("{{ '%s<t>%5s|%s' % (x|trim, y, own) }}"), "[ab<t>cd]<t>[    3]|<t>");
  EXPECT_EQ(Marked("{{ '<t>%s' | format(y) }}{{ '<t>{}{{{a:>2}}}'.format(y, a=y) }}"), "<t>[3]<t>[3]{[ 3]}");
  EXPECT_EQ(Marked("{{ list|join('<t>') }}{{ '<t>'.join(list) }}{{ list|join(y) }}"), "[a<t>]<t>[<t>ba<t>]<t>[<t>ba<t>3<t>b]");
  EXPECT_EQ(Marked("{{ '<t>abc'|replace('b', y) }}{{ ('<t>' ~ x|trim).replace('b', '<t>') }}"), "<t>a[3]c<t>[a]<t>[<t>cd]");
  EXPECT_EQ(Marked("{{ ('<t>\n' ~ y)|indent(2) }}"), "<t>\n  [3]");
  EXPECT_EQ(Marked("{{ y * 2 }}{{ y.rjust(3, '.') }}{{ y|center(3) }}{{ '<t>'.partition('t')|join }}"), "[33]..[3] [3] <t>");
  EXPECT_EQ(Marked("{{ ('<t>' ~ y).removeprefix('<') }}{{ (y ~ '\n<t>').splitlines()|join('.') }}"), "t>[33].<t>");
}

TEST(Marks, FollowBlocksAndMacros) {
  EXPECT_EQ(Marked("{% set b %}<t>{{ x|trim }}<t>{% endset %}{{ b|trim }}"), "<t>[ab<t>cd]<t>");
  EXPECT_EQ(Marked("{% macro m(a) %}<t>{{ a }}{{ caller() }}{% endmacro %}{% call m(y) %}<t>{{ y }}{% endcall %}"),
            "<t>[3]<t>[3]");
  EXPECT_EQ(Marked("{% filter trim %} <t>{{ y }} {% endfilter %}"), "<t>[3]");
  EXPECT_EQ(Marked("{% for i in list recursive %}<t>{{ i }}{% endfor %}"), "<t>[a<t>]<t>[<t>b]");
  EXPECT_EQ(Marked("{% set ns = namespace(t='<t>') %}{% set ns.t = ns.t ~ y %}{{ ns.t }}"), "<t>[3]");
  EXPECT_EQ(Marked("{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %}"), "[k<t>]=[v<t>];[n]=[[1, 'w<t>']];");
  EXPECT_EQ(Marked("{% for c in ('<t>' ~ y) %}{{ c }}.{% endfor %}"), "<.t.>.[3].");
  EXPECT_EQ(Marked("{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(**dict) }}"), "[{'k<t>': 'v<t>', 'n': [1, 'w<t>']}]");
  EXPECT_EQ(Marked("{% set j = joiner(y) %}{{ j() }}<t>{{ j() }}"), "<t>[3]");
}

TEST(Marks, NewTextOfMarkedTextIsMarked) {
  EXPECT_EQ(Marked("<t>{{ dict|tojson }}<t>"), R"(<t>[{"k<t>": "v<t>", "n": [1, "w<t>"]}]<t>)");
  EXPECT_EQ(Marked("{{ (own ~ y)|upper }}{{ (own ~ y).title() }}"), "<T>[3]<T>[3]");
  EXPECT_EQ(Marked("{{ x|e }}"), "[  ab&lt;t&gt;cd  ]");
  EXPECT_EQ(Marked("{{ x|trim|reverse }}{{ list|map('upper')|join }}{{ list }}"), "[dc>t<baA<T><T>B['a<t>', '<t>b']]");
  EXPECT_EQ(Marked("{{ x|truncate(6, true, '') }}{{ x|wordwrap(4, wrapstring='<t>') }}").substr(0, 1), "[");
  EXPECT_EQ(Marked("{{ own|upper }}{{ [own]|tojson }}{{ own|e }}"), "<T>[\"<t>\"]&lt;t&gt;");
}

TEST(Marks, ValuesOfTheTemplateStayItsOwn) {
  // What is only chosen by a marked value is not made of it.
  EXPECT_EQ(Marked("{{ names[role] }}{{ names.get(role) }}{{ {'user': '<t>'}[role] }}"), "<u><u><t>");
  EXPECT_EQ(Marked("{{ empty|default('<t>', true) }}{{ nothing|default(own) }}{{ '<t>' if y == '3' }}"), "<t><t><t>");
  EXPECT_EQ(Marked("{{ x == '  ab<t>cd  ' }}{{ '<t>' in x }}{{ x|length }}{{ y|int + 1 }}"), "TrueTrue114");
}

TEST(Marks, ChangeNoRendering) {
  const auto lines = test::ReadLines(std::string(LFM_TEST_DATA) + "/templates/cases.jsonl");
  const Json variables = ParseJson(lines[0]).value()["variables"];
  RenderOptions marked;
  marked.clock = [] { return LocalTime{2024, 7, 26, 15, 4, 5, 123456}; };
  RenderOptions plain = marked;
  for (const auto& [name, value] : variables.members()) marked.marks[&value] = 2;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string source = ParseJson(lines[i]).value()["template"].AsString();
    const auto parsed = Template::Parse(source);
    if (!parsed.ok()) continue;
    const auto expected = parsed->Render(variables, plain), rendered = parsed->Render(variables, marked);
    ASSERT_EQ(rendered.ok(), expected.ok()) << source;
    if (expected.ok()) {
      EXPECT_EQ(*rendered, *expected) << source;
    }
  }
}

}  // namespace
}  // namespace lfm::jinja
