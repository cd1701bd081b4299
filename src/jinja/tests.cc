// Tests of templates: what stands behind "is".
#include <algorithm>

#include "base/strings.h"
#include "jinja/builtins.h"
#include "jinja/eval.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"
#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

using Arguments = const CallArguments&;

void NoArguments(std::string_view name, Arguments a) { const Parameters p(name, a, {}); }
Value One(std::string_view name, Arguments a) {
  const Parameters p(name, a, {"other"}, 1);
  return p[0];
}

// Tests of the value alone.
template <bool (*kHolds)(const Value&)>
bool Plain(Interpreter&, const Value& value, Arguments a) {
  NoArguments("test", a);
  return kHolds(value);
}

bool IsDefined(const Value& v) { return !v.is_undefined(); }
bool IsUndefinedValue(const Value& v) { return v.is_undefined(); }
bool IsNoneValue(const Value& v) { return v.is_none(); }
bool IsBoolean(const Value& v) { return v.Is(ValueKind::kBool); }
bool IsFalse(const Value& v) { return v.Is(ValueKind::kBool) && !v.AsBool(); }
bool IsTrue(const Value& v) { return v.Is(ValueKind::kBool) && v.AsBool(); }
bool IsIntegerValue(const Value& v) { return v.is_integer() && !v.Is(ValueKind::kBool); }
bool IsFloatValue(const Value& v) { return v.Is(ValueKind::kFloat); }
bool IsNumberValue(const Value& v) { return v.is_number(); }
bool IsStringValue(const Value& v) { return v.is_string(); }
bool IsMappingValue(const Value& v) { return v.is_dict(); }
bool IsEscaped(const Value& v) { return v.IsMarkup(); }
bool IsSequenceValue(const Value& v) {
  return v.is_string() || v.is_sequence() || v.is_dict() || v.is_undefined() || v.Is(ValueKind::kRange);
}
bool IsCallableValue(const Value& v) {
  switch (v.kind()) {
    case ValueKind::kUndefined:
    case ValueKind::kFunction:
    case ValueKind::kMethod:
    case ValueKind::kMacro:
    case ValueKind::kLoop:
    case ValueKind::kJoiner: return true;
    default: return false;
  }
}

bool CaseTest(Interpreter& in, const Value& value, std::string_view method) {
  return CallStringMethod(in, in.heap().String(Str(value)), method, {}).AsBool();
}
bool IsLowerText(Interpreter& in, const Value& value, Arguments a) {
  NoArguments("lower", a);
  return CaseTest(in, value, "islower");
}
bool IsUpperText(Interpreter& in, const Value& value, Arguments a) {
  NoArguments("upper", a);
  return CaseTest(in, value, "isupper");
}

bool Remainder(Interpreter& in, const Value& value, const Value& divisor, int64_t wanted) {
  return Equal(Arithmetic(in.heap(), "%", value, divisor), Value::Int(wanted));
}
bool IsOdd(Interpreter& in, const Value& value, Arguments a) {
  NoArguments("odd", a);
  return Remainder(in, value, Value::Int(2), 1);
}
bool IsEven(Interpreter& in, const Value& value, Arguments a) {
  NoArguments("even", a);
  return Remainder(in, value, Value::Int(2), 0);
}
bool IsDivisibleBy(Interpreter& in, const Value& value, Arguments a) { return Remainder(in, value, One("divisibleby", a), 0); }

bool IsEqual(Interpreter&, const Value& value, Arguments a) { return Equal(value, One("eq", a)); }
bool IsNotEqual(Interpreter&, const Value& value, Arguments a) { return !Equal(value, One("ne", a)); }
bool IsLess(Interpreter&, const Value& value, Arguments a) { return Less(value, One("lt", a)); }
bool IsLessOrEqual(Interpreter&, const Value& value, Arguments a) { return LessOrEqual(value, One("le", a)); }
bool IsGreater(Interpreter&, const Value& value, Arguments a) { return Less(One("gt", a), value, ">"); }
bool IsGreaterOrEqual(Interpreter&, const Value& value, Arguments a) { return LessOrEqual(One("ge", a), value, ">="); }
bool IsIn(Interpreter& in, const Value& value, Arguments a) { return Contains(in.heap(), One("in", a), value); }

// Python shares small integers and equal constants; texts are compared by value, which is what templates
// mean.
bool IsSameAs(Interpreter&, const Value& value, Arguments a) {
  const Value other = One("sameas", a);
  if (value.is_string() && other.is_string()) return value.AsString() == other.AsString();
  return Identical(value, other);
}

bool IsFilterName(Interpreter&, const Value& value, Arguments a) {
  NoArguments("filter", a);
  return value.is_string() && FindFilter(value.AsString());
}
bool IsTestName(Interpreter&, const Value& value, Arguments a) {
  NoArguments("test", a);
  return value.is_string() && FindTest(value.AsString());
}

struct TestEntry {
  std::string_view name;
  TestFunction function;
};
constexpr TestEntry kTests[] = {
    {"defined", Plain<IsDefined>},
    {"undefined", Plain<IsUndefinedValue>},
    {"none", Plain<IsNoneValue>},
    {"boolean", Plain<IsBoolean>},
    {"false", Plain<IsFalse>},
    {"true", Plain<IsTrue>},
    {"integer", Plain<IsIntegerValue>},
    {"float", Plain<IsFloatValue>},
    {"number", Plain<IsNumberValue>},
    {"string", Plain<IsStringValue>},
    {"mapping", Plain<IsMappingValue>},
    {"sequence", Plain<IsSequenceValue>},
    {"iterable", Plain<IsIterable>},
    {"callable", Plain<IsCallableValue>},
    {"escaped", Plain<IsEscaped>},
    {"lower", IsLowerText},
    {"upper", IsUpperText},
    {"odd", IsOdd},
    {"even", IsEven},
    {"divisibleby", IsDivisibleBy},
    {"sameas", IsSameAs},
    {"in", IsIn},
    {"filter", IsFilterName},
    {"test", IsTestName},
    {"==", IsEqual},
    {"eq", IsEqual},
    {"equalto", IsEqual},
    {"!=", IsNotEqual},
    {"ne", IsNotEqual},
    {">", IsGreater},
    {"gt", IsGreater},
    {"greaterthan", IsGreater},
    {">=", IsGreaterOrEqual},
    {"ge", IsGreaterOrEqual},
    {"<", IsLess},
    {"lt", IsLess},
    {"lessthan", IsLess},
    {"<=", IsLessOrEqual},
    {"le", IsLessOrEqual},
};

}  // namespace

TestFunction FindTest(std::string_view name) {
  for (const TestEntry& test : kTests) {
    if (test.name == name) return test.function;
  }
  return nullptr;
}

}  // namespace lfm::jinja
