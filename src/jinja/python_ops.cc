// Truth, equality, order and arithmetic as Python defines them.
#include "jinja/python_ops.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "base/strings.h"
#include "jinja/marks.h"
#include "jinja/python_format.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

// Shared sub-values can make a small value large to walk: every walk over containers is counted.
void StepOf(const Value& value) {
  if (value.object() && value.object()->heap) value.object()->heap->Step();
}

double BigToDouble(const Value& value) {
  double result = 0;
  const std::string& text = value.AsString();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  static_cast<void>(end);
  return error == std::errc() ? result : (text[0] == '-' ? -HUGE_VAL : HUGE_VAL);
}

double ToDouble(const Value& value) {
  if (value.Is(ValueKind::kFloat)) return value.AsFloat();
  if (value.Is(ValueKind::kBigInt)) return BigToDouble(value);
  return static_cast<double>(value.AsInt());
}

// -1, 0 or 1; 2 when a NaN makes them unordered.
int CompareNumbers(const Value& a, const Value& b) {
  const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; };
  if (a.is_small_int() && b.is_small_int()) return sign(a.AsInt(), b.AsInt());
  if (a.Is(ValueKind::kBigInt) && b.Is(ValueKind::kBigInt)) {
    const std::string &x = a.AsString(), &y = b.AsString();
    const bool negative = x[0] == '-';
    if (negative != (y[0] == '-')) return negative ? -1 : 1;
    const int magnitude = x.size() != y.size() ? sign(x.size(), y.size()) : sign(x.compare(y), 0);
    return negative ? -magnitude : magnitude;
  }
  if (a.is_integer() && b.is_integer()) {  // one of them is beyond 64 bits
    return a.Is(ValueKind::kBigInt) ? (a.AsString()[0] == '-' ? -1 : 1) : (b.AsString()[0] == '-' ? 1 : -1);
  }
  if (a.Is(ValueKind::kInt) || b.Is(ValueKind::kInt)) {
    const auto exact = [](const Value& v) {
      return v.is_small_int() ? static_cast<long double>(v.AsInt()) : static_cast<long double>(ToDouble(v));
    };
    return sign(exact(a), exact(b));
  }
  return sign(ToDouble(a), ToDouble(b));
}

bool EqualItems(const std::vector<Value>& a, const std::vector<Value>& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const Value& x, const Value& y) { return Identical(x, y) || Equal(x, y); });
}

bool EqualDicts(const DictObject& a, const DictObject& b) {
  if (a.items.size() != b.items.size()) return false;
  return std::all_of(a.items.begin(), a.items.end(), [&](const DictObject::Item& item) {
    const Value* other = b.Find(item.first);
    return other && (Identical(item.second, *other) || Equal(item.second, *other));
  });
}

[[noreturn]] void FailOrder(const Value& a, const Value& b, std::string_view op) {
  if (a.is_undefined()) FailUndefined(a);
  if (b.is_undefined()) FailUndefined(b);
  Fail(StrCat("'", op, "' is not supported between '", TypeName(a), "' and '", TypeName(b), "'"));
}

// One of <, <= on two sequences: the first unequal pair decides.
bool OrderItems(const Value& a, const Value& b, std::string_view op, bool or_equal) {
  StepOf(a);
  const auto &x = a.Items(), &y = b.Items();
  const size_t n = std::min(x.size(), y.size());
  for (size_t i = 0; i < n; ++i) {
    if (Identical(x[i], y[i]) || Equal(x[i], y[i])) continue;
    return or_equal ? LessOrEqual(x[i], y[i], op) : Less(x[i], y[i], op);
  }
  return or_equal ? x.size() <= y.size() : x.size() < y.size();
}

[[noreturn]] void FailOperands(std::string_view op, const Value& a, const Value& b) {
  if (a.is_undefined()) FailUndefined(a);
  if (b.is_undefined()) FailUndefined(b);
  if (op == "+" && a.is_string()) {
    Fail(StrCat("can only concatenate str (not \"", TypeName(b), "\") to str"));
  }
  Fail(StrCat("unsupported operand types for ", op, ": '", TypeName(a), "' and '", TypeName(b), "'"));
}

[[noreturn]] void FailLargeInteger() { Fail("integer arithmetic beyond 64 bits is not supported", ErrorCode::kUnsupported); }

Value IntPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) Fail("0.0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result)) FailLargeInteger();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) FailLargeInteger();
  }
  return Value::Int(result);
}

Value IntArithmetic(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "+") {
    if (__builtin_add_overflow(a, b, &result)) FailLargeInteger();
  } else if (op == "-") {
    if (__builtin_sub_overflow(a, b, &result)) FailLargeInteger();
  } else if (op == "*") {
    if (__builtin_mul_overflow(a, b, &result)) FailLargeInteger();
  } else if (op == "**") {
    return IntPower(a, b);
  } else {
    if (b == 0) Fail(op == "/" ? "division by zero" : "integer division or modulo by zero");
    if (op == "/") return Value::Float(static_cast<double>(a) / static_cast<double>(b));
    if (b == -1) {  // the one division that can overflow
      if (op == "%") return Value::Int(0);
      if (__builtin_sub_overflow(int64_t{0}, a, &result)) FailLargeInteger();
      return Value::Int(result);
    }
    const int64_t remainder = a % b;
    const bool borrow = remainder != 0 && (remainder < 0) != (b < 0);
    result = op == "//" ? a / b - (borrow ? 1 : 0) : remainder + (borrow ? b : 0);
  }
  return Value::Int(result);
}

Value FloatArithmetic(std::string_view op, double a, double b) {
  if (op == "+") return Value::Float(a + b);
  if (op == "-") return Value::Float(a - b);
  if (op == "*") return Value::Float(a * b);
  if (op == "**") {
    if (a == 0 && b < 0) Fail("0.0 cannot be raised to a negative power");
    if (a < 0 && std::isfinite(a) && b != std::floor(b)) {
      Fail("complex numbers are not supported", ErrorCode::kUnsupported);
    }
    return Value::Float(std::pow(a, b));
  }
  if (b == 0) Fail("float division by zero");
  if (op == "/") return Value::Float(a / b);
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (remainder < 0) != (b < 0)) {
    remainder += b;
    quotient -= 1;
  }
  if (op == "%") return Value::Float(remainder != 0 ? remainder : std::copysign(0.0, b));
  if (quotient == 0) return Value::Float(std::copysign(0.0, a / b));
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return Value::Float(whole);
}

Value Repeat(Heap& heap, const Value& sequence, int64_t n) {
  const auto times = static_cast<size_t>(std::max<int64_t>(n, 0));
  if (sequence.is_string()) {
    const std::string& text = sequence.AsString();
    if (!text.empty() && times > heap.limits().max_string / text.size()) heap.CheckString(SIZE_MAX);
    heap.Step(static_cast<int64_t>(times / 8));
    MarkedText out;
    out.text.reserve(text.size() * times);
    for (size_t i = 0; i < times && !text.empty(); ++i) AppendStr(out, sequence);
    return heap.String(std::move(out), sequence.IsMarkup());
  }
  const auto& items = sequence.Items();
  if (!items.empty() && times > heap.limits().max_bytes / sizeof(Value) / items.size()) {
    Fail("a repeated list is longer than the limit", ErrorCode::kLimit);
  }
  heap.Step(static_cast<int64_t>(items.size() * times));
  std::vector<Value> out;
  out.reserve(items.size() * times);
  for (size_t i = 0; i < times && !items.empty(); ++i) out.insert(out.end(), items.begin(), items.end());
  return sequence.Is(ValueKind::kList) ? heap.List(std::move(out)) : heap.Tuple(std::move(out));
}

Value Concatenate(Heap& heap, const Value& a, const Value& b) {
  if (a.is_string()) {
    const bool markup = a.IsMarkup() || b.IsMarkup();
    heap.CheckString(a.AsString().size() + b.AsString().size());
    MarkedText text;
    const auto append = [&](const Value& part) {  // beside markup, plain text is escaped
      if (part.IsMarkup() || !markup) return AppendStr(text, part);
      AppendAt(text, EscapeHtml(part.AsString()), LevelOf(part));
    };
    append(a), append(b);
    return heap.String(std::move(text), markup);
  }
  std::vector<Value> items;
  items.reserve(a.Items().size() + b.Items().size());
  items = a.Items();
  items.insert(items.end(), b.Items().begin(), b.Items().end());
  return a.Is(ValueKind::kList) ? heap.List(std::move(items)) : heap.Tuple(std::move(items));
}

}  // namespace

bool Truth(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kMissing:
    case ValueKind::kUndefined:
    case ValueKind::kNone: return false;
    case ValueKind::kBool:
    case ValueKind::kInt: return value.AsInt() != 0;
    case ValueKind::kBigInt: return true;
    case ValueKind::kFloat: return value.AsFloat() != 0;
    default: {
      const auto length = Length(value);
      return !length || *length != 0;
    }
  }
}

bool Identical(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.object() || b.object()) return a.object() == b.object();
  return !a.Is(ValueKind::kFloat) && a.AsInt() == b.AsInt();
}

bool Equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case ValueKind::kMissing:
    case ValueKind::kUndefined:
    case ValueKind::kNone: return true;
    case ValueKind::kString: return a.AsString() == b.AsString();
    case ValueKind::kList:
    case ValueKind::kTuple: StepOf(a); return a.object() == b.object() || EqualItems(a.Items(), b.Items());
    case ValueKind::kDict: StepOf(a); return a.object() == b.object() || EqualDicts(a.AsDict(), b.AsDict());
    case ValueKind::kRange: {
      const auto &x = a.As<RangeObject>(), &y = b.As<RangeObject>();
      const int64_t n = x.Length();
      return n == y.Length() && (n == 0 || (x.start == y.start && (n == 1 || x.step == y.step)));
    }
    default: return a.object() == b.object();
  }
}

uint64_t HashText(std::string_view text) { return std::hash<std::string_view>()(text); }

uint64_t Hash(const Value& key) {
  switch (key.kind()) {
    case ValueKind::kString: return HashText(key.AsString());
    case ValueKind::kBool:
    case ValueKind::kInt:
    case ValueKind::kBigInt:
    case ValueKind::kFloat: return std::hash<double>()(ToDouble(key));  // equal numbers of any type: one hash
    case ValueKind::kTuple: {
      StepOf(key);
      uint64_t hash = 0x9E3779B97F4A7C15;
      for (const Value& item : key.Items()) hash = (hash ^ Hash(item)) * 0x100000001B3;
      return hash;
    }
    default: return std::hash<const void*>()(key.object());
  }
}

bool IsHashable(const Value& value) {
  if (value.Is(ValueKind::kTuple)) {
    StepOf(value);
    return std::all_of(value.Items().begin(), value.Items().end(), IsHashable);
  }
  return !value.Is(ValueKind::kList) && !value.is_dict();
}

bool Less(const Value& a, const Value& b, std::string_view op) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b) == -1;
  if (a.is_string() && b.is_string()) return a.AsString() < b.AsString();  // UTF-8 keeps the order of code points
  if (a.is_sequence() && a.kind() == b.kind()) return OrderItems(a, b, op, false);
  FailOrder(a, b, op);
}

bool LessOrEqual(const Value& a, const Value& b, std::string_view op) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b) == -1 || CompareNumbers(a, b) == 0;
  if (a.is_string() && b.is_string()) return a.AsString() <= b.AsString();
  if (a.is_sequence() && a.kind() == b.kind()) return OrderItems(a, b, op, true);
  FailOrder(a, b, op);
}

Value Arithmetic(Heap& heap, std::string_view op, const Value& a, const Value& b) {
  if (a.is_small_int() && b.is_small_int()) return IntArithmetic(op, a.AsInt(), b.AsInt());
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) FailLargeInteger();
    return FloatArithmetic(op, ToDouble(a), ToDouble(b));
  }
  if (op == "+" && ((a.is_string() && b.is_string()) || (a.is_sequence() && a.kind() == b.kind()))) {
    return Concatenate(heap, a, b);
  }
  if (op == "*") {
    if ((a.is_string() || a.is_sequence()) && b.is_small_int()) return Repeat(heap, a, b.AsInt());
    if ((b.is_string() || b.is_sequence()) && a.is_small_int()) return Repeat(heap, b, a.AsInt());
  }
  if (op == "%" && a.is_string()) return heap.String(FormatPrintf(heap, a, b));
  FailOperands(op, a, b);
}

Value Negate(Heap& heap, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
    case ValueKind::kInt: return IntArithmetic("-", 0, value.AsInt());
    case ValueKind::kFloat: return Value::Float(-value.AsFloat());
    case ValueKind::kBigInt: {
      const std::string& text = value.AsString();
      return heap.BigInt(text[0] == '-' ? text.substr(1) : '-' + text);
    }
    case ValueKind::kUndefined: FailUndefined(value);
    default: Fail(StrCat("bad operand type for unary -: '", TypeName(value), "'"));
  }
}

Value Positive(const Value& value) {
  if (value.Is(ValueKind::kBool)) return Value::Int(value.AsInt());
  if (value.is_number()) return value;
  if (value.is_undefined()) FailUndefined(value);
  Fail(StrCat("bad operand type for unary +: '", TypeName(value), "'"));
}

int64_t IntegerOf(const Value& value, std::string_view what) {
  if (value.is_small_int()) return value.AsInt();
  if (value.is_undefined()) FailUndefined(value);
  if (value.Is(ValueKind::kBigInt)) Fail(StrCat(what, " is too large"), ErrorCode::kLimit);
  Fail(StrCat(what, " must be an integer, not ", TypeName(value)));
}

double FloatOf(const Value& value, std::string_view what) {
  if (value.is_number()) return ToDouble(value);
  if (value.is_undefined()) FailUndefined(value);
  Fail(StrCat(what, " must be a number, not ", TypeName(value)));
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '\'': out += "&#39;"; break;
      case '"': out += "&#34;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace lfm::jinja
