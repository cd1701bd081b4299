// Calls: of macros, loops, bound methods and global functions.
#include <algorithm>

#include "base/strings.h"
#include "jinja/eval.h"
#include "jinja/loop.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"

namespace lfm::jinja {

std::string MacroRepr(const MacroObject& macro) {
  return macro.node->name.empty() ? "<Macro anonymous>" : "<Macro " + ReprString(macro.node->name) + ">";
}

CallArguments Interpreter::EvaluateArguments(const Expr& expr, const ScopePtr& scope) {
  CallArguments arguments;
  arguments.positional.reserve(expr.arguments.size());
  for (const auto& argument : expr.arguments) arguments.positional.push_back(Evaluate(*argument, scope));
  for (const auto& [name, value] : expr.keywords) arguments.keywords.emplace_back(name, Evaluate(*value, scope));
  if (expr.star) {
    for (Value& value : Iterate(heap_, Evaluate(*expr.star, scope))) arguments.positional.push_back(std::move(value));
  }
  if (expr.star_star) {
    const Value dict = Evaluate(*expr.star_star, scope);
    if (!dict.is_dict()) Fail(StrCat("argument after ** must be a mapping, not ", TypeName(dict)));
    for (const auto& [key, value] : dict.AsDict().items) {
      if (!key.is_string()) Fail("keywords must be strings");
      arguments.keywords.emplace_back(key.AsString(), value);
    }
  }
  return arguments;
}

Value Interpreter::EvaluateCall(const Expr& expr, const ScopePtr& scope, const Value* caller) {
  const Expr& callee = *expr.items[0];
  // A method is called without making a value of it.
  if (!caller && callee.kind == ExprKind::kGetAttr) {
    const Value object = Evaluate(*callee.items[0], scope);
    line_ = callee.line;
    const std::string& name = callee.constant.AsString();
    if ((object.is_string() || object.is_dict() || object.is_sequence()) && FindMethod(object, name) == MethodStatus::kCallable) {
      const CallArguments arguments = EvaluateArguments(expr, scope);
      line_ = expr.line;
      return CallMethod(*this, object, name, arguments);
    }
    const Value function = GetAttr(object, callee.constant);
    CallArguments arguments = EvaluateArguments(expr, scope);
    line_ = expr.line;
    return Call(function, std::move(arguments));
  }
  const Value function = Evaluate(callee, scope);
  CallArguments arguments = EvaluateArguments(expr, scope);
  if (caller) arguments.keywords.emplace_back("caller", *caller);
  line_ = expr.line;
  return Call(function, std::move(arguments));
}

Value Interpreter::Call(const Value& callee, CallArguments arguments) {
  const Level level(*this);
  switch (callee.kind()) {
    case ValueKind::kMacro: return CallMacro(callee, std::move(arguments));
    case ValueKind::kLoop: return CallLoop(callee, arguments);
    case ValueKind::kFunction: return InheritMarks(CallGlobal(*this, callee.As<FunctionObject>().name, arguments), {}, arguments);
    case ValueKind::kMethod: return CallBound(callee.As<MethodObject>(), arguments);
    case ValueKind::kJoiner: {
      auto& joiner = callee.As<JoinerObject>();
      const bool first = !joiner.used;
      joiner.used = true;
      return first ? heap_.String("") : joiner.separator;
    }
    case ValueKind::kUndefined: FailUndefined(callee);
    default: Fail(StrCat("'", TypeName(callee), "' object is not callable"));
  }
}

Value Interpreter::CallBound(const MethodObject& method, const CallArguments& arguments) {
  const Value& receiver = method.receiver;
  if (receiver.Is(ValueKind::kLoop)) {
    auto& loop = receiver.As<LoopObject>();
    if (method.name == "cycle") {
      if (arguments.positional.empty()) Fail("no items for cycling given");
      return arguments.positional[static_cast<size_t>(loop.index0) % arguments.positional.size()];
    }
    const Value now = heap_.Tuple(arguments.positional);
    if (!loop.changed.is_missing() && Equal(loop.changed, now)) return Value::Bool(false);
    loop.changed = now;
    return Value::Bool(true);
  }
  if (receiver.Is(ValueKind::kCycler)) {
    auto& cycler = receiver.As<CyclerObject>();
    if (method.name == "reset") {
      cycler.next = 0;
      return Value::None();
    }
    const Value item = cycler.items[cycler.next];
    cycler.next = (cycler.next + 1) % cycler.items.size();
    return item;
  }
  if (receiver.Is(ValueKind::kFunction)) return CallGlobal(*this, "dict.fromkeys", arguments);
  return CallMethod(*this, receiver, method.name, arguments);
}

Value Interpreter::CallMacro(const Value& value, CallArguments arguments) {
  const auto& macro = value.As<MacroObject>();
  const int line = line_;
  auto scope = std::make_shared<Scope>();
  scope->parent = macro.closure;
  struct Clear {
    Scope& scope;
    ~Clear() { scope.variables.clear(); }
  } const clear{*scope};
  const Value kept = value;  // NOLINT: the macro may be overwritten while it runs
  BindMacro(macro, arguments, scope);
  MarkedText text = Capture([&] { Execute(macro.node->body, scope); });
  line_ = line;
  return heap_.String(std::move(text));
}

// Parameters take positional arguments, then keywords, then defaults, which see the parameters before them.
void Interpreter::BindMacro(const MacroObject& macro, CallArguments& arguments, const ScopePtr& scope) {
  const MacroNode& node = *macro.node;
  const std::string name = node.name.empty() ? "None" : "'" + node.name + "'";
  const size_t n = node.parameters.size(), n_given = std::min(n, arguments.positional.size());
  auto& keywords = arguments.keywords;
  const auto take = [&](std::string_view wanted) {
    const auto at = std::find_if(keywords.begin(), keywords.end(), [&](const auto& k) { return k.first == wanted; });
    if (at == keywords.end()) return Value();
    Value found = std::move(at->second);
    keywords.erase(at);
    return found;
  };
  std::vector<Value> values(arguments.positional.begin(), arguments.positional.begin() + static_cast<std::ptrdiff_t>(n_given));
  for (size_t i = n_given; i < n; ++i) values.push_back(take(program_.names[static_cast<size_t>(node.parameters[i])]));
  if (node.uses_caller && !node.explicit_caller) {
    const Value caller = take("caller");
    scope->Set(caller_name_, caller.is_missing() || caller.is_none() ? heap_.UndefinedHint("No caller defined") : caller);
  }
  if (node.uses_kwargs) {
    auto rest = std::make_shared<DictObject>();
    for (auto& [key, value] : keywords) rest->Set(heap_.Keyword(key), std::move(value));
    scope->Set(kwargs_name_, heap_.Dict(std::move(rest)));
  } else if (!keywords.empty()) {
    Fail(keywords[0].first == "caller" ? StrCat("macro ", name, " was invoked with a caller but does not use it")
                                       : StrCat("macro ", name, " takes no keyword argument '", keywords[0].first, "'"));
  }
  if (node.uses_varargs) {
    scope->Set(varargs_name_,
               heap_.Tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(n_given), arguments.positional.end()}));
  } else if (arguments.positional.size() > n) {
    Fail(StrCat("macro ", name, " takes not more than ", n, " argument(s)"));
  }
  const size_t first_default = n - node.defaults.size();
  // A parameter without a value yet hides an outer variable of its name from the defaults.
  for (size_t i = n_given; i < n; ++i) {
    scope->Set(node.parameters[i], heap_.UndefinedName(program_.names[static_cast<size_t>(node.parameters[i])]));
  }
  for (size_t i = 0; i < n; ++i) {
    if (values[i].is_missing()) {
      values[i] = i >= first_default
                      ? Evaluate(*node.defaults[i - first_default], scope)
                      : heap_.UndefinedHint(
                            StrCat("parameter '", program_.names[static_cast<size_t>(node.parameters[i])], "' was not provided"));
    }
    scope->Set(node.parameters[i], values[i]);
  }
}

}  // namespace lfm::jinja
