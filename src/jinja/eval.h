// Renders a parsed template: one Interpreter per rendering, used by one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "jinja/jinja.h"
#include "jinja/ast.h"
#include "jinja/builtins.h"
#include "jinja/macro.h"
#include "jinja/python_value.h"

namespace lfm::jinja {

class Interpreter {
 public:
  Interpreter(const Program& program, const RenderOptions& options);
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;
  ~Interpreter();

  // The whole rendering. Fails with a PythonError that names the line.
  MarkedText Render(const Json& variables);

  // --- for filters, tests and functions ---
  Heap& heap() { return heap_; }
  LocalTime Now() const;
  Value GetAttr(const Value& object, const Value& name);  // object.name
  Value GetItem(const Value& object, const Value& key);   // object[key]
  // The attribute alone, without a fallback to the item; missing if there is none.
  Value FindAttribute(const Value& object, const std::string& name);
  Value Call(const Value& callee, CallArguments arguments);
  Value CallFilter(const std::string& name, const Value& input, const CallArguments& arguments);
  bool CallTest(const std::string& name, const Value& input, const CallArguments& arguments);

 private:
  enum class Flow { kNext, kBreak, kContinue };

  // Counts a level of recursion and a step.
  class Level {
   public:
    explicit Level(Interpreter& interpreter);
    ~Level() { --interpreter_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Interpreter& interpreter_;
  };

  // --- statements (jinja_exec.cc) ---
  Flow Execute(const Body& body, const ScopePtr& scope);
  Flow Execute(const Stmt& stmt, const ScopePtr& scope);
  Flow ExecuteIf(const Stmt& stmt, const ScopePtr& scope);
  void ExecuteFor(const Stmt& stmt, const ScopePtr& scope, const Value& iterable, int64_t depth0);
  Value MakeLoop(const Stmt& stmt, const ScopePtr& scope, const Value& iterable, int64_t depth0);
  void ExecuteWith(const Stmt& stmt, const ScopePtr& scope);
  void ExecuteCallBlock(const Stmt& stmt, const ScopePtr& scope);
  // The text that a body writes, in a scope of its own below `scope`.
  MarkedText Capture(const Body& body, const ScopePtr& scope);
  MarkedText Capture(const std::function<void()>& write);
  void Assign(const Expr& target, const Value& value, const ScopePtr& scope);
  void AssignTuple(const Expr& target, const Value& value, const ScopePtr& scope);
  void Write(const Value& value);
  void Write(const MarkedText& text);
  void ReserveOutput(size_t n_bytes);
  Value MakeMacro(const MacroNode& node, const ScopePtr& scope);

  // --- calls (jinja_call.cc) ---
  Value EvaluateCall(const Expr& expr, const ScopePtr& scope, const Value* caller = nullptr);
  CallArguments EvaluateArguments(const Expr& expr, const ScopePtr& scope);
  Value CallMacro(const Value& macro, CallArguments arguments);
  void BindMacro(const MacroObject& macro, CallArguments& arguments, const ScopePtr& scope);
  Value CallLoop(const Value& loop, const CallArguments& arguments);
  Value CallBound(const MethodObject& method, const CallArguments& arguments);

  // --- expressions (jinja_eval.cc) ---
  Value Evaluate(const Expr& expr, const ScopePtr& scope);
  Value EvaluateNode(const Expr& expr, const ScopePtr& scope);
  Value EvaluateName(const Expr& expr, const ScopePtr& scope);
  Value EvaluateDict(const Expr& expr, const ScopePtr& scope);
  Value EvaluateSlice(const Expr& expr, const ScopePtr& scope);
  Value EvaluateCompare(const Expr& expr, const ScopePtr& scope);
  Value EvaluateCondition(const Expr& expr, const ScopePtr& scope);
  Value EvaluateConcat(const Expr& expr, const ScopePtr& scope);
  Value EvaluateFilter(const Expr& expr, const ScopePtr& scope, const Value* input = nullptr);
  std::vector<Value> EvaluateItems(const Expr& expr, const ScopePtr& scope);

  const Program& program_;
  const RenderOptions& options_;
  const RenderLimits& limits_;
  Heap heap_;
  ScopePtr root_;
  MarkedText* out_ = nullptr;
  int depth_ = 0;
  int line_ = 0;
  int loop_name_ = -1, caller_name_ = -1, kwargs_name_ = -1, varargs_name_ = -1;
};

// Names of attributes that Python objects have and the sandbox refuses.
bool IsInternalName(std::string_view name);

}  // namespace lfm::jinja
