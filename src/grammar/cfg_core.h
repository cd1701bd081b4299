// Context-free grammars: Earley's algorithm over words that are regular expressions. A grammar without recursion needs
// none of it: it is one regular language (MakeCfg).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/cfg_text.h"
#include "grammar/core.h"

namespace lfm::grammar {

// The grammar's text to the machinery that fits: a regular one where no rule leads back to itself.
Result<std::unique_ptr<Core>> MakeCfg(const Spec& spec, const Budgets& budgets);

class CfgCore : public Core {
 public:
  explicit CfgCore(const Budgets& budgets) : Core(budgets) {}
  // Takes the text's rules over as productions. `recursive`: by rule, whether it leads to itself.
  Status Load(const CfgText& text, const std::vector<bool>& recursive);

  Config Start() override;
  bool Cross(const Node& node, uint32_t lex, uint8_t byte, std::string_view text, Config& to) override;
  bool Accepting(const Node& node, uint32_t lex, std::string_view text) override;
  std::string Describe() override;
  std::optional<Error> Failure() const override;

 private:
  struct Symbol {
    bool word = false;   // else a rule
    uint32_t index = 0;  // the word's language, or the rule's number
  };
  struct Production {
    uint32_t rule;
    std::vector<Symbol> symbols;
  };
  struct Set;
  using SetRef = std::shared_ptr<const Set>;
  // A production read up to `dot`, begun at `origin`; null: in the set that the item is in.
  struct Item {
    uint32_t production, dot;
    SetRef origin;
  };
  // What is open at one place of the text. Later items point back at it.
  struct Set {
    std::vector<Item> items;  // before a word or a rule
    bool beginning = false;   // of the text
    uint32_t depth = 0;
    Hash hash;
  };
  // Words at work. The lexer's parts are, for each, its language and the bytes that may follow it.
  struct WordsNode : Node {
    std::vector<Item> words;  // origins are all set
  };
  struct Word {
    Item item;
    Re rest;
  };

  Status Prepare();
  std::vector<bool> RulesOf(const std::function<bool(Re)>& right) const;
  SetRef Close(std::vector<Item> items, bool beginning, bool& complete);
  Config Make(std::vector<Word> words);
  Re FollowOf(const Item& word);
  std::vector<Item> Finished(const WordsNode& node, uint32_t lex) const;

  std::vector<Production> productions_;
  std::vector<std::vector<uint32_t>> by_rule_;  // productions
  std::vector<bool> nullable_;                  // by rule
  uint32_t start_ = 0, start_lex_ = 0;
  bool start_is_end_ = false, too_much_ = false;
};

}  // namespace lfm::grammar
