// Statements: output, conditions, loops, assignments, macros and blocks.
#include <algorithm>

#include "base/strings.h"
#include "jinja/eval.h"
#include "jinja/loop.h"
#include "jinja/marks.h"
#include "jinja/python_ops.h"
#include "jinja/python_repr.h"

namespace lfm::jinja {
namespace {

ScopePtr NewScope(const ScopePtr& parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = parent;
  return scope;
}

// Lets go of a scope's variables at its end: a macro defined inside holds the scope that holds it.
class ScopeEnd {
 public:
  explicit ScopeEnd(ScopePtr scope) : scope_(std::move(scope)) {}
  ~ScopeEnd() { scope_->variables.clear(); }
  ScopeEnd(const ScopeEnd&) = delete;
  ScopeEnd& operator=(const ScopeEnd&) = delete;

 private:
  ScopePtr scope_;
};

}  // namespace

void Interpreter::Write(const Value& value) {
  if (!value.is_string()) {
    MarkedText text;
    AppendStr(text, value);
    return Write(text);
  }
  ReserveOutput(value.AsString().size());
  AppendStr(*out_, value);
}

void Interpreter::Write(const MarkedText& text) {
  ReserveOutput(text.text.size());
  Append(*out_, text);
}

void Interpreter::ReserveOutput(size_t n_bytes) {
  if (out_->text.size() + n_bytes > limits_.max_output) {
    Fail(StrCat("the text grows beyond the limit of ", HumanBytes(limits_.max_output)), ErrorCode::kLimit);
  }
  heap_.StepBytes(n_bytes);
}

MarkedText Interpreter::Capture(const std::function<void()>& write) {
  MarkedText text;
  MarkedText* const outer = out_;
  out_ = &text;
  try {
    write();
  } catch (...) {
    out_ = outer;
    throw;
  }
  out_ = outer;
  return text;
}

MarkedText Interpreter::Capture(const Body& body, const ScopePtr& scope) {
  const ScopePtr inner = NewScope(scope);
  const ScopeEnd end(inner);
  return Capture([&] { Execute(body, inner); });
}

Interpreter::Flow Interpreter::Execute(const Body& body, const ScopePtr& scope) {
  for (const auto& stmt : body) {
    const Flow flow = Execute(*stmt, scope);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::Execute(const Stmt& stmt, const ScopePtr& scope) {
  const Level level(*this);
  line_ = stmt.line;
  switch (stmt.kind) {
    case StmtKind::kOutput:
      for (const auto& expr : stmt.exprs) {
        Write(Evaluate(*expr, scope));
      }
      break;
    case StmtKind::kIf: return ExecuteIf(stmt, scope);
    case StmtKind::kFor: {
      const Value iterable = Evaluate(*stmt.value, scope);
      if (!stmt.recursive) {
        ExecuteFor(stmt, scope, iterable, 0);
      } else {  // it writes only when it is complete
        Write(Capture([&] { ExecuteFor(stmt, scope, iterable, 0); }));
      }
      break;
    }
    case StmtKind::kSet: Assign(*stmt.target, Evaluate(*stmt.value, scope), scope); break;
    case StmtKind::kSetBlock: {
      Value text = heap_.String(Capture(stmt.body, scope));
      if (stmt.value) text = EvaluateFilter(*stmt.value, scope, &text);
      Assign(*stmt.target, text, scope);
      break;
    }
    case StmtKind::kMacro: scope->Set(stmt.name, MakeMacro(*stmt.macro, scope)); break;
    case StmtKind::kCallBlock: ExecuteCallBlock(stmt, scope); break;
    case StmtKind::kGeneration: Write(CallMacro(MakeMacro(*stmt.macro, scope), {})); break;
    case StmtKind::kFilterBlock: {
      const Value text = heap_.String(Capture(stmt.body, scope));
      Write(EvaluateFilter(*stmt.value, scope, &text));
      break;
    }
    case StmtKind::kWith: ExecuteWith(stmt, scope); break;
    case StmtKind::kBlock: {  // a block sees the template's own variables, none of those around it
      const ScopePtr inner = NewScope(root_);
      const ScopeEnd end(inner);
      Execute(stmt.body, inner);
      break;
    }
    case StmtKind::kBreak: return Flow::kBreak;
    case StmtKind::kContinue: return Flow::kContinue;
  }
  return Flow::kNext;
}

Interpreter::Flow Interpreter::ExecuteIf(const Stmt& stmt, const ScopePtr& scope) {
  for (const Branch& branch : stmt.branches) {
    if (Truth(Evaluate(*branch.test, scope))) return Execute(branch.body, scope);
  }
  return Execute(stmt.else_body, scope);
}

Value Interpreter::MakeLoop(const Stmt& stmt, const ScopePtr& scope, const Value& iterable, int64_t depth0) {
  auto loop = std::make_shared<LoopObject>();
  heap_.Adopt(*loop, 0, DepthOf(iterable));
  loop->depth0 = depth0;
  std::function<std::optional<Value>()> source;
  if (iterable.Is(ValueKind::kIterator)) {
    source = [iterable] { return NextOf(iterable); };
  } else {
    auto items = std::make_shared<std::vector<Value>>(Iterate(heap_, iterable));
    if (!stmt.test) loop->length = static_cast<int64_t>(items->size());
    source = [items, next = size_t{0}]() mutable {
      return next < items->size() ? std::optional<Value>((*items)[next++]) : std::nullopt;
    };
  }
  if (stmt.test) {
    loop->pull = [this, &stmt, scope, source = std::move(source)]() mutable -> std::optional<Value> {
      while (auto item = source()) {
        heap_.Step();
        const ScopePtr inner = NewScope(scope);
        Assign(*stmt.target, *item, inner);
        if (Truth(Evaluate(*stmt.test, inner))) return item;
      }
      return std::nullopt;
    };
  } else {
    loop->pull = std::move(source);
  }
  if (stmt.recursive) {
    LoopObject* const self = loop.get();
    loop->recurse = [this, &stmt, scope, self](const Value& items) {
      return Capture([&] { ExecuteFor(stmt, scope, items, self->depth0 + 1); });
    };
  }
  return {ValueKind::kLoop, std::move(loop)};
}

void Interpreter::ExecuteFor(const Stmt& stmt, const ScopePtr& scope, const Value& iterable, int64_t depth0) {
  const Value value = MakeLoop(stmt, scope, iterable, depth0);
  auto& loop = value.As<LoopObject>();
  struct Finisher {
    LoopObject& loop;
    ~Finisher() { loop.Finish(); }
  } const finisher{loop};
  const ScopePtr inner = NewScope(scope);
  bool completed = false;  // a round: Jinja's "else" runs unless one came to its end without break and continue
  while (loop.Next()) {
    heap_.Step();
    const ScopeEnd end(inner);
    if (loop_name_ >= 0) inner->Set(loop_name_, value);
    Assign(*stmt.target, loop.current, inner);
    const Flow flow = Execute(stmt.body, inner);
    if (flow == Flow::kBreak) break;
    completed |= flow == Flow::kNext;
  }
  if (!completed) {
    const ScopeEnd end(inner);
    Execute(stmt.else_body, inner);
  }
}

void Interpreter::ExecuteWith(const Stmt& stmt, const ScopePtr& scope) {
  const ScopePtr inner = NewScope(scope);
  const ScopeEnd end(inner);
  for (size_t i = 0; i < stmt.targets.size(); ++i) {
    Assign(*stmt.targets[i], Evaluate(*stmt.exprs[i], scope), inner);
  }
  Execute(stmt.body, inner);
}

Value Interpreter::MakeMacro(const MacroNode& node, const ScopePtr& scope) {
  auto macro = std::make_shared<MacroObject>();
  heap_.Adopt(*macro, 0, 1);
  macro->node = &node;
  macro->closure = scope;
  return {ValueKind::kMacro, std::move(macro)};
}

void Interpreter::ExecuteCallBlock(const Stmt& stmt, const ScopePtr& scope) {
  const Value caller = MakeMacro(*stmt.macro, scope);
  Write(EvaluateCall(*stmt.value, scope, &caller));
}

// --- assignment ---

void Interpreter::Assign(const Expr& target, const Value& value, const ScopePtr& scope) {
  switch (target.kind) {
    case ExprKind::kName: scope->Set(target.name, value); break;
    case ExprKind::kTuple: AssignTuple(target, value, scope); break;
    default: {
      line_ = target.line;
      const Value* object = scope->Find(target.name);
      if (!object || !object->Is(ValueKind::kNamespace)) Fail("cannot assign attribute on non-namespace object");
      if (target.text.starts_with("_")) {
        Fail(StrCat("chat templates cannot store underscore-prefixed attributes on a namespace, but got '", target.text,
                    "'; rename the attribute"));
      }
      auto& ns = object->As<NamespaceObject>();
      if (Value* found = ns.Find(target.text)) {
        *found = value;
      } else {
        ns.attributes.emplace_back(target.text, value);
      }
    }
  }
}

void Interpreter::AssignTuple(const Expr& target, const Value& value, const ScopePtr& scope) {
  if (!IsIterable(value)) Fail(StrCat("cannot unpack non-iterable ", TypeName(value), " object"));
  const std::vector<Value> items = Iterate(heap_, value);
  if (items.size() != target.items.size()) {
    Fail(StrCat(items.size() < target.items.size() ? "not enough" : "too many", " values to unpack (expected ",
                target.items.size(), ", got ", items.size(), ")"));
  }
  for (size_t i = 0; i < items.size(); ++i) Assign(*target.items[i], items[i], scope);
}

}  // namespace lfm::jinja
