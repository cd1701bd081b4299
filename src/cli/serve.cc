// lfm serve: the model behind OpenAI's and Anthropic's APIs.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "base/start_thread.h"
#include "base/strings.h"
#include "cli/api_args.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/serve_args.h"
#include "server/page.h"
#include "server/server.h"
#include "server/system_routes.h"

namespace lfm::cli {
namespace {

class ServeCommand : public Command {
 public:
  void Declare(Args& args) override {
    api_.Declare(args);
    serve_.DeclareAddress(args);
    serve_.DeclareAccess(args);
    serve_.DeclareRecords(args);
    args.Footer(
        "SIGTERM lets running answers end and refuses new ones; a second one ends everything. SIGHUP reads the keys anew.");
  }

  Result<int> Run() override {
    LFM_TRY(server::ServerOptions options, serve_.Options());
    LFM_RETURN_IF_ERROR(serve_.CheckMetricsPrefix());
    LFM_RETURN_IF_ERROR(api_.Path());
    LFM_TRY(auto keys, serve_.Keys());
    LFM_TRY(auto ledger, serve_.OpenLedger());
    LFM_TRY(auto log, serve_.MakeLog());
    server::Bookkeeper books(keys, std::move(ledger), std::move(log));
    LFM_RETURN_IF_ERROR(books.RememberSpending());
    ArmInterrupt();

    RunningApi running;  // outlives the server, which asks it
    std::atomic<engine::Engine*> engine = nullptr;
    server::SystemParts system;
    system.life = std::make_shared<server::Lifecycle>();
    system.books = &books;
    system.metrics_prefix = serve_.metrics_prefix;
    system.ask_engine = [&engine](server::MetricsNow& now) {
      const engine::Engine* asked = engine.load();
      if (!asked) return;
      now.engine = asked->Stats();
      now.n_ctx = asked->n_ctx();
    };
    server::ServerHooks hooks;
    hooks.reload = [keys] {
      if (const Status read = keys->Reload(); !read.ok()) Warn(StrCat("the old keys stay: ", read.error().message));
    };
    hooks.draining = [] { Interrupt(); };  // a model that is being loaded is not waited for
    hooks.stopping_now = [] {
      // A step of the model cannot be broken off, and nobody waits for a thread that ends the process.
      auto ender = StartThread("the end", [] {
        std::this_thread::sleep_for(std::chrono::seconds(2));
        _exit(kExitFailure);
      });
      if (!ender.ok()) _exit(kExitFailure);
      ender->detach();
    };
    LFM_TRY(const auto server,
            server::Server::Start(std::move(options), {keys, Routes(system, nullptr), &books, system.life}, std::move(hooks)));
    auto started = api_.Start();
    if (!started.ok() && started.error().code == ErrorCode::kCancelled) {
      server->Wait();
      return kExitOk;
    }
    if (!started.ok()) return started.error();
    running = std::move(started).value();
    engine = running.engine.get();
    system.model_name = running.api->model.names.front();
    server->SetReady(Routes(system, running.api));
    for (const std::string& address : server->addresses()) {
      WriteOut(StrCat(Plain(system.model_name), " is served at ", address, "\n"));
    }
    LFM_RETURN_IF_ERROR(FlushOut());
    server->Wait();
    api_.SaveCache(*running.engine);
    return kExitOk;
  }

 private:
  static std::shared_ptr<const server::Router> Routes(const server::SystemParts& system,
                                                      const std::shared_ptr<server::Api>& api) {
    auto router = std::make_shared<server::Router>();
    server::AddSystemRoutes(*router, system);
    server::AddPageRoutes(*router);
    if (api) server::AddApiRoutes(*router, api);
    return router;
  }

  ApiArgs api_;
  ServeArgs serve_;
};

}  // namespace

std::unique_ptr<Command> MakeServe() { return std::make_unique<ServeCommand>(); }

}  // namespace lfm::cli
