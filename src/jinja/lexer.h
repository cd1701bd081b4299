// Splits a Jinja template into tokens, with trim_blocks, lstrip_blocks and the marks - and + of Jinja 3.1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lfm::jinja {

enum class TokenType {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenType type = TokenType::kEnd;
  std::string text;  // data, name, operator, digits without underscores, or the value of a string
  int line = 1;
};

// The tokens of a template, ended by one kEnd. Line ends become \n and one at the very end is dropped.
// Fails with a PythonError that names the line.
std::vector<Token> Tokenize(std::string_view source, size_t max_tokens);

// What a message calls the token: "end of print statement", "foo", "==".
std::string Describe(const Token& token);

}  // namespace lfm::jinja
