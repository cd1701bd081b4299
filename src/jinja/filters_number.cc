// Filters on numbers, the smallest and largest of items, and default.
#include <cmath>

#include "base/strings.h"
#include "jinja/filters.h"
#include "jinja/python_format.h"
#include "jinja/python_number.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"

namespace lfm::jinja {
namespace {

using Arguments = const CallArguments&;

Value Default(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("default", a, {"default_value", "boolean"});
  if (value.is_undefined() || (p.Bool(1, false) && !Truth(value))) return p.Has(0) ? p[0] : in.heap().String("");
  return value;
}

Value IntFilter(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("int", a, {"default", "base"});
  const Value otherwise = p.Has(0) ? p[0] : Value::Int(0);
  switch (value.kind()) {
    case ValueKind::kUndefined: FailUndefined(value);
    case ValueKind::kBool:
    case ValueKind::kInt: return Value::Int(value.AsInt());
    case ValueKind::kBigInt: return value;
    case ValueKind::kFloat: return std::isnan(value.AsFloat()) ? otherwise : TruncateToInteger(in.heap(), value.AsFloat());
    case ValueKind::kString: {
      if (auto integer = ParseInteger(in.heap(), value.AsString(), p.Int(1, 10))) return std::move(*integer);
      const auto number = ParseDouble(value.AsString());  // "42.23" gives 42
      return number && std::isfinite(*number) ? TruncateToInteger(in.heap(), *number) : otherwise;
    }
    default: return otherwise;
  }
}

Value FloatFilter(Interpreter&, const Value& value, Arguments a) {
  const Parameters p("float", a, {"default"});
  if (value.is_undefined()) FailUndefined(value);
  if (value.is_number()) return Value::Float(FloatOf(value, "float"));
  if (value.is_string()) {
    if (const auto number = ParseDouble(value.AsString())) return Value::Float(*number);
  }
  return p.Has(0) ? p[0] : Value::Float(0);
}

Value Abs(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("abs", a, {});
  if (value.Is(ValueKind::kFloat)) return Value::Float(std::abs(value.AsFloat()));
  if (!value.is_number()) Fail(StrCat("bad operand type for abs(): '", TypeName(value), "'"));
  return Less(value, Value::Int(0)) ? Negate(in.heap(), value) : Positive(value);
}

Value Round(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("round", a, {"precision", "method"});
  const std::string method = p.Text(1, "common");
  const int64_t digits = p.Int(0, 0);
  if (value.is_undefined()) FailUndefined(value);
  if (!value.is_number()) Fail(StrCat("round: a number is required, not ", TypeName(value)));
  if (method == "common") {
    if (value.Is(ValueKind::kFloat)) return Value::Float(RoundDouble(value.AsFloat(), digits));
    return value.Is(ValueKind::kBigInt) ? value : RoundInteger(value.AsInt(), digits);
  }
  if (method != "ceil" && method != "floor") Fail("round: method must be common, ceil or floor");
  const Value scale = Arithmetic(in.heap(), "**", Value::Int(10), Value::Int(digits));
  const double scaled = FloatOf(Arithmetic(in.heap(), "*", value, scale), "round");
  const Value whole = TruncateToInteger(in.heap(), method == "ceil" ? std::ceil(scaled) : std::floor(scaled));
  return Value::Float(FloatOf(whole, "round") / FloatOf(scale, "round"));
}

Value Sum(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("sum", a, {"attribute", "start"});
  Value total = p.Has(1) ? p[1] : Value::Int(0);
  if (total.is_string()) Fail("sum() can't sum strings [use ''.join(seq) instead]");
  const auto path = AttributePath(in.heap(), p[0]);
  for (const Value& item : Iterate(in.heap(), value)) {
    total = Arithmetic(in.heap(), "+", total, FollowPath(in, item, path));
  }
  return total;
}

Value Extreme(Interpreter& in, const Value& value, Arguments a, bool largest) {
  const Parameters p(largest ? "max" : "min", a, {"case_sensitive", "attribute"});
  const auto path = AttributePath(in.heap(), p[1]);
  Value best, best_key;
  for (const Value& item : Iterate(in.heap(), value)) {
    Value key = FollowPath(in, item, path);
    if (!p.Bool(0, false)) key = IgnoreCase(in.heap(), key);
    if (!best.is_missing() && !(largest ? Less(best_key, key, ">") : Less(key, best_key))) continue;
    best = item;
    best_key = std::move(key);
  }
  return best.is_missing() ? in.heap().UndefinedHint("No aggregated item, sequence was empty.") : best;
}

Value Min(Interpreter& in, const Value& value, Arguments a) { return Extreme(in, value, a, false); }
Value Max(Interpreter& in, const Value& value, Arguments a) { return Extreme(in, value, a, true); }

Value FileSize(Interpreter& in, const Value& value, Arguments a) {
  const Parameters p("filesizeformat", a, {"binary"});
  const bool binary = p.Bool(0, false);
  double bytes = 0;
  if (value.is_string()) {
    const auto number = ParseDouble(value.AsString());
    if (!number) Fail("filesizeformat: could not convert the text to a number");
    bytes = *number;
  } else {
    bytes = FloatOf(value, "filesizeformat");
  }
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return in.heap().String("1 Byte");
  if (bytes < base) return in.heap().String(Str(TruncateToInteger(in.heap(), bytes)) + " Bytes");
  const std::string_view prefixes = binary ? "KMGTPEZY" : "kMGTPEZY";
  double unit = base;
  for (size_t i = 0;; ++i) {
    unit *= base;
    if (bytes < unit || i + 1 == prefixes.size()) {
      return in.heap().String(StrCat(FormatFloat(base * bytes / unit, 'f', 1), " ", prefixes[i], binary ? "iB" : "B"));
    }
  }
}

constexpr FilterEntry kNumberFilters[] = {
    {"default", Default}, {"d", Default}, {"int", IntFilter}, {"float", FloatFilter}, {"abs", Abs},
    {"round", Round},     {"sum", Sum},   {"min", Min},       {"max", Max},           {"filesizeformat", FileSize},
};

}  // namespace

FilterTable NumberFilters() { return {kNumberFilters, std::size(kNumberFilters)}; }

}  // namespace lfm::jinja
