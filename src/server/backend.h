// What answers requests: the engine, or a fake one in tests.
#pragma once

#include <functional>
#include <memory>

#include "engine/engine.h"

namespace lfm::server {

class Backend {
 public:
  virtual ~Backend() = default;
  // As engine::Engine has them.
  virtual Result<std::shared_ptr<engine::Stream>> Submit(engine::Request request, std::function<void()> notify) = 0;
  virtual double RetryAfterSeconds() const = 0;
};

// Borrows the engine.
class EngineBackend : public Backend {
 public:
  explicit EngineBackend(engine::Engine& engine) : engine_(engine) {}
  Result<std::shared_ptr<engine::Stream>> Submit(engine::Request request, std::function<void()> notify) override {
    return engine_.Submit(std::move(request), std::move(notify));
  }
  double RetryAfterSeconds() const override { return engine_.Stats().retry_after_seconds; }

 private:
  engine::Engine& engine_;
};

}  // namespace lfm::server
