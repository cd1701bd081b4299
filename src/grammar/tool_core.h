// LFM2's tool calls: free text, the start token, a list of calls in Python's dress with each argument held to its schema,
// the end token. Arguments come in any order, none twice, and a call closes only when the required ones are there.
#pragma once

#include <vector>

#include "grammar/json_core.h"

namespace lfm::grammar {

class ToolCore : public JsonCore {
 public:
  ToolCore(const Spec& spec, const Budgets& budgets);
  // With `annotate_unsupported` the tools' schemas are held as far as they can be.
  Status Load(bool annotate_unsupported, Refusal* refusal);

  Config Start() override;
  bool Cross(const Node& node, uint32_t lex, uint8_t byte, std::string_view text, Config& to) override;
  bool MayCross(const Node& node, uint32_t lex, uint8_t byte) const override;
  bool Accepting(const Node& node, uint32_t lex, std::string_view text) override;
  std::string Describe() override;

 protected:
  bool FinishRoot(const std::vector<Thread>& threads, Config& to) override;
  bool Towards(const Config& at, const std::string& text, std::string& next) override;

 private:
  Config Free(bool called);
  bool Mark(const JsonNode& node, uint8_t byte, Config& to);
  bool OpenCall(std::string_view name, Config& to);
  bool StartArgument(const JsonNode& node, uint8_t byte, Config& to);

  const ToolOptions options_;
  std::vector<Expr> arguments_;  // by tool
  Re names_ = 0;
  std::string marks_[2];  // start, end
};

}  // namespace lfm::grammar
