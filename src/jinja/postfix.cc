// Expressions of templates behind a primary: attributes, items, slices, calls, filters and tests.
#include <algorithm>

#include "base/strings.h"
#include "jinja/builtins.h"
#include "jinja/parser.h"

namespace lfm::jinja {

ExprPtr Parser::ParsePostfix(ExprPtr node) {
  for (;;) {
    if (IsOperator(".") || IsOperator("[")) {
      node = ParseSubscript(std::move(node));
    } else if (IsOperator("(")) {
      node = ParseCall(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::ParseSubscript(ExprPtr node) {
  const int line = current().line;
  if (Next().text == ".") {
    const Token& name = Next();
    if (name.type == TokenType::kName) {
      auto expr = NewExpr(ExprKind::kGetAttr, line);
      expr->constant = TemplateString(name.text);
      Add(*expr, std::move(node));
      return expr;
    }
    if (name.type != TokenType::kInteger) FailAt(name.line, "expected name or number");
    --at_;
    return Binary(ExprKind::kGetItem, "", line, std::move(node), ParseNumber());
  }
  auto expr = NewExpr(ExprKind::kGetItem, line);
  Add(*expr, std::move(node));
  const bool from_start = IsOperator(":");
  ExprPtr first = from_start ? nullptr : ParseExpression();
  if (IsOperator(":")) {
    expr->kind = ExprKind::kSlice;
    Add(*expr, std::move(first));
    for (int part = 0; part < 2; ++part) {
      const bool colon = SkipOperator(":");
      Add(*expr, colon && !IsOperator(":") && !IsOperator("]") ? ParseExpression() : nullptr);
    }
  } else if (IsOperator(",")) {
    auto tuple = NewExpr(ExprKind::kTuple, line);
    Add(*tuple, std::move(first));
    while (SkipOperator(",")) Add(*tuple, ParseExpression());
    Add(*expr, std::move(tuple));
  } else {
    Add(*expr, std::move(first));
  }
  ExpectOperator("]");
  return expr;
}

ExprPtr Parser::ParseCall(ExprPtr node) {
  auto call = NewExpr(ExprKind::kCall, current().line);
  Add(*call, std::move(node));
  ParseArguments(*call);
  return call;
}

void Parser::ParseArguments(Expr& call) {
  const int line = current().line;
  ExpectOperator("(");
  const auto ensure = [&](bool valid) {
    if (!valid) FailAt(line, "invalid syntax for function call expression");
  };
  const auto deepen = [&](const ExprPtr& child) { call.depth = std::max(call.depth, child->depth + 1); };
  bool first = true;
  while (!IsOperator(")")) {
    if (!first) {
      ExpectOperator(",");
      if (IsOperator(")")) break;
    }
    first = false;
    if (SkipOperator("*")) {
      ensure(!call.star && !call.star_star);
      deepen(call.star = ParseExpression());
    } else if (SkipOperator("**")) {
      ensure(!call.star_star);
      deepen(call.star_star = ParseExpression());
    } else if (current().type == TokenType::kName && look().type == TokenType::kOperator && look().text == "=") {
      ensure(!call.star_star);
      std::string name = Next().text;
      Next();
      call.keywords.emplace_back(std::move(name), ParseExpression());
      deepen(call.keywords.back().second);
    } else {
      ensure(!call.star && !call.star_star && call.keywords.empty());
      call.arguments.push_back(ParseExpression());
      deepen(call.arguments.back());
    }
  }
  Next();
}

// --- filters and tests ---

ExprPtr Parser::ParseFilterExpression(ExprPtr node) {
  for (;;) {
    if (IsOperator("|")) {
      node = ParseFilter(std::move(node), false);
    } else if (IsName("is")) {
      node = ParseTest(std::move(node));
    } else if (IsOperator("(")) {
      node = ParseCall(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::ParseFilter(ExprPtr node, bool start_inline) {
  while (IsOperator("|") || start_inline) {
    if (!start_inline) Next();
    auto expr = NewExpr(ExprKind::kFilter, current().line);
    expr->text = ExpectAnyName();
    while (SkipOperator(".")) expr->text += "." + ExpectAnyName();
    expr->filter = FindFilter(expr->text);
    if (!expr->filter) NoteUnknown("filter", expr->text, expr->line);
    Add(*expr, std::move(node));
    if (IsOperator("(")) ParseArguments(*expr);
    node = std::move(expr);
    start_inline = false;
  }
  return node;
}

ExprPtr Parser::ParseTest(ExprPtr node) {
  auto expr = NewExpr(ExprKind::kTest, Next().line);
  const bool negated = SkipName("not");
  expr->text = ExpectAnyName();
  while (SkipOperator(".")) expr->text += "." + ExpectAnyName();
  expr->test = FindTest(expr->text);
  if (!expr->test) NoteUnknown("test", expr->text, expr->line);
  Add(*expr, std::move(node));
  const TokenType type = current().type;
  if (IsOperator("(")) {
    ParseArguments(*expr);
  } else if ((type == TokenType::kName || type == TokenType::kString || type == TokenType::kInteger ||
              type == TokenType::kFloat || IsOperator("[") || IsOperator("{")) &&
             !IsName("else") && !IsName("or") && !IsName("and")) {
    if (IsName("is")) FailAt(current().line, "you cannot chain multiple tests with is");
    expr->arguments.push_back(ParsePostfix(ParsePrimary()));
    expr->depth = std::max(expr->depth, expr->arguments.back()->depth + 1);
  }
  if (!negated) return expr;
  auto negation = NewExpr(ExprKind::kNot, expr->line);
  Add(*negation, std::move(expr));
  return negation;
}

}  // namespace lfm::jinja
