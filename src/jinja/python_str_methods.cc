// Methods of str.
#include <algorithm>
#include <array>

#include "base/strings.h"
#include "jinja/builtins.h"
#include "jinja/eval.h"
#include "jinja/marks.h"
#include "jinja/python_format.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

// A call of a method: the text, its arguments, and the heap for the result.
struct Call {
  Interpreter& interpreter;
  Heap& heap;
  const Value& object;
  const std::string& text;  // of the object
  std::string_view name;
  const CallArguments& arguments;

  Value String(std::string value) const { return heap.String(std::move(value)); }
  // A part of `text`, with its marks.
  Value Part(std::string_view part) const {
    const auto begin = static_cast<size_t>(part.data() - text.data());
    return heap.String(part.empty() ? MarkedText() : PartOf(object, begin, begin + part.size()));
  }
  Value Strings(const std::vector<std::string_view>& parts) const {
    std::vector<Value> values;
    values.reserve(parts.size());
    for (const auto part : parts) values.push_back(Part(part));
    return heap.List(std::move(values));
  }
};

Value StripText(const Call& c) {
  const Parameters p(c.name, c.arguments, {"chars"});
  const Side side = c.name == "lstrip" ? Side::kLeft : c.name == "rstrip" ? Side::kRight : Side::kBoth;
  return c.Part(p.IsNone(0) ? Strip(c.text, side) : StripChars(c.text, p.Text(0, ""), side));
}

std::vector<std::string_view> SplitAtSpace(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  text = Strip(text, Side::kLeft);
  while (!text.empty()) {
    if (limit-- == 0) {
      parts.push_back(text);
      break;
    }
    size_t at = 0, end = 0;
    while (at < text.size()) {
      end = at;
      if (IsSpace(NextCodePoint(text, at))) break;
      end = at;
    }
    parts.push_back(text.substr(0, end));
    text = Strip(text.substr(end), Side::kLeft);
  }
  return parts;
}

std::vector<std::string_view> SplitAtSpaceFromRight(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  text = Strip(text, Side::kRight);
  while (!text.empty()) {
    if (limit-- == 0) {
      parts.push_back(text);
      break;
    }
    size_t begin = text.size();
    while (begin > 0) {
      size_t before = begin - 1;
      while (before > 0 && (static_cast<unsigned char>(text[before]) & 0xC0) == 0x80) --before;
      size_t at = before;
      if (IsSpace(NextCodePoint(text, at))) break;
      begin = before;
    }
    parts.push_back(text.substr(begin));
    text = Strip(text.substr(0, begin), Side::kRight);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value SplitText(const Call& c) {
  const Parameters p(c.name, c.arguments, {"sep", "maxsplit"});
  const bool right = c.name == "rsplit";
  int64_t limit = p.Int(1, -1);
  c.heap.StepBytes(c.text.size());
  if (p.IsNone(0)) return c.Strings(right ? SplitAtSpaceFromRight(c.text, limit) : SplitAtSpace(c.text, limit));
  const std::string separator = p.Text(0, "");
  if (separator.empty()) Fail("empty separator");
  std::vector<std::string_view> parts;
  std::string_view rest = c.text;
  for (; limit != 0; --limit) {
    const size_t at = right ? FindLast(rest, separator) : FindFirst(rest, separator);
    if (at == std::string_view::npos) break;
    parts.push_back(right ? rest.substr(at + separator.size()) : rest.substr(0, at));
    rest = right ? rest.substr(0, at) : rest.substr(at + separator.size());
  }
  parts.push_back(rest);
  if (right) std::reverse(parts.begin(), parts.end());
  return c.Strings(parts);
}

Value PartitionText(const Call& c) {
  const Parameters p(c.name, c.arguments, {"sep"}, 1);
  const std::string separator = p.Text(0, "");
  if (separator.empty()) Fail("empty separator");
  const bool right = c.name == "rpartition";
  const size_t at = right ? FindLast(c.text, separator) : FindFirst(c.text, separator);
  const std::string_view text = c.text;
  if (at == std::string::npos) {
    return right ? c.heap.Tuple({c.String(""), c.String(""), c.object}) : c.heap.Tuple({c.object, c.String(""), c.String("")});
  }
  return c.heap.Tuple({c.Part(text.substr(0, at)), p[0], c.Part(text.substr(at + separator.size()))});
}

// The part between the optional start and end (code points), and where it begins in bytes.
std::string_view Window(const Call& c, const Parameters& p, size_t first, size_t* offset) {
  *offset = 0;
  if (p.IsNone(first) && p.IsNone(first + 1)) return c.text;
  const auto length = static_cast<int64_t>(CountCodePoints(c.text));
  const int64_t start = p.IsNone(first) ? 0 : p.Int(first, 0), stop = p.IsNone(first + 1) ? length : p.Int(first + 1, 0);
  const int64_t begin = std::max<int64_t>(start < 0 ? start + length : start, 0);
  const int64_t end = std::clamp<int64_t>(stop < 0 ? stop + length : stop, 0, length);
  if (begin > end) {
    *offset = std::string::npos;  // not even the empty text is found there
    return {};
  }
  *offset = OffsetOfCodePoint(c.text, static_cast<size_t>(begin));
  return std::string_view(c.text).substr(*offset, OffsetOfCodePoint(c.text, static_cast<size_t>(end)) - *offset);
}

Value StartsOrEnds(const Call& c) {
  const Parameters p(c.name, c.arguments, {"prefix", "start", "end"}, 1);
  size_t offset = 0;
  const std::string_view text = Window(c, p, 1, &offset);
  const auto matches = [&](const Value& affix) {
    if (affix.is_undefined()) FailUndefined(affix);
    if (!affix.is_string()) {
      Fail(StrCat(c.name, " first arg must be str or a tuple of str, not ", TypeName(affix)));
    }
    if (offset == std::string::npos) return false;
    return c.name == "startswith" ? text.starts_with(affix.AsString()) : text.ends_with(affix.AsString());
  };
  if (!p[0].Is(ValueKind::kTuple)) return Value::Bool(matches(p[0]));
  return Value::Bool(std::any_of(p[0].Items().begin(), p[0].Items().end(), matches));
}

Value FindText(const Call& c) {
  const Parameters p(c.name, c.arguments, {"sub", "start", "end"}, 1);
  const std::string what = p.Text(0, "");
  size_t offset = 0;
  const std::string_view text = Window(c, p, 1, &offset);
  c.heap.StepBytes(c.text.size());
  if (c.name == "count") {
    if (offset == std::string::npos) return Value::Int(0);
    if (what.empty()) return Value::Int(static_cast<int64_t>(CountCodePoints(text)) + 1);
    int64_t n = 0;
    for (size_t at = 0; (at = FindFirst(text, what, at)) != std::string_view::npos; at += what.size()) c.heap.Step(), ++n;
    return Value::Int(n);
  }
  const bool right = c.name == "rfind" || c.name == "rindex";
  const size_t at = offset == std::string::npos ? offset : right ? FindLast(text, what) : FindFirst(text, what);
  if (at != std::string_view::npos) {
    return Value::Int(static_cast<int64_t>(CountCodePoints(std::string_view(c.text).substr(0, offset + at))));
  }
  if (c.name == "index" || c.name == "rindex") Fail("substring not found");
  return Value::Int(-1);
}

Value ReplaceMethod(const Call& c) {
  const Parameters p("replace", c.arguments, {"old", "new", "count"}, 2);
  CallArguments arguments{{p[0], p[1]}, {}};
  p.Text(0, ""), p.Text(1, "");
  if (p.Has(2)) arguments.positional.push_back(p[2]);
  return FindFilter("replace")(c.interpreter, c.heap.String(PartOf(c.object, 0, c.text.size())), arguments);
}

Value ChangeCase(const Call& c) {
  const Parameters p(c.name, c.arguments, {});
  c.heap.Step(static_cast<int64_t>(c.text.size()) * (c.name == "title" ? 4 : 1));
  if (c.name == "upper") return c.String(ToUpper(c.text));
  if (c.name == "lower") return c.String(ToLower(c.text));
  if (c.name == "title") return c.String(ToTitle(c.text));
  if (c.name == "capitalize") return c.String(Capitalize(c.text));
  if (c.name == "swapcase") return c.String(SwapCase(c.text));
  return c.String(CaseFold(c.text));
}

Value JoinMethod(const Call& c) {
  const Parameters p("join", c.arguments, {"iterable"}, 1);
  const auto items = Iterate(c.heap, p[0]);
  MarkedText out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_string()) Fail(StrCat("sequence item ", i, ": expected str instance, ", TypeName(items[i]), " found"));
    if (i) AppendStr(out, c.object);
    AppendStr(out, items[i]);
    c.heap.CheckString(out.text.size());
  }
  return c.heap.String(std::move(out));
}

Value FormatMethod(const Call& c) {
  FormatLookup lookup;
  lookup.look_up = [&](std::string_view name) -> Value {
    if (!name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos && name.size() < 9) {
      const auto i = static_cast<size_t>(std::stoul(std::string(name)));
      if (i >= c.arguments.positional.size()) Fail(StrCat("Replacement index ", i, " out of range for positional args tuple"));
      return c.arguments.positional[i];
    }
    for (const auto& [key, value] : c.arguments.keywords) {
      if (key == name) return value;
    }
    Fail(StrCat("format: no argument named ", Quote(name)));
  };
  lookup.member = [&](const Value& object, std::string_view name, bool is_attribute) {
    if (is_attribute) return c.interpreter.GetAttr(object, c.String(std::string(name)));
    const bool number = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos && name.size() < 9;
    return c.interpreter.GetItem(object, number ? Value::Int(std::stol(std::string(name))) : c.String(std::string(name)));
  };
  return c.heap.String(FormatBraces(c.heap, c.object, lookup));
}

Value LinesMethod(const Call& c) {
  const Parameters p("splitlines", c.arguments, {"keepends"});
  return c.Strings(SplitLines(c.text, p.Bool(0, false)));
}

Value Classify(const Call& c) {
  const Parameters p(c.name, c.arguments, {});
  if (c.name == "isascii") return Value::Bool(IsAscii(c.text));
  const auto points = ToCodePoints(c.text);
  c.heap.Step(static_cast<int64_t>(points.size()));
  const auto all = [&](auto test) { return Value::Bool(!points.empty() && std::all_of(points.begin(), points.end(), test)); };
  if (c.name == "isdigit") return all(IsDigit);
  if (c.name == "isdecimal") return all(IsDecimal);
  if (c.name == "isnumeric") return all(IsNumeric);
  if (c.name == "isalpha") return all(IsAlpha);
  if (c.name == "isalnum") return all(IsAlnum);
  if (c.name == "isspace") return all(IsSpace);
  if (c.name == "isprintable") return Value::Bool(std::all_of(points.begin(), points.end(), IsPrintable));
  if (c.name == "isidentifier") {
    const auto part = [](uint32_t x) { return x == '_' || IsAlnum(x); };
    return Value::Bool(!points.empty() && !IsDigit(points[0]) && std::all_of(points.begin(), points.end(), part));
  }
  if (c.name == "istitle") return Value::Bool(std::any_of(points.begin(), points.end(), IsCased) && ToTitle(c.text) == c.text);
  const bool lower = c.name == "islower";
  const auto cased = std::any_of(points.begin(), points.end(), IsCased);
  return Value::Bool(cased && std::none_of(points.begin(), points.end(),
                                           [&](uint32_t x) { return IsCased(x) && !(lower ? IsLower(x) : IsUpper(x)); }));
}

Value Justify(const Call& c) {
  const Parameters p(c.name, c.arguments, {"width", "fillchar"}, 1);
  const std::string fill = p.Text(1, " ");
  if (CountCodePoints(fill) != 1) Fail("the fill character must be exactly one character long");
  const int64_t missing = p.Int(0, 0) - static_cast<int64_t>(CountCodePoints(c.text));
  if (missing <= 0) return c.Part(c.text);
  c.heap.CheckString(static_cast<size_t>(missing));
  // Python's center puts the odd one to the left when the width is odd.
  int64_t left = c.name == "rjust" ? missing : c.name == "center" ? missing / 2 + (missing & p.Int(0, 0) & 1) : 0;
  MarkedText out;
  const uint8_t level = p.Has(1) ? LevelOf(p[1]) : 0;
  for (int64_t i = 0; i < left; ++i) AppendAt(out, fill, level);
  AppendStr(out, c.object);
  for (int64_t i = left; i < missing; ++i) AppendAt(out, fill, level);
  return c.heap.String(std::move(out));
}

Value ZeroFill(const Call& c) {
  const Parameters p("zfill", c.arguments, {"width"}, 1);
  const int64_t missing = p.Int(0, 0) - static_cast<int64_t>(CountCodePoints(c.text));
  if (missing <= 0) return c.Part(c.text);
  c.heap.CheckString(static_cast<size_t>(missing));
  const size_t sign = !c.text.empty() && (c.text[0] == '+' || c.text[0] == '-') ? 1 : 0;
  return c.heap.String(c.text.substr(0, sign) + std::string(static_cast<size_t>(missing), '0') + c.text.substr(sign));
}

Value RemoveAffix(const Call& c) {
  const Parameters p(c.name, c.arguments, {"affix"}, 1);
  const std::string affix = p.Text(0, "");
  std::string_view text = c.text;
  if (c.name == "removeprefix" && text.starts_with(affix)) text.remove_prefix(affix.size());
  if (c.name == "removesuffix" && text.ends_with(affix)) text.remove_suffix(affix.size());
  return c.Part(text);
}

Value ExpandTabs(const Call& c) {
  const Parameters p("expandtabs", c.arguments, {"tabsize"});
  const int64_t size = std::clamp<int64_t>(p.Int(0, 8), 0, 1 << 20);
  std::string out;
  int64_t column = 0;
  for (size_t at = 0; at < c.text.size();) {
    const uint32_t point = NextCodePoint(c.text, at);
    if (point == '\t') {
      const int64_t n = size ? size - column % size : 0;
      out.append(static_cast<size_t>(n), ' ');
      column += n;
      c.heap.CheckString(out.size());
      continue;
    }
    AppendCodePoint(out, point);
    column = point == '\n' || point == '\r' ? 0 : column + 1;
  }
  return c.heap.String(std::move(out));
}

struct Method {
  std::string_view name;
  Value (*function)(const Call&);
};
constexpr std::array<Method, 44> kMethods{{
    {"split", SplitText},
    {"rsplit", SplitText},
    {"strip", StripText},
    {"lstrip", StripText},
    {"rstrip", StripText},
    {"startswith", StartsOrEnds},
    {"endswith", StartsOrEnds},
    {"replace", ReplaceMethod},
    {"join", JoinMethod},
    {"find", FindText},
    {"rfind", FindText},
    {"index", FindText},
    {"rindex", FindText},
    {"count", FindText},
    {"upper", ChangeCase},
    {"lower", ChangeCase},
    {"title", ChangeCase},
    {"capitalize", ChangeCase},
    {"swapcase", ChangeCase},
    {"casefold", ChangeCase},
    {"format", FormatMethod},
    {"splitlines", LinesMethod},
    {"partition", PartitionText},
    {"rpartition", PartitionText},
    {"isdigit", Classify},
    {"isdecimal", Classify},
    {"isnumeric", Classify},
    {"isalpha", Classify},
    {"isalnum", Classify},
    {"isspace", Classify},
    {"isupper", Classify},
    {"islower", Classify},
    {"istitle", Classify},
    {"isascii", Classify},
    {"isprintable", Classify},
    {"isidentifier", Classify},
    {"zfill", ZeroFill},
    {"center", Justify},
    {"ljust", Justify},
    {"rjust", Justify},
    {"removeprefix", RemoveAffix},
    {"removesuffix", RemoveAffix},
    {"expandtabs", ExpandTabs},
    {"", nullptr},
}};

}  // namespace

bool IsStringMethod(std::string_view name) {
  return std::any_of(kMethods.begin(), kMethods.end(), [name](const Method& m) { return m.function && m.name == name; });
}

Value CallStringMethod(Interpreter& interpreter, const Value& text, std::string_view name, const CallArguments& arguments) {
  for (const Method& method : kMethods) {
    if (method.function && method.name == name) {
      return method.function(Call{interpreter, interpreter.heap(), text, text.AsString(), method.name, arguments});
    }
  }
  Fail(StrCat("the method '", name, "' of str is not supported"), ErrorCode::kUnsupported);
}

}  // namespace lfm::jinja
