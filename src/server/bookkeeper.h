// What becomes of every request: metrics, the ledger, the limits of its key, the log.
#pragma once

#include <memory>

#include "server/exchange.h"
#include "server/keys.h"
#include "server/ledger.h"
#include "server/metrics.h"
#include "server/request_log.h"

namespace lfm::server {

// Thread-safe. ledger and log may be null.
class Bookkeeper final : public Observer {
 public:
  Bookkeeper(std::shared_ptr<KeyRing> keys, std::unique_ptr<Ledger> ledger, std::unique_ptr<RequestLog> log);

  // Charges the keys with what the ledger holds of them, for their budgets.
  Status RememberSpending();

  void OnStart(const HttpRequest& request) override;
  void OnTokens(const HttpRequest& request, bool first, double gap_s, int n) override;
  void OnUsage(const Record& record, std::function<void()> stored) override;
  void OnFinish(const Record& record) override;

  const Metrics& metrics() const { return metrics_; }
  const Ledger* ledger() const { return ledger_.get(); }
  const RequestLog* log() const { return log_.get(); }

 private:
  Metrics metrics_;
  std::shared_ptr<KeyRing> keys_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<RequestLog> log_;
};

}  // namespace lfm::server
