#include "server/grammar_set.h"

#include "engine/grammar_mask.h"

namespace lfm::server {
namespace {

// What one request may cost before anything is answered.
grammar::Budgets RequestBudgets() {
  grammar::Budgets budgets;
  budgets.max_bytes = size_t{128} << 20;
  budgets.compile_time = std::chrono::milliseconds(5000);
  budgets.max_depth = 100;
  return budgets;
}

}  // namespace

std::shared_ptr<const grammar::Vocabulary> GrammarSet::vocabulary() {
  const std::lock_guard lock(mutex_);
  if (!vocabulary_) vocabulary_ = engine::MakeGrammarVocabulary(tokenizer_, vocab_size_);
  return vocabulary_;
}

Result<std::shared_ptr<const grammar::Grammar>> GrammarSet::Get(const grammar::Spec& spec, const std::string& key,
                                                                grammar::Refusal& refusal) {
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = grammars_.begin(); entry != grammars_.end(); ++entry) {
      if (entry->first != key) continue;
      grammars_.splice(grammars_.begin(), grammars_, entry);
      return grammars_.front().second;
    }
  }
  LFM_TRY(auto compiled, grammar::Compile(spec, RequestBudgets(), &refusal));
  const std::lock_guard lock(mutex_);
  grammars_.emplace_front(key, compiled);
  size_t bytes = 0;
  for (const Entry& entry : grammars_) bytes += entry.first.size() + entry.second->bytes();
  while (grammars_.size() > 1 && (grammars_.size() > kMaxGrammars || bytes > kMaxBytes)) {
    bytes -= grammars_.back().first.size() + grammars_.back().second->bytes();
    grammars_.pop_back();
  }
  return compiled;
}

size_t GrammarSet::size() const {
  const std::lock_guard lock(mutex_);
  return grammars_.size();
}

}  // namespace lfm::server
