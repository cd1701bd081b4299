// The flags that say what is served: the model, its names, prices, context and sampling. Shared by lfm serve and lfm batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/args.h"
#include "cli/model_args.h"
#include "cli/sampling_args.h"
#include "engine/engine.h"
#include "server/api.h"

namespace lfm::cli {

// A model at work behind the routes of the APIs. Members are destroyed from the last to the first.
struct RunningApi {
  std::unique_ptr<Threads> threads;
  std::shared_ptr<engine::LoadedModel> model;
  std::unique_ptr<engine::TextModel> text;  // with --template: the model's, but for the template
  std::unique_ptr<engine::Engine> engine;
  std::shared_ptr<server::Api> api;
};

struct ApiArgs {
  ModelArgs model;
  SamplingArgs sampling;
  std::vector<std::string> aliases;
  bool any_model = false, no_prefix_cache = false, stats = false;
  std::string prices, chat_template, prefix_cache;
  std::optional<int64_t> n_parallel, n_queue, cache_bytes, step_ms;

  void Declare(Args& args);

  // Loads the model and starts the engine. Without -m it is the demo model.
  Result<RunningApi> Start() const;
  // Writes what --prefix-cache keeps for the next run; what goes wrong is a warning.
  void SaveCache(engine::Engine& engine) const;
  // The path of -m, or of the demo model.
  Result<std::string> Path() const;

 private:
  // A cache that is of no use here is written anew; a file that is something else is an error, since it would be lost.
  Status LoadCache(engine::Engine& engine) const;
  Result<engine::EngineOptions> Options() const;
  Result<server::ServedModel> Served(const RunningApi& running) const;
};

}  // namespace lfm::cli
