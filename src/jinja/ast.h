// The parsed template: a tree that never changes after parsing, so that many threads can render it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/python_value.h"

namespace lfm::jinja {

class Interpreter;
struct CallArguments;

using FilterFunction = Value (*)(Interpreter&, const Value& input, const CallArguments&);
using TestFunction = bool (*)(Interpreter&, const Value& input, const CallArguments&);

enum class ExprKind {
  kConstant,
  kName,
  kNamespaceRef,  // a target only: namespace.attribute
  kTuple,
  kList,
  kDict,     // items: key, value, key, value…
  kGetAttr,  // items[0].constant
  kGetItem,  // items[0][items[1]]
  kSlice,    // items[0][items[1]:items[2]:items[3]], null where nothing is written
  kCall,     // items[0](arguments)
  kFilter,   // items[0] | text(arguments); items[0] is null at the head of a filter block
  kTest,     // items[0] is text(arguments)
  kNot,
  kNegate,
  kPositive,
  kBinary,  // items[0] text items[1]
  kAnd,
  kOr,
  kConcat,     // all items, as text
  kCompare,    // items[0] operators[0] items[1] operators[1]…
  kCondition,  // items[0] if items[1] else items[2]; items[2] may be null
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind = ExprKind::kConstant;
  int line = 0;
  int depth = 1;  // of the tree below, for a bound on recursion
  int name = -1;  // index into Program::names
  std::string text;
  Value constant;
  std::vector<ExprPtr> items;
  std::vector<std::string> operators;
  std::vector<ExprPtr> arguments;
  std::vector<std::pair<std::string, ExprPtr>> keywords;
  ExprPtr star, star_star;
  FilterFunction filter = nullptr;
  TestFunction test = nullptr;
};

enum class StmtKind {
  kOutput,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kBlock,
  kGeneration,
  kBreak,
  kContinue
};

struct Stmt;
using Body = std::vector<std::unique_ptr<Stmt>>;

// A macro, a call block's caller, or the body of a generation block.
struct MacroNode {
  std::string name;
  std::vector<int> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  bool uses_caller = false, uses_kwargs = false,
       uses_varargs = false;  // names that the body reads undeclared
  bool explicit_caller = false, caller_needs_default = false;
  Body body;
};

struct Branch {
  ExprPtr test;
  Body body;
};

struct Stmt {
  StmtKind kind = StmtKind::kOutput;
  int line = 0;
  ExprPtr target;  // of set, set block, for
  ExprPtr value;   // of set and for (what is iterated); the filter of a set or filter block; the call
  ExprPtr test;    // of for: "if"
  bool recursive = false;
  int name = -1;                 // the variable that a macro is stored in
  std::vector<ExprPtr> exprs;    // output; values of `with`
  std::vector<ExprPtr> targets;  // of `with`
  std::vector<Branch> branches;
  Body body, else_body;
  std::unique_ptr<MacroNode> macro;
};

struct Program {
  Body body;
  std::vector<std::string> names;  // of all variables
};

}  // namespace lfm::jinja
