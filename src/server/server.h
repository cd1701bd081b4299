// The HTTP server: one I/O thread for all sockets, a small pool of workers for what takes longer. HTTP/1.1 and 1.0 on TCP
// and UNIX sockets, plain or under TLS.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/exchange.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/lifecycle.h"
#include "server/options.h"

namespace lfm::server {

struct ServerParts {
  std::shared_ptr<KeyRing> keys;
  std::shared_ptr<const Router> router;  // the routes that work while the model loads
  Observer* observer = nullptr;          // outlives the server
  std::shared_ptr<Lifecycle> life;
};

// What the program wants to hear of; called on the I/O thread.
struct ServerHooks {
  std::function<void()> reload;        // SIGHUP
  std::function<void()> draining;      // the first SIGTERM or SIGINT
  std::function<void()> stopping_now;  // the second one
};

class Server {
 public:
  // Opens every address and begins to answer: 503 for all that needs the model, until SetReady. Refuses to listen beyond
  // loopback without keys (unless options.no_auth). With hooks.reload set, SIGTERM, SIGINT and SIGHUP are taken over.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, ServerParts parts, ServerHooks hooks = {});
  virtual ~Server() = default;  // stops at once

  virtual std::vector<std::string> addresses() const = 0;
  // The model is there: `router` has all routes. Thread-safe.
  virtual void SetReady(std::shared_ptr<const Router> router) = 0;
  // As by SIGTERM: answers what is running, refuses what is new, ends after options.timeouts.drain at the latest.
  virtual void Drain() = 0;
  // Waits until the server has drained.
  virtual void Wait() = 0;
};

}  // namespace lfm::server
