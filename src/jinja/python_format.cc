// printf-style and brace-style formatting as Python does them.
#include "jinja/python_format.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/strings.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxPrecision = 400;

bool IsWidthDigit(char c) { return c >= '0' && c <= '9'; }

int ParseNumber(std::string_view text, size_t& at, int otherwise, int limit) {
  if (at >= text.size() || !IsWidthDigit(text[at])) return otherwise;
  int64_t value = 0;
  for (; at < text.size() && IsWidthDigit(text[at]); ++at) {
    value = value * 10 + (text[at] - '0');
    if (value > limit) Fail("a width or precision in a format is too large", ErrorCode::kLimit);
  }
  return static_cast<int>(value);
}

std::string InBase(uint64_t value, unsigned base, bool upper) {
  char buffer[72];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, static_cast<int>(base)).ptr;
  std::string text(buffer, end);
  return upper ? ToUpper(text) : text;
}

std::string Pad(std::string text, int width, char align, const std::string& fill) {
  const auto length = static_cast<int>(CountCodePoints(text));
  if (length >= width) return text;
  const int missing = width - length;
  const int left = align == '>' ? missing : align == '^' ? missing / 2 : 0;
  std::string out;
  for (int i = 0; i < left; ++i) out += fill;
  out += text;
  for (int i = left; i < missing; ++i) out += fill;
  return out;
}

// The parts of a format specification: [[fill]align][sign][#][0][width][grouping][.precision][type].
struct Spec {
  std::string fill = " ";
  char align = 0, sign = '-', grouping = 0, type = 0;
  bool alternate = false, zero = false;
  int width = 0, precision = -1;
};

Spec ParseSpec(std::string_view text) {
  Spec spec;
  size_t at = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '=' || c == '^'; };
  size_t next = 0;
  if (!text.empty()) NextCodePoint(text, next);
  if (next > 0 && next < text.size() && is_align(text[next])) {
    spec.fill = std::string(text.substr(0, next));
    spec.align = text[next];
    at = next + 1;
  } else if (!text.empty() && is_align(text[0])) {
    spec.align = text[0];
    at = 1;
  }
  const auto take = [&](std::string_view any) {
    return at < text.size() && any.find(text[at]) != std::string_view::npos ? text[at++] : '\0';
  };
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != 0;
  if (take("0")) {
    spec.zero = true;
    if (!spec.align) spec.fill = "0", spec.align = '=';
  }
  spec.width = ParseNumber(text, at, 0, kMaxWidth);
  spec.grouping = take(",_");
  if (take(".")) {
    spec.precision = ParseNumber(text, at, -1, kMaxPrecision);
    if (spec.precision < 0) Fail("format specifier is missing precision");
  }
  spec.type = take("bcdeEfFgGnosxX%");
  if (at != text.size()) Fail(StrCat("invalid format specifier ", Quote(text)));
  return spec;
}

std::string Group(std::string digits, char separator, size_t every) {
  size_t end = 0;
  while (end < digits.size() && std::isxdigit(static_cast<unsigned char>(digits[end])) && digits[end] != 'e') ++end;
  for (size_t at = end; at > every; at -= every) digits.insert(at - every, 1, separator);
  return digits;
}

std::string FormatNumber(bool negative, std::string prefix, std::string digits, const Spec& spec, size_t every) {
  std::string sign = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  if (spec.grouping) digits = Group(std::move(digits), spec.grouping, every);
  const std::string head = sign + prefix;
  if (spec.align == '=') {
    const int room = spec.width - static_cast<int>(head.size());
    return head + Pad(std::move(digits), room, '>', spec.fill);
  }
  return Pad(head + digits, spec.width, spec.align ? spec.align : '>', spec.fill);
}

std::string FormatIntegerSpec(const Value& value, const Spec& spec) {
  if (value.Is(ValueKind::kBigInt)) {
    if (spec.type && spec.type != 'd') Fail("this format of so large an integer is not supported", ErrorCode::kUnsupported);
    const std::string& text = value.AsString();
    const bool negative = text[0] == '-';
    return FormatNumber(negative, "", text.substr(negative ? 1 : 0), spec, 3);
  }
  const int64_t number = value.AsInt();
  const bool negative = number < 0;
  const uint64_t magnitude = negative ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  const auto prefix = [&](const char* text) { return std::string(spec.alternate ? text : ""); };
  switch (spec.type) {
    case 'b': return FormatNumber(negative, prefix("0b"), InBase(magnitude, 2, false), spec, 4);
    case 'o': return FormatNumber(negative, prefix("0o"), InBase(magnitude, 8, false), spec, 4);
    case 'x': return FormatNumber(negative, prefix("0x"), InBase(magnitude, 16, false), spec, 4);
    case 'X': return FormatNumber(negative, prefix("0X"), InBase(magnitude, 16, true), spec, 4);
    case 'c': {
      std::string text;
      AppendCodePoint(text, static_cast<uint32_t>(magnitude));
      return Pad(text, spec.width, spec.align ? spec.align : '<', spec.fill);
    }
    default: return FormatNumber(negative, "", std::to_string(magnitude), spec, 3);
  }
}

std::string FormatFloatSpec(double value, const Spec& spec) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  const double magnitude = std::abs(value);
  std::string digits;
  if (!spec.type && spec.precision < 0) {
    digits = ReprFloat(magnitude);
  } else if (!spec.type) {
    digits = FormatFloat(magnitude, 'g', spec.precision == 0 ? 1 : spec.precision);
    if (digits.find_first_of(".en") == std::string::npos) digits += ".0";
  } else {
    digits = FormatFloat(magnitude, spec.type == 'n' ? 'g' : spec.type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
  }
  return FormatNumber(negative, "", std::move(digits), spec, 3);
}

// One conversion of a printf-style format: flags, width and precision.
struct Conversion {
  bool left = false, plus = false, space = false, zero = false, alternate = false;
  int width = 0, precision = -1;
  char type = 0;
};

// Flags, width, precision and type behind the '%'; `at` moves behind them.
void ParseConversion(std::string_view format, size_t& at, Conversion& c) {
  for (; at < format.size(); ++at) {
    const char flag = format[at];
    if (flag == '-')
      c.left = true;
    else if (flag == '+')
      c.plus = true;
    else if (flag == ' ')
      c.space = true;
    else if (flag == '0')
      c.zero = true;
    else if (flag == '#')
      c.alternate = true;
    else
      break;
  }
  c.width = ParseNumber(format, at, 0, kMaxWidth);
  if (at < format.size() && format[at] == '.') c.precision = ParseNumber(format, ++at, 0, kMaxPrecision);
  if (at < format.size() && format[at] == '*') Fail("'*' in a format is not supported", ErrorCode::kUnsupported);
  if (at >= format.size()) Fail("incomplete format");
  c.type = format[at++];
}

std::string PrintfInteger(const Value& value, const Conversion& c) {
  Value number = value;
  if (value.Is(ValueKind::kFloat) && (c.type == 'd' || c.type == 'i' || c.type == 'u')) {
    if (!(std::abs(value.AsFloat()) < 9e18)) Fail("cannot format so large a number with %d", ErrorCode::kUnsupported);
    number = Value::Int(static_cast<int64_t>(value.AsFloat()));
  }
  if (!number.is_integer()) Fail(StrCat("%", c.type, " format: a number is required, not ", TypeName(value)));
  Spec spec;
  spec.type = c.type == 'i' || c.type == 'u' ? 'd' : c.type;
  spec.alternate = c.alternate;
  spec.sign = c.plus ? '+' : c.space ? ' ' : '-';
  if (c.precision >= 0) {
    const std::string digits = FormatIntegerSpec(number, Spec{});
    const bool negative = digits[0] == '-';
    const std::string body = negative ? digits.substr(1) : digits;
    const size_t missing = static_cast<size_t>(c.precision) > body.size() ? static_cast<size_t>(c.precision) - body.size() : 0;
    const std::string sign = negative ? "-" : c.plus ? "+" : c.space ? " " : "";
    return Pad(sign + std::string(missing, '0') + body, c.width, c.left ? '<' : '>', " ");
  }
  spec.width = c.width;
  spec.align = c.left ? '<' : c.zero ? '=' : '>';
  if (c.zero && !c.left) spec.fill = "0";
  return FormatIntegerSpec(number, spec);
}

std::string PrintfOne(const Value& value, const Conversion& c) {
  switch (c.type) {
    case 's':
    case 'r':
    case 'a': {
      std::string text = c.type == 's' ? Str(value) : Repr(value);
      if (c.precision >= 0) text.resize(OffsetOfCodePoint(text, static_cast<size_t>(c.precision)));
      return Pad(std::move(text), c.width, c.left ? '<' : '>', " ");
    }
    case 'c': {
      std::string text;
      if (value.is_string() && CountCodePoints(value.AsString()) == 1) {
        text = value.AsString();
      } else {
        AppendCodePoint(text, static_cast<uint32_t>(IntegerOf(value, "%c")));
      }
      return Pad(std::move(text), c.width, c.left ? '<' : '>', " ");
    }
    case 'd':
    case 'i':
    case 'u':
    case 'o':
    case 'x':
    case 'X': return PrintfInteger(value, c);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      Spec spec;
      spec.type = c.type;
      spec.precision = c.precision;
      spec.alternate = c.alternate;
      spec.sign = c.plus ? '+' : c.space ? ' ' : '-';
      spec.width = c.width;
      spec.align = c.left ? '<' : c.zero ? '=' : '>';
      if (c.zero && !c.left) spec.fill = "0";
      return FormatFloatSpec(FloatOf(value, "a formatted value"), spec);
    }
    default: Fail(StrCat("unsupported format character ", Quote(std::string_view(&c.type, 1))));
  }
}

}  // namespace

std::string FormatFloat(double value, char type, int precision, bool alternate) {
  if (type == '%') return FormatFloat(value * 100, 'f', precision, alternate) + "%";
  if (!std::isfinite(value)) {
    const bool upper = type == 'E' || type == 'F' || type == 'G';
    return std::isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
  }
  char format[8] = {'%', '.', '*', type, '\0', '\0', '\0', '\0'};
  if (alternate) {
    format[1] = '#', format[2] = '.', format[3] = '*', format[4] = type;
  }
  char buffer[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int n = std::snprintf(buffer, sizeof buffer, format, precision, value);
#pragma GCC diagnostic pop
  return std::string(buffer, static_cast<size_t>(std::max(0, n)));
}

std::string FormatSpec(Heap& heap, const Value& value, std::string_view specification) {
  if (specification.empty()) return Str(value);
  const Spec spec = ParseSpec(specification);
  heap.StepBytes(static_cast<size_t>(spec.width));
  if (value.is_integer() && !(value.Is(ValueKind::kBool) && !spec.type)) {
    const bool as_float = spec.type && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
    return as_float ? FormatFloatSpec(FloatOf(value, "a formatted value"), spec) : FormatIntegerSpec(value, spec);
  }
  if (value.Is(ValueKind::kBool)) return FormatIntegerSpec(value, spec);
  if (value.Is(ValueKind::kFloat)) return FormatFloatSpec(value.AsFloat(), spec);
  if (!value.is_string()) Fail(StrCat("unsupported format string passed to ", TypeName(value), ".__format__"));
  if (spec.type && spec.type != 's') {
    Fail(StrCat("unknown format code '", spec.type, "' for object of type 'str'"));
  }
  std::string text = value.AsString();
  if (spec.precision >= 0) text.resize(OffsetOfCodePoint(text, static_cast<size_t>(spec.precision)));
  return Pad(std::move(text), spec.width, spec.align && spec.align != '=' ? spec.align : '<', spec.fill);
}

MarkedText FormatPrintf(Heap& heap, const Value& format_value, const Value& arguments) {
  const std::string_view format = format_value.AsString();
  MarkedText out;
  size_t used = 0;
  const bool many = arguments.Is(ValueKind::kTuple);
  bool named = false;
  const auto next = [&]() -> Value {
    const size_t n = many ? arguments.Items().size() : 1;
    if (used >= n) Fail("not enough arguments for format string");
    return many ? arguments.Items()[used++] : (++used, arguments);
  };
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      const size_t end = std::min(format.find('%', at), format.size());
      AppendPart(out, format_value, at, end);
      at = end;
      continue;
    }
    ++at;
    Conversion c;
    Value keyed;
    if (at < format.size() && format[at] == '(') {
      const size_t close = format.find(')', at);
      if (close == std::string_view::npos) Fail("incomplete format key");
      if (!arguments.is_dict()) Fail("format requires a mapping");
      const Value* found = arguments.AsDict().Find(format.substr(at + 1, close - at - 1));
      if (!found) Fail(StrCat("format: no key ", Quote(format.substr(at + 1, close - at - 1))));
      keyed = *found, named = true;
      at = close + 1;
    }
    ParseConversion(format, at, c);
    if (c.type == '%') {
      Append(out, "%");
    } else {
      const Value value = keyed.is_missing() ? next() : keyed;
      const bool whole = value.is_string() && c.type == 's' && c.precision < 0 && c.width == 0;
      whole ? AppendStr(out, value) : AppendAt(out, PrintfOne(value, c), LevelOf(value));
    }
    heap.Step();
    heap.CheckString(out.text.size());
  }
  const bool unused =
      many ? used < arguments.Items().size() : used == 0 && !arguments.is_dict() && !named && !arguments.Is(ValueKind::kList);
  if (unused) Fail("not all arguments converted during string formatting");
  return out;
}

}  // namespace lfm::jinja
