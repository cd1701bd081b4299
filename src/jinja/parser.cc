// Statements of templates.
#include "jinja/parser.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace lfm::jinja {

Parser::Parser(std::string_view source, const ParserLimits& limits)
    : limits_(limits), tokens_(Tokenize(source, limits.max_tokens)) {}

Program Parser::Parse() {
  Program program;
  program.body = ParseUntil({});
  if (!unknown_.empty()) FailAt(unknown_[0].line, unknown_[0].message);
  program.names = std::move(names_);
  return program;
}

// --- tokens ---

void Parser::FailAt(int line, const std::string& message, ErrorCode code) const { throw PythonError{code, message, line}; }

void Parser::Expect(TokenType type, std::string_view described) {
  if (current().type == type) {
    Next();
    return;
  }
  if (current().type == TokenType::kEnd) {
    FailAt(current().line, StrCat("unexpected end of template, expected '", described, "'"));
  }
  FailAt(current().line, StrCat("expected token '", described, "', got '", Describe(current()), "'"));
}

void Parser::ExpectOperator(std::string_view op) {
  if (!IsOperator(op)) FailAt(current().line, StrCat("expected token '", op, "', got '", Describe(current()), "'"));
  Next();
}

void Parser::ExpectName(std::string_view name) {
  if (!IsName(name)) FailAt(current().line, StrCat("expected token '", name, "', got '", Describe(current()), "'"));
  Next();
}

std::string Parser::ExpectAnyName() {
  if (current().type != TokenType::kName) {
    FailAt(current().line, StrCat("expected token 'name', got '", Describe(current()), "'"));
  }
  return Next().text;
}

Parser::Nesting::Nesting(Parser& parser, int weight) : parser_(parser), weight_(weight) {
  parser_.depth_ += weight;
  const bool too_deep = parser_.depth_ > parser_.limits_.max_depth * kCallsPerLevel;
  if (too_deep || IsBelow(parser_.stack_floor_)) {
    parser_.depth_ -= weight;
    parser_.FailAt(parser_.current().line,
                   too_deep ? StrCat("nested deeper than the limit of ", parser_.limits_.max_depth, " levels")
                            : std::string("nested deeper than the stack of this thread allows"),
                   ErrorCode::kLimit);
  }
}

std::unique_ptr<Stmt> Parser::NewStmt(StmtKind kind, int line) const {
  auto stmt = std::make_unique<Stmt>();
  stmt->kind = kind;
  stmt->line = line;
  return stmt;
}

void Parser::NoteUnknown(std::string_view kind, const std::string& name, int line) {
  if (!soft_) unknown_.push_back({StrCat("no ", kind, " named ", Quote(name)), line});
}

// --- bodies ---

Body Parser::ParseUntil(Ends ends) {
  const Nesting nesting(*this, kCallsPerLevel);
  Body body;
  std::unique_ptr<Stmt> output;
  const auto add_output = [&](ExprPtr expr) {
    if (!output) output = NewStmt(StmtKind::kOutput, expr->line);
    output->exprs.push_back(std::move(expr));
  };
  const auto flush = [&] {
    if (output) body.push_back(std::move(output));
  };
  while (current().type != TokenType::kEnd) {
    const Token& token = current();
    if (token.type == TokenType::kData) {
      add_output(Constant(TemplateString(token.text), token.line));
      Next();
    } else if (token.type == TokenType::kVariableBegin) {
      Next();
      add_output(ParseTuple({}));
      Expect(TokenType::kVariableEnd, "end of print statement");
    } else {
      flush();
      Expect(TokenType::kBlockBegin, "begin of statement block");
      if (current().type == TokenType::kName && std::find(ends.begin(), ends.end(), current().text) != ends.end()) {
        return body;
      }
      body.push_back(ParseStatement());
      Expect(TokenType::kBlockEnd, "end of statement block");
    }
  }
  flush();
  return body;
}

Body Parser::ParseBlock(Ends ends, bool drop_end) {
  SkipOperator(":");
  Expect(TokenType::kBlockEnd, "end of statement block");
  Body body = ParseUntil(ends);
  if (current().type == TokenType::kEnd) {
    std::string wanted;
    for (const auto end : ends) wanted += StrCat(wanted.empty() ? "" : " or ", "'", end, "'");
    FailAt(current().line, StrCat("unexpected end of template, looking for ", wanted));
  }
  if (drop_end) Next();
  return body;
}

std::unique_ptr<Stmt> Parser::ParseStatement() {
  const Token& token = current();
  if (token.type != TokenType::kName) FailAt(token.line, "tag name expected");
  using Rule = std::unique_ptr<Stmt> (Parser::*)();
  static constexpr std::array<std::pair<std::string_view, Rule>, 12> kRules{{
      {"for", &Parser::ParseFor},
      {"if", &Parser::ParseIf},
      {"set", &Parser::ParseSet},
      {"macro", &Parser::ParseMacro},
      {"call", &Parser::ParseCallBlock},
      {"filter", &Parser::ParseFilterBlock},
      {"with", &Parser::ParseWith},
      {"print", &Parser::ParsePrint},
      {"block", &Parser::ParseBlockTag},
      {"generation", &Parser::ParseGeneration},
      {"break", &Parser::ParseLoopControl},
      {"continue", &Parser::ParseLoopControl},
  }};
  for (const auto& [name, rule] : kRules) {
    if (token.text == name) return (this->*rule)();
  }
  FailUnknownTag(token);
}

void Parser::FailUnknownTag(const Token& token) const {
  for (const std::string_view tag : {"include", "import", "from", "extends", "autoescape"}) {
    if (token.text == tag) {
      FailAt(token.line, StrCat("the tag '", tag, "' is not supported in chat templates"), ErrorCode::kUnsupported);
    }
  }
  FailAt(token.line, StrCat("unknown tag ", Quote(token.text)));
}

// --- targets ---

void Parser::MakeTarget(Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kName:
      if (for_depth_ > 0 && names_[static_cast<size_t>(expr.name)] == "loop") {
        FailAt(expr.line, "cannot assign to the special variable 'loop' in a loop");
      }
      break;
    case ExprKind::kNamespaceRef: break;
    case ExprKind::kTuple:
      for (const auto& item : expr.items) MakeTarget(*item);
      break;
    default: FailAt(expr.line, "cannot assign to this expression");
  }
}

ExprPtr Parser::ParseTarget(std::string_view end_name, bool with_namespace) {
  // Names in targets are no reads: what a macro reads undeclared must not be noted here.
  std::vector<MacroNode*> macros;
  macros.swap(macros_);
  TupleOptions options;
  options.primaries_only = true;
  options.with_namespace = with_namespace;
  options.end_name = end_name;
  ExprPtr target = ParseTuple(options);
  macros.swap(macros_);
  MakeTarget(*target);
  return target;
}

// --- statements ---

std::unique_ptr<Stmt> Parser::ParseFor() {
  auto stmt = NewStmt(StmtKind::kFor, current().line);
  Next();
  ++for_depth_, ++loop_depth_;
  const bool soft = soft_;
  stmt->target = ParseTarget("in", false);
  ExpectName("in");
  TupleOptions options;
  options.with_condition = false;
  options.end_name = "recursive";
  stmt->value = ParseTuple(options);
  if (SkipName("if")) stmt->test = ParseExpression();
  stmt->recursive = SkipName("recursive");
  soft_ = false;
  stmt->body = ParseBlock({"endfor", "else"}, false);
  --for_depth_, --loop_depth_;
  if (Next().text == "else") stmt->else_body = ParseBlock({"endfor"}, true);
  soft_ = soft;
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseIf() {
  auto stmt = NewStmt(StmtKind::kIf, current().line);
  Next();
  const bool soft = soft_;
  soft_ = true;
  TupleOptions options;
  options.with_condition = false;
  for (;;) {
    Branch branch;
    branch.test = ParseTuple(options);
    branch.body = ParseBlock({"elif", "else", "endif"}, false);
    stmt->branches.push_back(std::move(branch));
    const std::string& end = Next().text;
    if (end == "elif") continue;
    if (end == "else") stmt->else_body = ParseBlock({"endif"}, true);
    break;
  }
  soft_ = soft;
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseSet() {
  auto stmt = NewStmt(StmtKind::kSet, current().line);
  Next();
  stmt->target = ParseTarget("", true);
  if (SkipOperator("=")) {
    stmt->value = ParseTuple({});
    return stmt;
  }
  stmt->kind = StmtKind::kSetBlock;
  const bool soft = soft_;
  soft_ = false;
  stmt->value = ParseFilter(nullptr, false);
  stmt->body = ParseBlock({"endset"}, true);
  soft_ = soft;
  return stmt;
}

void Parser::ParseSignature(MacroNode& macro) {
  ExpectOperator("(");
  while (!IsOperator(")")) {
    if (!macro.parameters.empty()) ExpectOperator(",");
    const int line = current().line;
    const std::string name = ExpectAnyName();
    macro.explicit_caller |= name == "caller";
    if (SkipOperator("=")) {
      macro.defaults.push_back(ParseExpression());
    } else if (!macro.defaults.empty()) {
      FailAt(line, "non-default argument follows default argument");
    } else {
      macro.caller_needs_default |= name == "caller";
    }
    macro.parameters.push_back(NameId(name));
  }
  Next();
}

void Parser::ParseMacroBody(MacroNode& macro, std::string_view end, int line) {
  const bool soft = soft_;
  const int loop_depth = loop_depth_;
  soft_ = false;
  loop_depth_ = 0;
  macros_.push_back(&macro);
  macro.body = ParseBlock({end}, true);
  macros_.pop_back();
  loop_depth_ = loop_depth;
  soft_ = soft;
  if (macro.caller_needs_default && macro.uses_caller) {
    FailAt(line, "the special argument 'caller' of a macro must be omitted or be given a default");
  }
}

std::unique_ptr<Stmt> Parser::ParseMacro() {
  auto stmt = NewStmt(StmtKind::kMacro, current().line);
  Next();
  stmt->macro = std::make_unique<MacroNode>();
  stmt->macro->name = ExpectAnyName();
  stmt->name = NameId(stmt->macro->name);
  ParseSignature(*stmt->macro);
  ParseMacroBody(*stmt->macro, "endmacro", stmt->line);
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseCallBlock() {
  auto stmt = NewStmt(StmtKind::kCallBlock, current().line);
  Next();
  stmt->macro = std::make_unique<MacroNode>();
  if (IsOperator("(")) ParseSignature(*stmt->macro);
  stmt->value = ParseExpression();
  if (stmt->value->kind != ExprKind::kCall) FailAt(stmt->line, "expected call");
  ParseMacroBody(*stmt->macro, "endcall", stmt->line);
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseGeneration() {
  auto stmt = NewStmt(StmtKind::kGeneration, current().line);
  Next();
  stmt->macro = std::make_unique<MacroNode>();
  ParseMacroBody(*stmt->macro, "endgeneration", stmt->line);
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseFilterBlock() {
  auto stmt = NewStmt(StmtKind::kFilterBlock, current().line);
  Next();
  const bool soft = soft_;
  soft_ = false;
  stmt->value = ParseFilter(nullptr, true);
  stmt->body = ParseBlock({"endfilter"}, true);
  soft_ = soft;
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseWith() {
  auto stmt = NewStmt(StmtKind::kWith, current().line);
  Next();
  while (current().type != TokenType::kBlockEnd) {
    if (!stmt->targets.empty()) ExpectOperator(",");
    stmt->targets.push_back(ParseTarget("", false));
    ExpectOperator("=");
    stmt->exprs.push_back(ParseExpression());
  }
  const bool soft = soft_;
  soft_ = false;
  stmt->body = ParseBlock({"endwith"}, true);
  soft_ = soft;
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParsePrint() {
  auto stmt = NewStmt(StmtKind::kOutput, current().line);
  Next();
  while (current().type != TokenType::kBlockEnd) {
    if (!stmt->exprs.empty()) ExpectOperator(",");
    stmt->exprs.push_back(ParseExpression());
  }
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseBlockTag() {
  auto stmt = NewStmt(StmtKind::kBlock, current().line);
  Next();
  const std::string name = ExpectAnyName();
  if (IsName("scoped") || IsName("required")) {
    FailAt(current().line, StrCat("a block that is '", current().text, "' is not supported"), ErrorCode::kUnsupported);
  }
  const bool soft = soft_;
  const int loop_depth = loop_depth_;
  soft_ = false;
  loop_depth_ = 0;
  stmt->body = ParseBlock({"endblock"}, true);
  loop_depth_ = loop_depth;
  soft_ = soft;
  SkipName(name);
  return stmt;
}

std::unique_ptr<Stmt> Parser::ParseLoopControl() {
  const Token& token = Next();
  if (loop_depth_ == 0) FailAt(token.line, StrCat("'", token.text, "' outside loop"));
  return NewStmt(token.text == "break" ? StmtKind::kBreak : StmtKind::kContinue, token.line);
}

}  // namespace lfm::jinja
