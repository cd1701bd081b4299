// One sequence in work: what was read so far, the logits after it, and the memory to go on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "engine/loaded_model.h"
#include "model/sequence.h"
#include "model/stepper.h"

namespace lfm::engine {

struct SessionOptions {
  int64_t n_ctx = 0;      // positions at most; 0: the model's context length
  int64_t n_chunk = 512;  // tokens of a prompt that are read in one step
};

// Not thread-safe; distinct sessions of one model may be used from distinct threads, each with its own
// Threads. All memory but KV pages is taken by Create; pages are taken as they are needed.
class Session {
 public:
  // A position beyond the model's context length is an error. `threads` must outlive the session.
  static Result<std::unique_ptr<Session>> Create(std::shared_ptr<LoadedModel> model, Threads& threads,
                                                 const SessionOptions& options = {});

  LoadedModel& model() const { return *model_; }
  int64_t n_ctx() const { return n_ctx_; }
  std::span<const int32_t> tokens() const { return sequence_.tokens(); }
  int64_t n_tokens() const { return sequence_.n_tokens(); }

  // Logits after the last token [vocab_size]; empty before the first one, after a cut, and where few_logits() are there.
  std::span<const float> logits() const { return logits_; }
  // Those of the ids that the last Read() wanted, in their order.
  std::span<const float> few_logits() const { return few_logits_; }

  // Stops Read() and ReadPrompt() between chunks with kCancelled: what was read until then stays.
  const std::atomic<bool>* cancel = nullptr;
  // Called after each chunk of Read(): tokens done of all.
  std::function<void(int64_t done, int64_t total)> on_progress;
  // Where set, the time of the phases is added up here.
  model::Profile* profile = nullptr;

  // Reads these tokens after what was read before. Ids and room are checked before any work. With `wanted` only the logits of
  // these tokens are computed.
  Status Read(std::span<const int32_t> ids, std::span<const int32_t> wanted = {});

  // Makes the sequence equal to `ids` (at least one): keeps the longest common past that it can be cut back
  // to, and reads the rest. Gives the number of tokens that were kept.
  Result<int64_t> ReadPrompt(std::span<const int32_t> ids);

  // Cuts the sequence back to exactly n tokens: by itself where the state allows it, else by reading the few
  // tokens after the last point that it allows. The logits are gone afterwards, except at n == n_tokens().
  Status Truncate(int64_t n);
  // Remembers the present position as a point to cut back to for free. The newest few are kept.
  void Mark() { sequence_.Mark(); }
  void Clear();

  // Another session with the same past; shares full pages.
  Result<std::unique_ptr<Session>> Copy(Threads& threads) const;

  // Tokens, state and logits as bytes, and back. Restore refuses what another model or KV type wrote, and
  // leaves the session empty when it fails.
  std::vector<std::byte> Save() const;
  Status Restore(std::span<const std::byte> bytes);

 private:
  Session(std::shared_ptr<LoadedModel> model, int64_t n_ctx, int64_t n_chunk);
  Status CheckTokens(std::span<const int32_t> ids, int64_t n_before) const;
  void ForgetLogits();
  // Cuts to the best point at or below n.
  Status CutAtOrBelow(int64_t n);
  Status ReadChecked(std::span<const int32_t> ids, std::span<const int32_t> wanted = {});

  std::shared_ptr<LoadedModel> model_;
  const int64_t n_ctx_, n_chunk_;
  std::unique_ptr<model::Stepper> stepper_;
  model::Sequence sequence_;
  std::vector<float> logits_, few_logits_;
};

}  // namespace lfm::engine
