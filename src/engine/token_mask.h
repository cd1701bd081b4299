// The seam between an answer and whatever limits its words: a grammar, a schema, a list of choices.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace lfm::engine {

// The state of one grammar beside one sequence: which tokens may come next. Not thread-safe; an answer uses its own copy,
// on one thread at a time, but not always on the same one.
class TokenMask {
 public:
  virtual ~TokenMask() = default;

  // One bit a vocabulary id, id i at bit i % 32 of word i / 32  // [ceil(vocab_size / 32)]; written whole. End tokens are
  // ids like any other: allowed where the text may end. No bit set is an error of the answer.
  virtual Status Allowed(std::span<uint32_t> bits) = 0;
  // The chosen token becomes part of the text. An error where it was not allowed.
  virtual Status Accept(int32_t id) = 0;
  // Tokens that come next whatever the model says, in order: text that is forced anyhow, in the tokens that the tokenizer
  // would write it with. May be empty.
  virtual std::vector<int32_t> Forced() { return {}; }
  // Tokens of a short end of the text from here, at most `max` of them: none where it may end here. Absent where no end
  // that short is known.
  virtual std::optional<std::vector<int32_t>> Ending(size_t /*max*/) { return std::nullopt; }
  // A second one in the same state.
  virtual std::unique_ptr<TokenMask> Fork() const = 0;
};

}  // namespace lfm::engine
