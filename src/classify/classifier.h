// Texts to probabilities of labels, many at once: the core of `lfm classify`, of lfm_classify and of all that measures them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "classify/labels.h"
#include "engine/loaded_model.h"

namespace lfm::classify {

// kTrie: the label's tokens form a trie; at each node with several children a softmax over these children alone, and a
// label's probability is the product down to its end-of-turn token. It is the distribution that sampling under an enum
// draws from. kFull: the likelihood of all of a label's tokens, renormalised over the labels.
enum class Method : uint8_t { kTrie, kFull };

// A probability that was not computed: the label is known to be less likely than the top_k first ones.
constexpr double kNotComputed = -1;

constexpr int kMostPermutations = 64;

// What one text came to.
struct Scores {
  Status status;                      // why there are none: the text is too long for the context ...
  std::vector<double> probabilities;  // in the order of the labels, summing to 1 (see ClassifierOptions for the rest)
  double label_mass = 0;              // probability that the model begins any label here; low: "none of these"
  int64_t n_tokens = 0;               // that were read for it
};

// The likeliest label (the first of equals), its probability, and how far the next one is behind.
struct Decision {
  size_t label = 0;
  double confidence = 0;
  double margin = 0;
};
Decision Decide(std::span<const double> probabilities);
// The same among the leaves of a set with parents. With until_confidence > 0 it is the last label on the way down to the
// likeliest leaf that is at least so likely (the topmost one where none is); the margin is to its likeliest sibling.
Decision Decide(const LabelSet& labels, std::span<const double> probabilities, double until_confidence = 0);
// With a confidence for each level, from the top; is_sure becomes false where the topmost label does not reach its own.
Decision Decide(const LabelSet& labels, std::span<const double> probabilities, std::span<const double> of_levels, bool& is_sure);

struct ClassifierOptions {
  Method method = Method::kTrie;
  // With kTrie: so many first labels are exact, and what need not be computed for them is kNotComputed. 0: all are.
  int64_t top_k = 0;
  // The mean of the probabilities under so many orders of the labels in the prompt: the given one, then seeded ones. With
  // multi_label 1 or 2: the second one asks "no or yes" and gives a label's examples in reverse.
  int permutations = 1;
  uint64_t seed = 0;
  // A yes/no question for each label: probabilities do not sum to 1.
  bool multi_label = false;
  // The whole system prompt as it stands, for prompts that were made elsewhere; else it is made of the labels.
  std::string system;
  int64_t n_ctx = 0;      // positions of prompt and text at most; 0: the model's context length
  int64_t n_batch = 512;  // tokens of a step
};

// The prompt of a text and the tokens of each label, for whoever checks by brute force.
struct PromptTrace {
  std::vector<int32_t> prompt_ids;
  std::vector<std::vector<int32_t>> label_ids;  // [labels]; each ends with the end-of-turn token
};

// With parents among the labels, each group of siblings is a question of its own, probabilities are multiplied down, a
// group's probability is that of its label, and those of the leaves sum to 1.
//
// Guarantees: the bits of a text's scores depend on model, labels, options and the text alone, not on the other texts,
// their order, the batches or the threads. Special tokens in texts stay plain text. Not thread-safe.
class Classifier {
 public:
  // Reads the shared beginning of all prompts once. Errors: a model without text (kUnsupported), labels that do not fit
  // the context (kLimit), two labels of the same tokens (kInvalidArgument). `threads` must outlive it.
  static Result<std::unique_ptr<Classifier>> Create(std::shared_ptr<engine::LoadedModel> model, Threads& threads, LabelSet labels,
                                                    const ClassifierOptions& options = {});
  virtual ~Classifier() = default;

  virtual const LabelSet& labels() const = 0;
  virtual const ClassifierOptions& options() const = 0;
  virtual int64_t n_prefix_tokens() const = 0;  // read once, of all questions

  // In the order of the texts. A text that cannot be scored has its own status and harms no other. An error of the whole:
  // no memory, or kCancelled where *cancel became true. Texts of a call share steps: give a hundred or more at a time.
  virtual Result<std::vector<Scores>> Score(std::span<const std::string> texts, const std::atomic<bool>* cancel = nullptr) = 0;

  // Of the first question (the only one of flat labels, unless multi_label or permutations are asked for).
  virtual Result<PromptTrace> Trace(const std::string& text) const = 0;
  // The exact prompt as text, for people.
  virtual Result<std::string> PromptText(const std::string& text) const = 0;
};

// Texts stripped of what they say, for the prior of contextual calibration (Zhao and others, 2021): "N/A", "", "[MASK]".
std::span<const std::string> ContentFreeTexts();

}  // namespace lfm::classify
