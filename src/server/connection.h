// The I/O side: what all connections of a server share, and one connection's life from its first byte to its last.
// Everything here runs on the I/O thread, but where it says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <list>
#include <memory>
#include <string>

#include "server/exchange.h"
#include "server/guard.h"
#include "server/keys.h"
#include "server/lifecycle.h"
#include "server/options.h"
#include "server/wire.h"

namespace lfm::server {

class Connection;

struct ServerCore {
  ServerOptions options;
  std::shared_ptr<KeyRing> keys;
  Observer* observer = nullptr;
  std::shared_ptr<Lifecycle> life;
  std::shared_ptr<const Router> router;  // of the I/O thread
  std::shared_ptr<TlsContext> tls;
  Workers* workers = nullptr;
  boost::asio::io_context io{1};
  std::atomic<int> n_exchanges{0};  // whose handlers or clients are not done; any thread
  size_t body_bytes = 0;            // that requests hold
  std::list<std::shared_ptr<Connection>> connections;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, std::unique_ptr<Wire> wire, GuardOptions guard);
  ~Connection();

  void Start();
  void Tick(Clock::time_point now);    // deadlines
  void Excuse(Clock::duration lost);   // time in which this process did not run is no delay of the client's
  void Drain();                        // no further request; closes at once when idle
  void CutOff(const ApiError& error);  // ends what is running
  void Close();
  bool evictable() const { return phase_ == Phase::kIdle || phase_ == Phase::kLinger; }

  std::list<std::shared_ptr<Connection>>::iterator place;  // in the core's list

 private:
  enum class Phase { kHandshake, kIdle, kHead, kBody, kAnswering, kLinger, kClosed };

  void Read();
  void OnRead(const boost::system::error_code& ec, size_t n);
  void Process();
  void ProcessInput();
  void Judge();
  std::optional<ApiError> FindProblem();
  std::optional<ApiError> FindRoute(HttpRequest& request);
  void Answer(const ApiError& error, bool close);
  void BeginExchange();
  void Dispatch();
  void Wake();  // any thread
  void Flush();
  void OnWritten(const boost::system::error_code& ec, size_t n);
  void FinishExchange();
  void Linger();
  void ChargeBody(size_t bytes);

  ServerCore& core_;
  std::unique_ptr<Wire> wire_;
  GuardOptions guard_;
  RequestReader reader_;
  Phase phase_ = Phase::kHandshake;
  Clock::time_point since_;  // when this phase began; of the last progress while answering
  size_t progress_ = 0;

  std::string in_;       // received, not consumed
  std::string scratch_;  // where reads land
  bool reading_ = false, eof_ = false;

  bool judged_ = false, draining_ = false;
  std::optional<ApiError> refusal_;
  Router::Match match_;
  std::string route_;
  bool head_only_ = false, preflight_ = false;
  Clock::time_point arrived_;
  size_t body_charged_ = 0;

  std::shared_ptr<Exchange> exchange_;
  std::shared_ptr<const Router> router_;  // whose route is being answered
  std::string raw_out_;                   // "100 Continue"
  std::string writing_;
  size_t n_written_ = 0;
  bool write_busy_ = false, end_taken_ = false, in_handler_ = false;
  std::atomic<bool> wake_posted_{false};
};

}  // namespace lfm::server
