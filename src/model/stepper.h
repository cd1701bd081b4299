// Steps of one or many sequences: the only caller of Forward(). Owns the memory of a step and borrows the threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "model/forward.h"
#include "model/sequence.h"

namespace lfm::model {

// One sequence's part of a step. Which rows get logits: none, the last, or all; of which tokens: of all, or of `ids`.
struct StepItem {
  Sequence* sequence = nullptr;     // distinct in a step
  std::span<const int32_t> tokens;  // at least one
  Logits logits = Logits::kLast;
  std::span<const int32_t> ids = {};  // as BatchItem::ids
};

struct StepSizes {
  int64_t max_tokens = 512;   // rows of a step
  int64_t max_logits = 1;     // of these, with logits; those of a few ids count as little as these are of the vocabulary
  int64_t max_positions = 0;  // of a sequence; 0: the model's context length
};

// Not thread-safe. Many Steppers may share a model; each needs threads of its own.
class Stepper {
 public:
  // Model and threads must outlive it.
  static Result<std::unique_ptr<Stepper>> Create(const Model& model, Threads& threads, const StepSizes& sizes);

  const Model& model() const { return model_; }
  Threads& threads() const { return threads_; }
  const StepSizes& sizes() const { return sizes_; }

  // Refuses ids outside of the vocabulary, in one line that names the first one.
  Status CheckIds(std::span<const int32_t> ids) const;

  // Reads all items' tokens. Room is reserved for all of them or none: after an error (kLimit, kOutOfMemory,
  // kInvalidArgument) no sequence has changed. Ids must be within the vocabulary.
  Status Step(std::span<const StepItem> items);
  Status Step(Sequence& sequence, std::span<const int32_t> tokens, Logits logits = Logits::kLast);

  // Of the last step: the wanted rows in the order of the items. May be overwritten.  // [vocab_size] or [ids]
  std::span<float> logits(int64_t i) const { return workspace_->logits(i); }
  int64_t n_logits() const { return workspace_->n_logits(); }
  // An error where a number of item i was not finite: its sequence is of no more use, the others are untouched.
  Status ItemStatus(size_t i) const;

  // Hooks of the next steps, see Workspace. Null: none.
  void set_profile(Profile* profile) { workspace_->profile = profile; }
  void set_capture(float* capture) { workspace_->capture = capture; }
  void set_observer(ProductObserver* observer) { workspace_->observer = observer; }

 private:
  Stepper(const Model& model, Threads& threads, const StepSizes& sizes, std::unique_ptr<Workspace> workspace);

  const Model& model_;
  Threads& threads_;
  const StepSizes sizes_;
  std::unique_ptr<Workspace> workspace_;
  std::vector<BatchItem> batch_;
};

}  // namespace lfm::model
