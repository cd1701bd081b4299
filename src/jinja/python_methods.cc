// Methods of list, tuple and dict, and which of all names are methods.
#include <algorithm>

#include "base/strings.h"
#include "jinja/builtins.h"
#include "jinja/eval.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"

namespace lfm::jinja {
namespace {

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value CallDictMethod(Interpreter& interpreter, const Value& object, std::string_view name, const CallArguments& arguments) {
  Heap& heap = interpreter.heap();
  const DictObject& dict = object.AsDict();
  if (name == "get") {
    const Parameters p("get", arguments, {"key", "default"}, 1);
    if (!arguments.keywords.empty()) Fail("dict.get() takes no keyword arguments");
    if (!IsHashable(p[0])) Fail(StrCat("unhashable type: '", TypeName(p[0]), "'"));
    const Value* found = dict.Find(p[0]);
    return found ? *found : p.Has(1) ? p[1] : Value::None();
  }
  const Parameters p(name, arguments, {});
  if (name == "items") return heap.View(object, ViewObject::What::kItems);
  if (name == "keys") return heap.View(object, ViewObject::What::kKeys);
  if (name == "values") return heap.View(object, ViewObject::What::kValues);
  auto copy = std::make_shared<DictObject>();
  copy->items = dict.items;
  copy->index = dict.index;
  return heap.Dict(std::move(copy));
}

Value CallSequenceMethod(Interpreter& interpreter, const Value& object, std::string_view name, const CallArguments& arguments) {
  Heap& heap = interpreter.heap();
  const auto& items = object.Items();
  if (name == "copy") {
    const Parameters p("copy", arguments, {});
    return heap.List(items);
  }
  const Parameters p(name, arguments, {"value", "start", "stop"}, 1);
  heap.Step(static_cast<int64_t>(items.size()));
  const auto same = [&](const Value& item) { return Identical(item, p[0]) || Equal(item, p[0]); };
  if (name == "count") return Value::Int(std::count_if(items.begin(), items.end(), same));
  const auto length = static_cast<int64_t>(items.size());
  const auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + length : i, 0, length); };
  const int64_t begin = clamp(p.Int(1, 0)), end = clamp(p.Int(2, length));
  for (int64_t i = begin; i < end; ++i) {
    if (same(items[static_cast<size_t>(i)])) return Value::Int(i);
  }
  Fail(StrCat(TypeName(object), ".index(x): x not in ", TypeName(object)));
}

}  // namespace

MethodStatus FindMethod(const Value& object, std::string_view name) {
  switch (object.kind()) {
    case ValueKind::kString:
      if (IsStringMethod(name)) return MethodStatus::kCallable;
      return IsOneOf(name, {"encode", "translate", "maketrans", "format_map"}) ? MethodStatus::kUnsupported : MethodStatus::kNone;
    case ValueKind::kDict:
      if (IsOneOf(name, {"get", "items", "keys", "values", "copy"})) return MethodStatus::kCallable;
      if (name == "fromkeys") return MethodStatus::kUnsupported;
      return IsOneOf(name, {"clear", "pop", "popitem", "setdefault", "update"}) ? MethodStatus::kForbidden : MethodStatus::kNone;
    case ValueKind::kList:
      if (IsOneOf(name, {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"})) {
        return MethodStatus::kForbidden;
      }
      return IsOneOf(name, {"index", "count", "copy"}) ? MethodStatus::kCallable : MethodStatus::kNone;
    case ValueKind::kTuple: return IsOneOf(name, {"index", "count"}) ? MethodStatus::kCallable : MethodStatus::kNone;
    case ValueKind::kInt:
    case ValueKind::kBool:
    case ValueKind::kFloat:
      return IsOneOf(name, {"bit_length", "bit_count", "to_bytes", "is_integer", "as_integer_ratio", "hex", "real", "imag",
                            "numerator", "denominator", "conjugate"})
                 ? MethodStatus::kUnsupported
                 : MethodStatus::kNone;
    default: return MethodStatus::kNone;
  }
}

Value CallMethod(Interpreter& interpreter, const Value& object, std::string_view name, const CallArguments& arguments) {
  interpreter.heap().Step();
  if (object.is_string()) return InheritMarks(CallStringMethod(interpreter, object, name, arguments), object, arguments);
  if (object.is_dict()) return CallDictMethod(interpreter, object, name, arguments);
  return CallSequenceMethod(interpreter, object, name, arguments);
}

}  // namespace lfm::jinja
