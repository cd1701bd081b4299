#include "engine/loaded_model.h"

#include <limits>
#include <utility>

#include "engine/describe.h"

namespace lfm::engine {

Result<std::shared_ptr<LoadedModel>> LoadedModel::Load(const std::string& path, Threads& threads, const LoadOptions& options) {
  LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
  return Load(checkpoint, threads, options);
}

Result<std::shared_ptr<LoadedModel>> LoadedModel::Load(const formats::Checkpoint& checkpoint, Threads& threads,
                                                       const LoadOptions& options) {
  std::shared_ptr<LoadedModel> loaded(new LoadedModel);
  loaded->path_ = checkpoint.path;

  model::ModelOptions model_options;
  model_options.compute = options.compute;
  model_options.isa = options.isa;
  model_options.progress = options.progress;
  LFM_TRY(loaded->network_, model::LoadModel(checkpoint, threads, model_options));

  if (const auto description = Describe(checkpoint); description.ok()) {
    loaded->weight_bytes_per_token_ = description->weight_bytes_per_token;
  }

  auto text = ReadTextModel(checkpoint);
  if (text.ok()) {
    loaded->text_.emplace(std::move(text).value());
  } else {
    loaded->text_status_ = text.error();
  }

  const auto natural = options.compute == model::Compute::kF32 ? kernels::KvType::kF32 : kernels::KvType::kI16;
  const model::StateLayout layout(loaded->config(), options.kv_type.value_or(natural));
  // Each session has its own limit of positions; the pool itself is bounded by memory only.
  loaded->pages_ = std::make_unique<model::PagePool>(layout, std::numeric_limits<int64_t>::max());
  return loaded;
}

}  // namespace lfm::engine
