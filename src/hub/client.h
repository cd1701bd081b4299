// HTTP over libcurl, with what downloads need and libcurl leaves to its user: a secret that never follows a
// redirect to another origin, bounds on everything a server sends, and errors that say whether another try
// makes sense.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lfm::hub {

struct HttpOptions {
  double connect_timeout_s = 15;
  double stall_timeout_s = 30;  // a transfer slower than stall_bytes_per_s for this long is given up
  uint64_t stall_bytes_per_s = 1024;
  int max_redirects = 8;
  std::string ca_file;  // certificates to trust instead of the system's; empty: the system's
  std::string user_agent = "lfm.cpp/0.1";
};

// How often and how patiently a request is repeated. Delays double from first_delay_s, with the jitter of a
// quarter.
struct RetryPolicy {
  int max_attempts = 6;  // without progress
  double first_delay_s = 0.5;
  double max_delay_s = 20;
  double max_retry_after_s = 120;  // a server that asks for a longer pause gets an error instead
};

// One answer of a chain of redirects. Header names are in lower case.
struct HttpHead {
  std::string url;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;

  // The (last) value of a header, or nothing.
  std::optional<std::string> Find(std::string_view name) const;
};

struct HttpResponse {
  std::vector<HttpHead> hops;  // first to last; never empty in a response that was returned
  std::string body;            // of errors (cut at 4 KiB), and of successes when no on_body is given

  int status() const { return hops.back().status; }
  const HttpHead& head() const { return hops.back(); }
  // The value of a header in the first answer that has it: the hub's own, before a redirect to storage.
  std::optional<std::string> FindFirst(std::string_view name) const;
};

struct HttpRequest {
  std::string method = "GET";  // or HEAD
  std::string url;
  std::string token;  // "Authorization: Bearer" for the origin of `url` only, and only over TLS or loopback
  std::optional<std::pair<uint64_t, uint64_t>> range;  // first and last byte
  size_t max_body = size_t{8} << 20;                   // of a success without on_body; more is an error
  double total_timeout_s = 0;                          // 0: none
  const std::atomic<bool>* cancel = nullptr;           // checked at least once a second
  const std::atomic<bool>* stop = nullptr;             // a second one, for sibling transfers
  // Called with the last answer's head before its body, for status 200 to 299. An error ends the transfer.
  std::function<Status(const HttpResponse&)> on_head;
  // Called with each piece of the body of a success. An error ends the transfer.
  std::function<Status(std::span<const std::byte>)> on_body;
};

// What became of a request. `status` is an error when no complete answer came (then `retryable` says whether
// a repetition may help); an answer such as 404 is a success here and judged by the caller.
struct HttpOutcome {
  Status status;
  bool retryable = false;
  HttpResponse response;
};

// A handle that keeps its connections. One thread at a time.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpOutcome Perform(const HttpRequest& request);

 private:
  struct Transfer;
  bool PerformHop(const HttpRequest& request, const std::string& url, HttpOutcome& outcome);

  HttpOptions options_;
  void* handle_ = nullptr;  // CURL*
};

// Whether a status is worth another try: 408, 425, 429, 500, 502, 503, 504 and 509 to 529 of overloaded
// proxies.
bool IsRetryableStatus(int status);

// The error for an answer that is no success: what was asked (`what`), why it was refused, what to do.
Error StatusError(const HttpResponse& response, const std::string& what, bool with_token);

// The seconds that Retry-After asks for (a number or a date, not negative), or nothing.
std::optional<double> RetryAfter(const HttpHead& head);

// Counts failures in a row and knows how long to wait. Deterministic jitter from `seed`.
class Backoff {
 public:
  Backoff(const RetryPolicy& policy, uint64_t seed) : policy_(policy), random_(seed * 2 + 1) {}

  void Progress() { n_failed_ = 0; }
  // Waits before the next attempt; returns the error that ends it all: `error` itself when the attempts are
  // used up or the server asks for too long a pause, or kCancelled.
  Status Wait(const Error& error, std::optional<double> retry_after, const std::atomic<bool>* cancel,
              const std::atomic<bool>* stop = nullptr);

 private:
  RetryPolicy policy_;
  uint64_t random_;
  int n_failed_ = 0;
  int n_total_ = 0;
};

// Performs a request, repeating what is worth it. An answer that is no success becomes StatusError.
Result<HttpResponse> PerformWithRetries(HttpClient& client, const HttpRequest& request, const std::string& what,
                                        const RetryPolicy& policy);

}  // namespace lfm::hub
