// A model ready for work: weights, tokenizer, chat template, and the pool that all its sequences draw pages from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/threads.h"
#include "engine/text_model.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "model/state.h"

namespace lfm::engine {

struct LoadOptions {
  model::Compute compute = model::Compute::kAuto;
  std::optional<kernels::KvType> kv_type;  // absent: i16, and f32 with Compute::kF32
  std::string isa;                         // empty: the host's best
  model::LoadProgress progress;            // false cancels
};

// Immutable but for the page pool, which locks: any number of threads may share it. Sessions keep it alive.
class LoadedModel {
 public:
  static Result<std::shared_ptr<LoadedModel>> Load(const std::string& path, Threads& threads, const LoadOptions& options = {});
  // The same from a checkpoint that is open already.
  static Result<std::shared_ptr<LoadedModel>> Load(const formats::Checkpoint& checkpoint, Threads& threads,
                                                   const LoadOptions& options = {});

  const std::string& path() const { return path_; }
  // The computing half: configuration, weights and the kernels that were chosen.
  const model::Model& network() const { return *network_; }
  const model::Config& config() const { return network_->config; }
  model::PagePool& pages() { return *pages_; }
  kernels::KvType kv_type() const { return pages_->layout().kv_type; }
  // Bytes of the file's weights that one decoded token needs (describe.h).
  uint64_t weight_bytes_per_token() const { return weight_bytes_per_token_; }

  // A model without a usable tokenizer still computes; then this is the reason why it has no text.
  const Status& text_status() const { return text_status_; }
  const TextModel& text() const { return *text_; }  // text_status() is ok

 private:
  LoadedModel() = default;

  std::string path_;
  std::unique_ptr<const model::Model> network_;
  std::unique_ptr<model::PagePool> pages_;
  std::optional<TextModel> text_;
  Status text_status_;
  uint64_t weight_bytes_per_token_ = 0;
};

}  // namespace lfm::engine
