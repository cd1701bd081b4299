// The grammars of a model's requests, compiled once for all that ask for the same.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.h"
#include "grammar/grammar.h"
#include "text/tokenizer.h"

namespace lfm::server {

// Thread-safe; compiling is not done under the lock. The least recently used go first.
class GrammarSet {
 public:
  // Borrows the tokenizer. The vocabulary is made by the first request that needs it.
  GrammarSet(const text::Tokenizer& tokenizer, int32_t vocab_size) : tokenizer_(tokenizer), vocab_size_(vocab_size) {}

  // `key`: the same for equal specs.
  Result<std::shared_ptr<const grammar::Grammar>> Get(const grammar::Spec& spec, const std::string& key,
                                                      grammar::Refusal& refusal);
  std::shared_ptr<const grammar::Vocabulary> vocabulary();
  size_t size() const;

 private:
  static constexpr size_t kMaxGrammars = 64;
  static constexpr size_t kMaxBytes = size_t{256} << 20;
  using Entry = std::pair<std::string, std::shared_ptr<const grammar::Grammar>>;

  const text::Tokenizer& tokenizer_;
  const int32_t vocab_size_;
  mutable std::mutex mutex_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  std::list<Entry> grammars_;  // the most recently used first
};

}  // namespace lfm::server
