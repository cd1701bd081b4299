#include "model/model.h"

namespace lfm::model {

Result<std::unique_ptr<const Model>> LoadModel(const formats::Checkpoint& checkpoint, Threads& threads,
                                               const ModelOptions& options) {
  auto model = std::make_unique<Model>();
  LFM_TRY(model->kernels, kernels::Select(options.isa));
  LFM_TRY(model->config, ReadConfig(checkpoint));
  LFM_TRY(model->weights, LoadWeights(checkpoint, model->config, threads, options.progress));
  model->compute = options.compute;
  return std::unique_ptr<const Model>(std::move(model));
}

}  // namespace lfm::model
