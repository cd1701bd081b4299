// The routes about the server itself: /health, /metrics, /v1/usage.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/bookkeeper.h"
#include "server/http.h"
#include "server/lifecycle.h"

namespace lfm::server {

// Borrowed parts must outlive the routes.
struct SystemParts {
  std::shared_ptr<Lifecycle> life;
  const Bookkeeper* books = nullptr;
  std::function<void(MetricsNow&)> ask_engine;  // fills in the engine's figures, once there is an engine; any thread
  std::string model_name, metrics_prefix = "vllm:";
};

void AddSystemRoutes(Router& router, const SystemParts& parts);

}  // namespace lfm::server
