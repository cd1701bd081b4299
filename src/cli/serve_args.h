// The flags of lfm serve that shape the server itself: where it listens, who may ask, what it keeps.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/args.h"
#include "server/bookkeeper.h"
#include "server/keys.h"
#include "server/options.h"

namespace lfm::cli {

struct ServeArgs {
  std::vector<std::string> hosts, listen, api_keys, cors_origins, allowed_hosts;
  std::optional<int64_t> port, drain_timeout, max_connections;
  std::string api_key_file, tls_cert, tls_key, ledger, metrics_prefix = "vllm:";
  std::optional<std::string> log;
  bool no_auth = false, log_prompts = false;

  void DeclareAddress(Args& args);
  void DeclareAccess(Args& args);
  void DeclareRecords(Args& args);

  Result<server::ServerOptions> Options() const;
  Status CheckMetricsPrefix() const;
  // Of --api-key, LFM_API_KEY and --api-key-file.
  Result<std::shared_ptr<server::KeyRing>> Keys() const;
  // null: none is kept. Without --ledger one in the state folder, where that can be written.
  Result<std::unique_ptr<server::Ledger>> OpenLedger() const;
  Result<std::unique_ptr<server::RequestLog>> MakeLog() const;  // null: none
};

// Where the ledger lies that no flag names; "" where there is no home.
std::string DefaultLedgerPath();

}  // namespace lfm::cli
