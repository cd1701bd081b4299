#include "model/stepper.h"

#include <utility>

#include "base/strings.h"

namespace lfm::model {

Stepper::Stepper(const Model& model, Threads& threads, const StepSizes& sizes, std::unique_ptr<Workspace> workspace)
    : model_(model), threads_(threads), sizes_(sizes), workspace_(std::move(workspace)) {}

Result<std::unique_ptr<Stepper>> Stepper::Create(const Model& model, Threads& threads, const StepSizes& sizes) {
  StepSizes filled = sizes;
  if (filled.max_positions == 0) filled.max_positions = model.config.context_length;
  LFM_TRY(auto workspace, Workspace::Create(model, filled.max_tokens, filled.max_logits, filled.max_positions, threads.size()));
  return std::unique_ptr<Stepper>(new Stepper(model, threads, filled, std::move(workspace)));
}

Status Stepper::CheckIds(std::span<const int32_t> ids) const {
  const int n_vocab = model_.config.vocab_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < n_vocab) continue;
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("token ", ids[i], " at place ", i, " is outside of the vocabulary (0 to ", n_vocab - 1, ")")};
  }
  return Ok();
}

Status Stepper::Step(std::span<const StepItem> items) {
  const int64_t n_vocab = model_.config.vocab_size;
  int64_t n_tokens = 0, n_logits = 0;
  for (const StepItem& item : items) {
    const auto n = static_cast<int64_t>(item.tokens.size());
    n_tokens += n;
    const int64_t n_rows = item.logits == Logits::kAll ? n : item.logits == Logits::kLast ? 1 : 0;
    n_logits += n_rows * (item.ids.empty() ? n_vocab : static_cast<int64_t>(item.ids.size()));
    if (n > sizes_.max_positions - item.sequence->n_tokens()) {
      return Error{ErrorCode::kLimit,
                   StrCat(item.sequence->n_tokens() + n, " tokens exceed the context of ", sizes_.max_positions)};
    }
  }
  if (n_tokens > sizes_.max_tokens || n_logits > sizes_.max_logits * n_vocab) {
    return Error{ErrorCode::kLimit, StrCat("a step of ", n_tokens, " tokens with ", (n_logits + n_vocab - 1) / n_vocab,
                                           " rows of logits exceeds its ", sizes_.max_tokens, " and ", sizes_.max_logits)};
  }
  batch_.clear();
  for (const StepItem& item : items) {
    if (const Status reserved = item.sequence->state_.Reserve(static_cast<int64_t>(item.tokens.size())); !reserved.ok()) {
      for (const BatchItem& before : batch_) before.state->Trim();
      return reserved;
    }
    batch_.push_back({&item.sequence->state_, item.tokens, item.logits, item.ids});
  }
  Forward(model_, batch_, *workspace_, threads_);
  for (const StepItem& item : items) {
    std::vector<int32_t>& tokens = item.sequence->tokens_;
    tokens.insert(tokens.end(), item.tokens.begin(), item.tokens.end());
  }
  return Ok();
}

Status Stepper::Step(Sequence& sequence, std::span<const int32_t> tokens, Logits logits) {
  const StepItem item{&sequence, tokens, logits};
  LFM_RETURN_IF_ERROR(Step({&item, 1}));
  return ItemStatus(0);
}

Status Stepper::ItemStatus(size_t i) const {
  if (workspace_->finite(static_cast<int64_t>(i))) return Ok();
  return Error{ErrorCode::kCorrupt, StrCat("after ", batch_[i].state->n_tokens(),
                                           " tokens the model computed a number that is not finite: its weights are "
                                           "damaged, or not for this program")};
}

}  // namespace lfm::model
