// One request and its answer between two worlds: handlers on any thread on one side, the connection's I/O thread on the
// other. Frames the answer, bounds what waits to be sent, holds its end back until the ledger has its row, and reports what
// came of it. No socket.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http.h"
#include "server/workers.h"

namespace lfm::server {

// What is known of a request at its end, for log, ledger and metrics.
struct Record {
  const HttpRequest* request = nullptr;
  std::string route;  // the pattern's words, or "" where none was found
  int status = 0;     // of the answer; 499 when the client left before there was one
  uint64_t bytes_sent = 0;
  double seconds = 0;                 // from the first byte of the request to the end
  std::optional<double> ttft_s = {};  // to the first token
  std::optional<Usage> usage = {};
  bool cut_short = false;  // the client left, read too slowly, or the server ended it
};

// Hears of requests. Called from I/O and worker threads; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnStart(const HttpRequest&) {}
  // The n tokens that came `gap_s` after those before (after the request, for the first ones).
  virtual void OnTokens(const HttpRequest&, bool /*first*/, double /*gap_s*/, int /*n*/) {}
  // The answer is whole and its usage known. Calls `stored` when the row is safe, from any thread, also at once.
  virtual void OnUsage(const Record&, std::function<void()> stored) { stored(); }
  virtual void OnFinish(const Record&) {}
};

struct ExchangeOptions {
  bool http11 = true;
  bool keep_alive = true;
  bool head_only = false;                 // the request was HEAD
  size_t max_buffered = size_t{1} << 20;  // bytes of an answer that wait for a slow reader
  Headers headers;                        // for every answer of this connection: CORS
  std::string route;
};

// Thread-safe. The connection calls TakeOutput, Sent, ClientGone, CutOff and Detach; handlers the rest, through a Reply.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // `wake` tells the connection that TakeOutput has something; from any thread, outside of locks.
  Exchange(HttpRequest request, ExchangeOptions options, Observer& observer, Workers& workers, std::function<void()> wake);

  const HttpRequest& request() const { return request_; }

  // For the connection.
  // Appends what is ready. kEnd: that was the last of the answer; kDrop: it was given up, close the connection.
  enum class Output { kMore, kEnd, kDrop };
  Output TakeOutput(std::string& out);
  void Sent(size_t bytes);
  void Reassure();    // a comment into an event stream, which clients leave out: nothing is ready yet, but the server lives
  void ClientGone();  // runs the callbacks; what is written from now on is dropped
  // The server ends: the client gets an error in the form that the answer has reached, the handler hears "gone".
  void CutOff(const ApiError& error);
  void Detach();      // the connection is done with it
  void CloseAfter();  // the connection will not be kept
  bool keep_alive() const;
  bool given_up() const;  // the client is gone or reads too slowly: nothing more goes to it

  // For handlers.
  void Send(int status, std::string_view content_type, std::string body, Headers headers);
  void Fail(const ApiError& error);
  void BeginStream(std::string_view content_type, Headers headers);
  bool Write(std::string_view bytes);
  void End(std::string_view last);
  void CountTokens(int n);
  void SetUsage(Usage usage);
  void OnClosed(std::function<void()> gone);
  bool closed() const;
  void Run(std::function<void()> work);
  void Dropped();  // the last reference of the handler is gone

 private:
  enum class Phase { kFresh, kStreaming, kEnding, kEnded };
  std::string Head(int status, std::string_view content_type, const Headers& headers, std::optional<size_t> length);
  void Frame(std::string_view bytes, std::string& out) const;
  void EndWith(std::string bytes, std::unique_lock<std::mutex>& lock);
  void FailLocked(const ApiError& error, std::unique_lock<std::mutex>& lock);
  std::string FailureBytes(const ApiError& error);
  void Release();
  std::vector<std::function<void()>> TakeGone();
  Record MakeRecord() const;
  void FinishIfOver(std::unique_lock<std::mutex>& lock);
  void RunNext();

  const HttpRequest request_;
  const ExchangeOptions options_;
  Observer& observer_;
  Workers& workers_;
  const std::function<void()> wake_;

  mutable std::mutex mutex_;
  Phase phase_ = Phase::kFresh;
  bool keep_alive_, chunked_ = false, event_stream_ = false;
  std::string out_, held_;  // ready to be sent; ready when the ledger has the row
  size_t n_unsent_ = 0;     // taken by the connection and not yet sent
  bool closed_ = false;     // nobody reads any more
  bool cut_off_ = false;    // the client was given its end by CutOff; the handler still owes its own
  bool detached_ = false, finished_ = false;
  std::vector<std::function<void()>> gone_;
  int status_ = 0;
  uint64_t bytes_sent_ = 0;
  std::optional<Usage> usage_;
  std::optional<Clock::time_point> first_token_, last_token_;
  std::deque<std::function<void()>> work_;
  bool working_ = false;
};

// The Reply that a handler holds; its end without an answer is noticed.
std::shared_ptr<Reply> MakeReply(std::shared_ptr<Exchange> exchange);

// "200 OK" and so on, for a status line.
std::string_view StatusText(int status);

}  // namespace lfm::server
