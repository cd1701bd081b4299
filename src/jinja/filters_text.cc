// Filters on text.
#include <algorithm>

#include "base/strings.h"
#include "jinja/filters.h"
#include "jinja/marks.h"
#include "jinja/python_format.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

using Arguments = const CallArguments&;

// Text whose characters are looked at one by one, each a step.
std::string SlowText(Interpreter& in, const Value& value, size_t steps = 1) {
  std::string text = SoftText(value);
  in.heap().Step(static_cast<int64_t>(steps * text.size()));
  return text;
}

Value Upper(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("upper", a, {});
  return in.heap().String(ToUpper(SlowText(in, value)), value.IsMarkup());
}
Value Lower(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("lower", a, {});
  return in.heap().String(ToLower(SlowText(in, value)), value.IsMarkup());
}
Value CapitalizeFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("capitalize", a, {});
  return in.heap().String(Capitalize(SlowText(in, value)), value.IsMarkup());
}

// Words begin behind white space, '-' and opening brackets.
Value TitleFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("title", a, {});
  const std::string text = SlowText(in, value, 4);
  std::string out, word;
  const auto flush = [&] {
    if (word.empty()) return;
    const size_t first = OffsetOfCodePoint(word, 1);
    out += ToUpper(word.substr(0, first)) + ToLower(word.substr(first));
    word.clear();
  };
  bool separator = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint32_t c = NextCodePoint(text, at);
    const bool is_separator = c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || IsSpace(c);
    if (is_separator != separator) flush();
    separator = is_separator;
    word += text.substr(begin, at - begin);
  }
  flush();
  return in.heap().String(std::move(out));
}

Value Trim(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("trim", a, {"chars"});
  const Value soft = value.is_string() ? value : in.heap().String(MarkedStr(value));
  const std::string_view text = soft.AsString();
  const std::string_view trimmed = p.IsNone(0) ? Strip(text) : StripChars(text, p.Text(0, ""), Side::kBoth);
  const auto begin = trimmed.empty() ? 0 : static_cast<size_t>(trimmed.data() - text.data());
  return in.heap().String(PartOf(soft, begin, begin + trimmed.size()), value.IsMarkup());
}

Value StringFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("string", a, {});
  return value.is_string() ? value : in.heap().String(Str(value));
}

Value Replace(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("replace", a, {"old", "new", "count"}, 2);
  const std::string from = Str(p[0]);
  const Value soft = value.is_string() ? value : in.heap().String(MarkedStr(value));
  const std::string& text = soft.AsString();
  const MarkedText to = MarkedStr(p[1]);
  int64_t limit = p.IsNone(2) ? -1 : p.Int(2, -1);
  in.heap().StepBytes(text.size());
  MarkedText out;
  size_t at = 0;
  if (from.empty()) {  // between all characters, and at both ends
    for (bool more = true; more && limit != 0; --limit) {
      Append(out, to);
      more = at < text.size();
      if (!more) break;
      in.heap().Step();
      const size_t begin = at;
      NextCodePoint(text, at);
      AppendPart(out, soft, begin, at);
      in.heap().CheckString(out.text.size());
    }
    AppendPart(out, soft, at, text.size());
    return in.heap().String(std::move(out));
  }
  for (size_t found; limit != 0 && (found = FindFirst(text, from, at)) != std::string::npos; --limit) {
    in.heap().Step();
    AppendPart(out, soft, at, found);
    Append(out, to);
    at = found + from.size();
    in.heap().CheckString(out.text.size());
  }
  AppendPart(out, soft, at, text.size());
  return in.heap().String(std::move(out));
}

Value Center(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("center", a, {"width"});
  return CallStringMethod(in, in.heap().String(MarkedStr(value)), "center", {{Value::Int(p.Int(0, 80))}, {}});
}

Value Format(Interpreter& in, const Value& value, Arguments a) {
  if (!a.positional.empty() && !a.keywords.empty()) {
    Fail("format: can't handle positional and keyword arguments at the same time");
  }
  const Value format = in.heap().String(MarkedStr(value));
  if (a.keywords.empty()) {
    return in.heap().String(FormatPrintf(in.heap(), format, in.heap().Tuple(a.positional)));
  }
  auto dict = std::make_shared<DictObject>();
  for (const auto& [name, argument] : a.keywords) dict->Set(in.heap().String(name), argument);
  return in.heap().String(FormatPrintf(in.heap(), format, in.heap().Dict(std::move(dict))));
}

Value Indent(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("indent", a, {"width", "first", "blank"});
  if (value.is_undefined()) FailUndefined(value);
  if (!value.is_string()) Fail(StrCat("indent: expected str, not ", TypeName(value)));
  std::string indention;
  if (p.Has(0) && p[0].is_string()) {
    indention = p[0].AsString();
  } else {
    const int64_t width = p.Int(0, 4);
    in.heap().CheckString(static_cast<size_t>(std::max<int64_t>(width, 0)));
    indention.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool blank = p.Bool(2, false);
  const std::string text = value.AsString() + "\n";
  const auto lines = SplitLines(text);
  const uint8_t level = p.Has(0) ? LevelOf(p[0]) : 0;
  MarkedText out;
  if (p.Bool(1, false)) AppendAt(out, indention, level);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i) Append(out, "\n");
    if (i && (blank || !lines[i].empty())) AppendAt(out, indention, level);
    const auto begin = lines[i].empty() ? 0 : static_cast<size_t>(lines[i].data() - text.data());
    AppendPart(out, value, begin, begin + lines[i].size());
    in.heap().CheckString(out.text.size());
  }
  return in.heap().String(std::move(out));
}

Value Truncate(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("truncate", a, {"length", "killwords", "end", "leeway"});
  const std::string end = p.Text(2, "...");
  const int64_t length = p.Int(0, 255), leeway = p.IsNone(3) ? 5 : p.Int(3, 5);
  const auto n_end = static_cast<int64_t>(CountCodePoints(end));
  if (length < n_end) Fail(StrCat("truncate: expected length >= ", n_end, ", got ", length));
  if (leeway < 0) Fail(StrCat("truncate: expected leeway >= 0, got ", leeway));
  if (value.is_undefined()) return value;  // it has length 0
  if (!value.is_string()) Fail(StrCat("truncate: expected str, not ", TypeName(value)));
  const std::string& text = value.AsString();
  if (static_cast<int64_t>(CountCodePoints(text)) - leeway <= length) return value;
  std::string cut = text.substr(0, OffsetOfCodePoint(text, static_cast<size_t>(length - n_end)));
  if (!p.Bool(1, false)) cut = cut.substr(0, cut.rfind(' '));
  return in.heap().String(cut + end);
}

Value WordCount(Interpreter&, const Value& value, Arguments a) {
  const Parameters p("wordcount", a, {});
  const std::string text = SoftText(value);
  int64_t n = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = NextCodePoint(text, at);
    const bool word = c == '_' || IsAlnum(c);
    n += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::Int(n);
}

// The length in code points, counted no further than just beyond `limit`: a word of megabytes is cut thousands of times.
size_t LengthUpTo(std::string_view text, size_t limit) {
  const size_t end = OffsetOfCodePoint(text, limit + 1);
  return CountCodePoints(text.substr(0, end));
}

// One paragraph of textwrap.wrap, for text whose long words and hyphens are broken as Python breaks them at
// spaces.
void WrapParagraph(std::string_view line, size_t width, bool break_long, std::vector<std::string>& out) {
  std::vector<std::string_view> chunks;  // words and the spaces between them
  for (size_t at = 0; at < line.size();) {
    const bool space = line[at] == ' ' || (line[at] >= '\t' && line[at] <= '\r');
    size_t end = at;
    while (end < line.size() && (line[end] == ' ' || (line[end] >= '\t' && line[end] <= '\r')) == space) ++end;
    chunks.push_back(line.substr(at, end - at));
    at = end;
  }
  size_t i = 0;
  while (i < chunks.size()) {
    if (!out.empty() && Strip(chunks[i]).empty()) ++i;  // no space at the start of a line, but of the first
    std::vector<std::string_view> current;
    size_t length = 0;
    while (i < chunks.size()) {
      const size_t n = LengthUpTo(chunks[i], width);
      if (length + n > width) break;
      length += n;
      current.push_back(chunks[i++]);
    }
    if (i < chunks.size() && LengthUpTo(chunks[i], width) > width) {
      if (break_long) {
        const size_t room = std::max<size_t>(width > length ? width - length : 0, current.empty() ? 1 : 0);
        const size_t cut = OffsetOfCodePoint(chunks[i], room);
        if (cut) current.push_back(chunks[i].substr(0, cut));
        chunks[i].remove_prefix(cut);
      } else if (current.empty()) {
        current.push_back(chunks[i++]);
      }
    }
    if (!current.empty() && Strip(current.back()).empty()) current.pop_back();
    if (current.empty()) continue;
    std::string text;
    for (const auto chunk : current) text += chunk;
    out.push_back(std::move(text));
  }
}

Value WordWrap(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("wordwrap", a, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const int64_t width = p.Int(0, 79);
  if (width <= 0) Fail(StrCat("wordwrap: invalid width ", width, " (must be > 0)"));
  const std::string text = value.is_string() ? value.AsString() : "";
  if (!value.is_string()) Fail(StrCat("wordwrap: expected str, not ", TypeName(value)));
  if (p.Bool(3, true) && text.find('-') != std::string::npos) {
    Fail("wordwrap of text with hyphens is not supported; set break_on_hyphens=false", ErrorCode::kUnsupported);
  }
  in.heap().Step(static_cast<int64_t>(text.size()));
  const std::string joint = p.IsNone(2) ? "\n" : p.Text(2, "\n");
  std::string out;
  bool first = true;
  for (const auto line : SplitLines(text)) {
    std::vector<std::string> lines;
    WrapParagraph(line, static_cast<size_t>(width), p.Bool(1, true), lines);
    if (!first) out += joint;
    first = false;
    for (size_t i = 0; i < lines.size(); ++i) out += (i ? joint : "") + lines[i];
    in.heap().CheckString(out.size());
  }
  return in.heap().String(std::move(out));
}

Value PrettyPrint(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("pprint", a, {});
  std::string text = Repr(value);
  if (CountCodePoints(text) > 80 || value.is_dict()) {
    Fail("pprint is supported only for values that fit on a line and are no dicts", ErrorCode::kUnsupported);
  }
  return in.heap().String(std::move(text));
}

constexpr FilterEntry kTextFilters[] = {
    {"upper", Upper},       {"lower", Lower},        {"capitalize", CapitalizeFilter},
    {"title", TitleFilter}, {"trim", Trim},          {"string", StringFilter},
    {"replace", Replace},   {"center", Center},      {"format", Format},
    {"indent", Indent},     {"truncate", Truncate},  {"wordcount", WordCount},
    {"wordwrap", WordWrap}, {"pprint", PrettyPrint},
};

}  // namespace

FilterTable TextFilters() { return {kTextFilters, std::size(kTextFilters)}; }

}  // namespace lfm::jinja
