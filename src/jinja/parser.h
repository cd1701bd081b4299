// Parses the tokens of a template into its tree, by the grammar of Jinja 3.1 with loop controls and
// generation blocks.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/stack.h"
#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace lfm::jinja {

struct ParserLimits {
  size_t max_tokens = 1'000'000;
  int max_depth = 180;  // of nested expressions and statements; Python's own compiler allows 200
};

class Parser {
 public:
  Parser(std::string_view source, const ParserLimits& limits);
  // Fails with a PythonError that names the line.
  Program Parse();

 private:
  // --- tokens ---
  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Token& Next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool IsOperator(std::string_view op) const { return current().type == TokenType::kOperator && current().text == op; }
  bool IsName(std::string_view name) const { return current().type == TokenType::kName && current().text == name; }
  bool SkipOperator(std::string_view op) { return IsOperator(op) && (Next(), true); }
  bool SkipName(std::string_view name) { return IsName(name) && (Next(), true); }
  void ExpectOperator(std::string_view op);
  void ExpectName(std::string_view name);
  void Expect(TokenType type, std::string_view described);
  std::string ExpectAnyName();
  [[noreturn]] void FailAt(int line, const std::string& message, ErrorCode code = ErrorCode::kInvalidArgument) const;

  // --- statements (jinja_parser.cc) ---
  using Ends = std::initializer_list<std::string_view>;
  Body ParseUntil(Ends ends);  // behind "%}": up to a tag named in `ends`, which becomes the current token
  Body ParseBlock(Ends ends, bool drop_end);
  std::unique_ptr<Stmt> ParseStatement();
  std::unique_ptr<Stmt> ParseFor();
  std::unique_ptr<Stmt> ParseIf();
  std::unique_ptr<Stmt> ParseSet();
  std::unique_ptr<Stmt> ParseMacro();
  std::unique_ptr<Stmt> ParseCallBlock();
  std::unique_ptr<Stmt> ParseFilterBlock();
  std::unique_ptr<Stmt> ParseWith();
  std::unique_ptr<Stmt> ParsePrint();
  std::unique_ptr<Stmt> ParseBlockTag();
  std::unique_ptr<Stmt> ParseGeneration();
  std::unique_ptr<Stmt> ParseLoopControl();
  void ParseSignature(MacroNode& macro);
  void ParseMacroBody(MacroNode& macro, std::string_view end, int line);
  [[noreturn]] void FailUnknownTag(const Token& token) const;
  std::unique_ptr<Stmt> NewStmt(StmtKind kind, int line) const;
  ExprPtr ParseTarget(std::string_view end_name, bool with_namespace);
  void MakeTarget(Expr& expr);

  // --- expressions (jinja_expressions.cc, jinja_postfix.cc) ---
  ExprPtr ParseExpression(bool with_condition = true);
  ExprPtr ParseCondition();
  ExprPtr ParseOr();
  ExprPtr ParseAnd();
  ExprPtr ParseNot();
  ExprPtr ParseCompare();
  ExprPtr ParseSum();
  ExprPtr ParseConcat();
  ExprPtr ParseProduct();
  ExprPtr ParsePower();
  ExprPtr ParseUnary(bool with_filter = true);
  ExprPtr ParsePrimary(bool with_namespace = false);
  ExprPtr ParseNamePrimary(bool with_namespace);
  ExprPtr ParseNumber();
  ExprPtr ParsePostfix(ExprPtr node);
  ExprPtr ParseFilterExpression(ExprPtr node);
  ExprPtr ParseFilter(ExprPtr node, bool start_inline);
  ExprPtr ParseTest(ExprPtr node);
  ExprPtr ParseSubscript(ExprPtr node);
  ExprPtr ParseCall(ExprPtr node);
  void ParseArguments(Expr& call);
  ExprPtr ParseList();
  ExprPtr ParseDict();
  struct TupleOptions {
    bool primaries_only = false, with_condition = true, parentheses = false, with_namespace = false;
    std::string_view end_name = {};
  };
  ExprPtr ParseTuple(const TupleOptions& options);

  ExprPtr NewExpr(ExprKind kind, int line) const;
  // Adds a child and keeps the depth.
  void Add(Expr& parent, ExprPtr child) const;
  ExprPtr Binary(ExprKind kind, std::string text, int line, ExprPtr left, ExprPtr right) const;
  ExprPtr Constant(Value value, int line) const;
  int NameId(const std::string& name);

  // An unknown filter or test: refused at once, but inside `if` only when it is reached, as Jinja does.
  void NoteUnknown(std::string_view kind, const std::string& name, int line);

  // Counts nested calls of the parser; a level of parentheses or of statements makes about kCallsPerLevel.
  static constexpr int kCallsPerLevel = 7;
  class Nesting {
   public:
    explicit Nesting(Parser& parser, int weight = 1);
    ~Nesting() { parser_.depth_ -= weight_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
    const int weight_;
  };

  // What is called between two counted levels, and the tree's own letting go.
  static constexpr size_t kStackReserve = size_t{96} << 10;

  const ParserLimits limits_;
  const uintptr_t stack_floor_ = StackFloor(kStackReserve);
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int for_depth_ = 0;   // enclosing loops, where `loop` cannot be assigned
  int loop_depth_ = 0;  // enclosing loops of this function, where break and continue are allowed
  bool soft_ = false;   // inside an `if`
  struct Unknown {
    std::string message;
    int line;
  };
  std::vector<Unknown> unknown_;
  std::vector<MacroNode*> macros_;  // enclosing ones, innermost last
  std::vector<std::string> names_;
  std::unordered_map<std::string, int> name_ids_;
};

// A string constant that belongs to the template rather than to a rendering.
Value TemplateString(std::string text);

}  // namespace lfm::jinja
