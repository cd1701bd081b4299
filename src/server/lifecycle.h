// Where a server is in its life. Shared by the transport, the health route and the program.
#pragma once

#include <atomic>

namespace lfm::server {

enum class Life { kLoading, kReady, kDraining };

// Thread-safe.
class Lifecycle {
 public:
  Life get() const { return life_.load(std::memory_order_acquire); }
  void set(Life life) { life_.store(life, std::memory_order_release); }

 private:
  std::atomic<Life> life_{Life::kLoading};
};

}  // namespace lfm::server
