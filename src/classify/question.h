// One question to the model: what is asked (system prompt), the possible answers as a trie, and how a text becomes a prompt.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "classify/labels.h"
#include "classify/trie.h"
#include "engine/text_model.h"

namespace lfm::classify {

// The sentence above the labels where the caller gives none.
extern const char* const kDefaultInstructions;

// Instructions and a line for each of these labels (places in the set), in this order: "- name: description". A "{labels}"
// in the instructions says where the lines go; else they follow.
std::string SystemText(const LabelSet& labels, std::span<const size_t> places);
// Whether one label fits: to be answered with yes or no. reversed: "yes or no" reads "no or yes", and examples begin with the last.
std::string YesNoText(const LabelSet& labels, size_t place, bool reversed = false);

// Whether a text that is to be classified is text: without NUL, and UTF-8. One rule for rows, messages, the C ABI and the server.
Status CheckIsText(std::string_view text);

// How a text becomes a prompt: through the model's chat template as a user's message below `system`, or, without a
// template, as plain text. Special tokens in the text stay plain. What all prompts share is found once; a template that
// does more to a message than to print it is run for each text instead. Immutable; thread-safe; the text model must outlive it.
class PromptEncoder {
 public:
  static Result<PromptEncoder> Create(const engine::TextModel& model, std::string system);

  Result<std::vector<int32_t>> Encode(std::string_view text) const;
  Result<std::string> Text(std::string_view text) const;
  // The tokens of an answer in its context, with the token that ends the turn.
  Result<std::vector<int32_t>> EncodeAnswer(std::string_view answer) const;

  // What nearly every prompt begins with, and the part of it that each does (perhaps empty).
  std::span<const int32_t> prefix() const { return prefix_; }
  std::span<const int32_t> certain() const { return std::span(prefix_).first(n_certain_); }

 private:
  Result<std::vector<int32_t>> EncodeWhole(std::string_view text) const;
  Result<std::string> TextWhole(std::string_view text) const;
  std::vector<int32_t> EncodeParts(std::string_view text) const;
  Status FindParts();

  const engine::TextModel* model_ = nullptr;
  std::string system_;
  bool by_parts_ = false;
  std::string before_, after_;  // around the text, behind the certain tokens
  std::string answer_context_;  // behind the last special token
  std::vector<int32_t> prefix_;
  size_t n_certain_ = 0;
};

// Immutable; thread-safe.
struct Question {
  PromptEncoder prompt;
  std::vector<std::vector<int32_t>> answer_ids;
  LabelTrie trie;

  static Result<Question> Create(const engine::TextModel& model, std::string system, const std::vector<std::string>& answers);
};

}  // namespace lfm::classify
