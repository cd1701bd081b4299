// A grammar that is one regular language over the whole answer.
#pragma once

#include <string>

#include "grammar/core.h"

namespace lfm::grammar {

class RegexCore : public Core {
 public:
  explicit RegexCore(const Budgets& budgets) : Core(budgets) {}
  // Sets the language; kInvalidArgument if it is empty.
  Status Set(Re language, std::string description);

  Config Start() override;
  bool Cross(const Node& node, uint32_t lex, uint8_t byte, std::string_view text, Config& to) override;
  bool Accepting(const Node& node, uint32_t lex, std::string_view text) override;
  bool Complete(const Config& at, const std::string& text, size_t max, std::string& out) override;
  std::string Describe() override { return description_; }

 private:
  Re language_ = RegexPool::kNone;
  std::string description_;
};

}  // namespace lfm::grammar
