// Operators and primaries of templates, in the order of Jinja's precedence: condition, or, and, not,
// comparison, sum,
// ~, product, power, unary.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/strings.h"
#include "jinja/parser.h"

namespace lfm::jinja {

Value TemplateString(std::string text) {
  auto object = std::make_shared<StringObject>();
  object->text = std::move(text);
  return {ValueKind::kString, std::move(object)};
}

// --- nodes ---

ExprPtr Parser::NewExpr(ExprKind kind, int line) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->line = line;
  return expr;
}

void Parser::Add(Expr& parent, ExprPtr child) const {
  if (child) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > limits_.max_depth) {
      FailAt(parent.line, StrCat("an expression deeper than the limit of ", limits_.max_depth, " levels"), ErrorCode::kLimit);
    }
  }
  parent.items.push_back(std::move(child));
}

ExprPtr Parser::Binary(ExprKind kind, std::string text, int line, ExprPtr left, ExprPtr right) const {
  auto expr = NewExpr(kind, line);
  expr->text = std::move(text);
  Add(*expr, std::move(left));
  Add(*expr, std::move(right));
  return expr;
}

ExprPtr Parser::Constant(Value value, int line) const {
  auto expr = NewExpr(ExprKind::kConstant, line);
  expr->constant = std::move(value);
  return expr;
}

int Parser::NameId(const std::string& name) {
  const auto [at, added] = name_ids_.emplace(name, static_cast<int>(names_.size()));
  if (added) names_.push_back(name);
  return at->second;
}

// --- operators ---

ExprPtr Parser::ParseExpression(bool with_condition) {
  const Nesting nesting(*this);
  return with_condition ? ParseCondition() : ParseOr();
}

ExprPtr Parser::ParseCondition() {
  const Nesting nesting(*this);
  int line = current().line;
  const size_t n_unknown = unknown_.size();
  ExprPtr value = ParseOr();
  while (SkipName("if")) {
    auto expr = NewExpr(ExprKind::kCondition, line);
    Add(*expr, std::move(value));
    Add(*expr, ParseOr());
    Add(*expr, SkipName("else") ? ParseCondition() : nullptr);
    unknown_.resize(std::min(n_unknown, unknown_.size()));
    value = std::move(expr);
    line = current().line;
  }
  return value;
}

ExprPtr Parser::ParseOr() {
  const int line = current().line;
  ExprPtr left = ParseAnd();
  while (SkipName("or")) left = Binary(ExprKind::kOr, "or", line, std::move(left), ParseAnd());
  return left;
}

ExprPtr Parser::ParseAnd() {
  const int line = current().line;
  ExprPtr left = ParseNot();
  while (SkipName("and")) left = Binary(ExprKind::kAnd, "and", line, std::move(left), ParseNot());
  return left;
}

ExprPtr Parser::ParseNot() {
  const Nesting nesting(*this);
  if (!IsName("not")) return ParseCompare();
  auto expr = NewExpr(ExprKind::kNot, Next().line);
  Add(*expr, ParseNot());
  return expr;
}

ExprPtr Parser::ParseCompare() {
  const int line = current().line;
  ExprPtr first = ParseSum();
  ExprPtr expr;
  for (;;) {
    std::string op;
    if (current().type == TokenType::kOperator) {
      for (const std::string_view comparison : {"==", "!=", "<", "<=", ">", ">="}) {
        if (current().text == comparison) op = comparison;
      }
      if (op.empty()) break;
      Next();
    } else if (SkipName("in")) {
      op = "in";
    } else if (IsName("not") && look().type == TokenType::kName && look().text == "in") {
      Next(), Next();
      op = "not in";
    } else {
      break;
    }
    if (!expr) {
      expr = NewExpr(ExprKind::kCompare, line);
      Add(*expr, std::move(first));
    }
    expr->operators.push_back(std::move(op));
    Add(*expr, ParseSum());
  }
  return expr ? std::move(expr) : std::move(first);
}

ExprPtr Parser::ParseSum() {
  int line = current().line;
  ExprPtr left = ParseConcat();
  while (IsOperator("+") || IsOperator("-")) {
    std::string op = Next().text;
    left = Binary(ExprKind::kBinary, std::move(op), line, std::move(left), ParseConcat());
    line = current().line;
  }
  return left;
}

ExprPtr Parser::ParseConcat() {
  const int line = current().line;
  ExprPtr first = ParseProduct();
  if (!IsOperator("~")) return first;
  auto expr = NewExpr(ExprKind::kConcat, line);
  Add(*expr, std::move(first));
  while (SkipOperator("~")) Add(*expr, ParseProduct());
  return expr;
}

ExprPtr Parser::ParseProduct() {
  int line = current().line;
  ExprPtr left = ParsePower();
  while (IsOperator("*") || IsOperator("/") || IsOperator("//") || IsOperator("%")) {
    std::string op = Next().text;
    left = Binary(ExprKind::kBinary, std::move(op), line, std::move(left), ParsePower());
    line = current().line;
  }
  return left;
}

ExprPtr Parser::ParsePower() {
  const int line = current().line;
  ExprPtr left = ParseUnary();
  while (SkipOperator("**")) left = Binary(ExprKind::kBinary, "**", line, std::move(left), ParseUnary());
  return left;
}

ExprPtr Parser::ParseUnary(bool with_filter) {
  const Nesting nesting(*this);
  const int line = current().line;
  ExprPtr node;
  if (IsOperator("-") || IsOperator("+")) {
    node = NewExpr(Next().text == "-" ? ExprKind::kNegate : ExprKind::kPositive, line);
    Add(*node, ParseUnary(false));
  } else {
    node = ParsePrimary();
  }
  node = ParsePostfix(std::move(node));
  return with_filter ? ParseFilterExpression(std::move(node)) : std::move(node);
}

// --- primaries ---

ExprPtr Parser::ParseNamePrimary(bool with_namespace) {
  const Token& token = Next();
  const std::string& text = token.text;
  if (text == "true" || text == "True") return Constant(Value::Bool(true), token.line);
  if (text == "false" || text == "False") return Constant(Value::Bool(false), token.line);
  if (text == "none" || text == "None") return Constant(Value::None(), token.line);
  if (with_namespace && SkipOperator(".")) {
    auto expr = NewExpr(ExprKind::kNamespaceRef, token.line);
    expr->name = NameId(text);
    expr->text = ExpectAnyName();
    return expr;
  }
  for (MacroNode* macro : macros_) {
    macro->uses_caller |= text == "caller";
    macro->uses_kwargs |= text == "kwargs";
    macro->uses_varargs |= text == "varargs";
  }
  auto expr = NewExpr(ExprKind::kName, token.line);
  expr->name = NameId(text);
  return expr;
}

ExprPtr Parser::ParseNumber() {
  const Token& token = Next();
  const char* begin = token.text.data();
  const char* end = begin + token.text.size();
  if (token.type == TokenType::kFloat) {
    double value = 0;
    if (std::from_chars(begin, end, value).ec == std::errc::result_out_of_range) {
      value = token.text.find("e-") != std::string::npos || token.text.find("E-") != std::string::npos ? 0 : HUGE_VAL;
    }
    return Constant(Value::Float(value), token.line);
  }
  int base = 10;
  if (token.text.size() > 1 && token.text[0] == '0') {
    const char mark = static_cast<char>(token.text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base != 10) begin += 2;
  }
  int64_t value = 0;
  if (std::from_chars(begin, end, value, base).ec == std::errc()) return Constant(Value::Int(value), token.line);
  if (base != 10) FailAt(token.line, "an integer beyond 64 bits in this base is not supported", ErrorCode::kUnsupported);
  auto big = std::make_shared<StringObject>();
  big->text = token.text;
  return Constant(Value(ValueKind::kBigInt, std::move(big)), token.line);
}

ExprPtr Parser::ParsePrimary(bool with_namespace) {
  const Nesting nesting(*this);
  const int line = current().line;
  switch (current().type) {
    case TokenType::kName: return ParseNamePrimary(with_namespace);
    case TokenType::kString: {
      std::string text;
      while (current().type == TokenType::kString) text += Next().text;
      return Constant(TemplateString(std::move(text)), line);
    }
    case TokenType::kInteger:
    case TokenType::kFloat: return ParseNumber();
    default: break;
  }
  if (SkipOperator("(")) {
    TupleOptions options;
    options.parentheses = true;
    ExprPtr tuple = ParseTuple(options);
    ExpectOperator(")");
    return tuple;
  }
  if (IsOperator("[")) return ParseList();
  if (IsOperator("{")) return ParseDict();
  FailAt(line, StrCat("unexpected '", Describe(current()), "'"));
}

ExprPtr Parser::ParseTuple(const TupleOptions& options) {
  const Nesting nesting(*this);
  auto tuple = NewExpr(ExprKind::kTuple, current().line);
  bool is_tuple = false;
  for (;;) {
    if (!tuple->items.empty()) ExpectOperator(",");
    const TokenType type = current().type;
    if (type == TokenType::kVariableEnd || type == TokenType::kBlockEnd || IsOperator(")") ||
        (!options.end_name.empty() && IsName(options.end_name))) {
      break;
    }
    Add(*tuple, options.primaries_only ? ParsePrimary(options.with_namespace) : ParseExpression(options.with_condition));
    if (!IsOperator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return tuple;
  if (!tuple->items.empty()) return std::move(tuple->items[0]);
  if (!options.parentheses) {
    FailAt(current().line, StrCat("expected an expression, got '", Describe(current()), "'"));
  }
  return tuple;
}

ExprPtr Parser::ParseList() {
  auto list = NewExpr(ExprKind::kList, Next().line);
  while (!IsOperator("]")) {
    if (!list->items.empty()) ExpectOperator(",");
    if (IsOperator("]")) break;
    Add(*list, ParseExpression());
  }
  Next();
  return list;
}

ExprPtr Parser::ParseDict() {
  auto dict = NewExpr(ExprKind::kDict, Next().line);
  while (!IsOperator("}")) {
    if (!dict->items.empty()) ExpectOperator(",");
    if (IsOperator("}")) break;
    Add(*dict, ParseExpression());
    ExpectOperator(":");
    Add(*dict, ParseExpression());
  }
  Next();
  return dict;
}

}  // namespace lfm::jinja
