// Expressions: evaluation, names, attributes and items.
#include "jinja/eval.h"

#include <algorithm>

#include "base/strings.h"
#include "jinja/loop.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"

namespace lfm::jinja {

// --- scopes ---

const Value* Scope::FindOwn(int name) const {
  if (!dense.empty()) {
    const Value& value = dense[static_cast<size_t>(name)];
    return value.is_missing() ? nullptr : &value;
  }
  for (const auto& [id, value] : variables) {
    if (id == name) return &value;
  }
  return nullptr;
}

const Value* Scope::Find(int name) const {
  for (const Scope* scope = this; scope; scope = scope->parent.get()) {
    if (const Value* value = scope->FindOwn(name)) return value;
  }
  return nullptr;
}

void Scope::Set(int name, Value value) {
  if (!dense.empty()) {
    dense[static_cast<size_t>(name)] = std::move(value);
  } else if (const Value* found = FindOwn(name)) {
    *const_cast<Value*>(found) = std::move(value);
  } else {
    variables.emplace_back(name, std::move(value));
  }
}

// --- the interpreter ---

Interpreter::Interpreter(const Program& program, const RenderOptions& options)
    : program_(program), options_(options), limits_(options.limits),
      heap_(
          [&limits = options.limits] {
            HeapLimits heap;
            heap.max_steps = limits.max_steps;
            heap.max_bytes = limits.max_memory;
            heap.max_string = std::min(limits.max_output * 2, limits.max_memory);
            heap.max_range = limits.max_range;
            return heap;
          }(),
          options.cancel) {
  for (size_t i = 0; i < program.names.size(); ++i) {
    const std::string& name = program.names[i];
    const int id = static_cast<int>(i);
    if (name == "loop") loop_name_ = id;
    if (name == "caller") caller_name_ = id;
    if (name == "kwargs") kwargs_name_ = id;
    if (name == "varargs") varargs_name_ = id;
  }
}

Interpreter::~Interpreter() {
  if (root_) root_->dense.clear();  // macros hold the scope that holds them
}

MarkedText Interpreter::Render(const Json& variables) {
  root_ = std::make_shared<Scope>();
  root_->dense.resize(program_.names.size() + 1);  // never empty: that marks it as the root
  MarkedText out;
  out_ = &out;
  try {
    for (size_t i = 0; i < program_.names.size(); ++i) {
      if (IsGlobalFunction(program_.names[i])) root_->dense[i] = heap_.Function(program_.names[i]);
      if (const Json* value = variables.Find(program_.names[i])) root_->dense[i] = FromJson(heap_, *value, options_.marks);
    }
    Execute(program_.body, root_);
  } catch (PythonError& error) {
    if (error.line == 0) error.line = line_;
    throw;
  }
  return out;
}

LocalTime Interpreter::Now() const { return options_.clock ? options_.clock() : SystemTime(); }

Interpreter::Level::Level(Interpreter& interpreter) : interpreter_(interpreter) {
  interpreter_.heap_.Step();
  if (interpreter_.depth_ >= interpreter_.limits_.max_depth) {
    Fail(StrCat("evaluation is nested deeper than the limit of ", interpreter_.limits_.max_depth, " levels"), ErrorCode::kLimit);
  }
  ++interpreter_.depth_;
}

// --- expressions ---

Value Interpreter::Evaluate(const Expr& expr, const ScopePtr& scope) {
  switch (expr.kind) {  // what needs no recursion
    case ExprKind::kConstant: return expr.constant;
    case ExprKind::kName: heap_.Step(); return EvaluateName(expr, scope);
    default: break;
  }
  const Level level(*this);
  line_ = expr.line;
  return EvaluateNode(expr, scope);
}

Value Interpreter::EvaluateNode(const Expr& expr, const ScopePtr& scope) {
  const auto operand = [&](size_t i) { return Evaluate(*expr.items[i], scope); };
  switch (expr.kind) {
    case ExprKind::kTuple: return heap_.Tuple(EvaluateItems(expr, scope));
    case ExprKind::kList: return heap_.List(EvaluateItems(expr, scope));
    case ExprKind::kDict: return EvaluateDict(expr, scope);
    case ExprKind::kGetAttr: {
      const Value object = operand(0);
      line_ = expr.line;
      return GetAttr(object, expr.constant);
    }
    case ExprKind::kGetItem: {
      const Value object = operand(0), key = operand(1);
      line_ = expr.line;
      return GetItem(object, key);
    }
    case ExprKind::kSlice: return EvaluateSlice(expr, scope);
    case ExprKind::kCall: return EvaluateCall(expr, scope);
    case ExprKind::kFilter: return EvaluateFilter(expr, scope);
    case ExprKind::kTest: {
      const Value value = operand(0);
      const CallArguments arguments = EvaluateArguments(expr, scope);
      line_ = expr.line;
      if (!expr.test) Fail(StrCat("no test named ", Quote(expr.text)));
      return Value::Bool(expr.test(*this, value, arguments));
    }
    case ExprKind::kNot: return Value::Bool(!Truth(operand(0)));
    case ExprKind::kNegate: return Negate(heap_, operand(0));
    case ExprKind::kPositive: return Positive(operand(0));
    case ExprKind::kBinary: {
      const Value left = operand(0), right = operand(1);
      line_ = expr.line;
      return Arithmetic(heap_, expr.text, left, right);
    }
    case ExprKind::kAnd: {
      Value left = operand(0);
      return Truth(left) ? operand(1) : left;
    }
    case ExprKind::kOr: {
      Value left = operand(0);
      return Truth(left) ? left : operand(1);
    }
    case ExprKind::kConcat: return EvaluateConcat(expr, scope);
    case ExprKind::kCompare: return EvaluateCompare(expr, scope);
    case ExprKind::kCondition: return EvaluateCondition(expr, scope);
    default: Fail("this expression has no value", ErrorCode::kInternal);
  }
}

std::vector<Value> Interpreter::EvaluateItems(const Expr& expr, const ScopePtr& scope) {
  std::vector<Value> items;
  items.reserve(expr.items.size());
  for (const auto& item : expr.items) items.push_back(Evaluate(*item, scope));
  return items;
}

Value Interpreter::EvaluateName(const Expr& expr, const ScopePtr& scope) {
  const Value* value = scope->Find(expr.name);
  return value ? *value : heap_.UndefinedName(program_.names[static_cast<size_t>(expr.name)]);
}

Value Interpreter::EvaluateDict(const Expr& expr, const ScopePtr& scope) {
  auto dict = std::make_shared<DictObject>();
  for (size_t i = 0; i < expr.items.size(); i += 2) {
    Value key = Evaluate(*expr.items[i], scope);
    Value value = Evaluate(*expr.items[i + 1], scope);
    if (!IsHashable(key)) Fail(StrCat("unhashable type: '", TypeName(key), "'"));
    dict->Set(std::move(key), std::move(value));
  }
  return heap_.Dict(std::move(dict));
}

Value Interpreter::EvaluateSlice(const Expr& expr, const ScopePtr& scope) {
  const auto part = [&](size_t i) { return expr.items[i] ? Evaluate(*expr.items[i], scope) : Value(); };
  const Value object = part(0), begin = part(1), end = part(2), step = part(3);
  line_ = expr.line;
  return Slice(heap_, object, begin, end, step);
}

Value Interpreter::EvaluateConcat(const Expr& expr, const ScopePtr& scope) {
  MarkedText text;
  for (const auto& item : expr.items) {
    AppendStr(text, Evaluate(*item, scope));
    heap_.CheckString(text.text.size());
  }
  return heap_.String(std::move(text));
}

Value Interpreter::EvaluateCompare(const Expr& expr, const ScopePtr& scope) {
  Value left = Evaluate(*expr.items[0], scope);
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = Evaluate(*expr.items[i + 1], scope);
    const std::string& op = expr.operators[i];
    line_ = expr.line;
    bool holds = false;
    if (op == "==")
      holds = Equal(left, right);
    else if (op == "!=")
      holds = !Equal(left, right);
    else if (op == "<")
      holds = Less(left, right);
    else if (op == "<=")
      holds = LessOrEqual(left, right);
    else if (op == ">")
      holds = Less(right, left, ">");
    else if (op == ">=")
      holds = LessOrEqual(right, left, ">=");
    else
      holds = Contains(heap_, right, left) == (op == "in");
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Value Interpreter::EvaluateCondition(const Expr& expr, const ScopePtr& scope) {
  if (Truth(Evaluate(*expr.items[1], scope))) return Evaluate(*expr.items[0], scope);
  if (expr.items[2]) return Evaluate(*expr.items[2], scope);
  return heap_.UndefinedHint(
      StrCat("the inline if-expression on line ", expr.line, " evaluated to false and no else section was defined."));
}

Value Interpreter::EvaluateFilter(const Expr& expr, const ScopePtr& scope, const Value* input) {
  // A chain of filters at the head of a block ends in a filter without a node: `input` stands there.
  Value value = expr.items[0] ? (input && expr.items[0]->kind == ExprKind::kFilter ? EvaluateFilter(*expr.items[0], scope, input)
                                                                                   : Evaluate(*expr.items[0], scope))
                              : (input ? *input : Value::None());
  const CallArguments arguments = EvaluateArguments(expr, scope);
  line_ = expr.line;
  if (!expr.filter) Fail(StrCat("no filter named ", Quote(expr.text)));
  return InheritMarks(expr.filter(*this, value, arguments), value, arguments);
}

Value Interpreter::CallFilter(const std::string& name, const Value& input, const CallArguments& arguments) {
  const FilterFunction filter = FindFilter(name);
  if (!filter) Fail(StrCat("no filter named ", Quote(name)));
  const Level level(*this);
  return InheritMarks(filter(*this, input, arguments), input, arguments);
}

bool Interpreter::CallTest(const std::string& name, const Value& input, const CallArguments& arguments) {
  const TestFunction test = FindTest(name);
  if (!test) Fail(StrCat("no test named ", Quote(name)));
  heap_.Step();
  return test(*this, input, arguments);
}

// --- attributes and items ---

bool IsInternalName(std::string_view name) { return name.size() > 4 && name.starts_with("__") && name.ends_with("__"); }

Value Interpreter::FindAttribute(const Value& object, const std::string& name) {
  const auto unsafe = [&] {
    return heap_.UndefinedHint(StrCat("access to attribute ", Quote(name), " of '", TypeName(object), "' object is unsafe"));
  };
  if (object.is_undefined()) FailUndefined(object);
  if (object.Is(ValueKind::kNamespace)) {
    const Value* value = object.As<NamespaceObject>().Find(name);
    return value ? *value : Value();
  }
  if (IsInternalName(name)) return unsafe();
  switch (object.kind()) {
    case ValueKind::kLoop: return LoopAttribute(heap_, object, name);
    case ValueKind::kCycler: {
      auto& cycler = object.As<CyclerObject>();
      if (name == "current") return cycler.items[cycler.next];
      return name == "next" || name == "reset" ? heap_.Method(object, name) : Value();
    }
    case ValueKind::kMacro: return name == "name" ? heap_.String(object.As<MacroObject>().node->name) : Value();
    case ValueKind::kFunction:
      return object.As<FunctionObject>().name == "dict" && name == "fromkeys" ? heap_.Method(object, name) : Value();
    default: break;
  }
  switch (FindMethod(object, name)) {
    case MethodStatus::kNone: return Value();
    case MethodStatus::kCallable: return heap_.Method(object, name);
    case MethodStatus::kForbidden: return unsafe();
    case MethodStatus::kUnsupported:
      Fail(StrCat("the method '", name, "' of ", TypeName(object), " is not supported"), ErrorCode::kUnsupported);
  }
  return Value();
}

Value Interpreter::GetAttr(const Value& object, const Value& name) {
  Value attribute = FindAttribute(object, name.AsString());
  if (!attribute.is_missing()) return attribute;
  if (object.is_dict()) {
    if (const Value* found = object.AsDict().Find(name.AsString())) return *found;
  }
  return heap_.UndefinedMember(object, name);
}

Value Interpreter::GetItem(const Value& object, const Value& key) {
  if (auto item = Subscript(heap_, object, key)) return std::move(*item);
  if (key.is_string()) {
    Value attribute = FindAttribute(object, key.AsString());
    if (!attribute.is_missing()) return attribute;
  }
  return heap_.UndefinedMember(object, key);
}

}  // namespace lfm::jinja
