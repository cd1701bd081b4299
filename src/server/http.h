// What the transport (server.h) and the translation of the APIs share: a request that was read whole and judged
// acceptable, the way its answer is given, and the table of routes. No socket, no JSON of an API, no engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace lfm::server {

using Clock = std::chrono::steady_clock;
using Header = std::pair<std::string, std::string>;
using Headers = std::vector<Header>;

// Who asks: what the key file says of a key, or the anonymous caller where no key is asked for. Immutable; a reload
// makes new ones and leaves those of running requests alone.
struct Caller {
  std::string id;     // first 12 hexadecimal digits of the key's SHA-256; "" without keys. Root of cache and fairness
  std::string label;  // for logs, ledger and metrics; "" without keys
};

// One request, read whole: head and body are within their limits, the Host, Origin, key and Content-Type were accepted.
// Immutable once a handler sees it, and alive as long as its Reply.
struct HttpRequest {
  std::string method;                    // upper case, of those that routes have; HEAD arrives as the GET it stands for
  std::string path;                      // percent-decoded, valid UTF-8, without the query
  std::string body;                      // after chunked decoding
  std::string request_id;                // what x-request-id of the answer says: the client's own where it was acceptable
  Headers headers;                       // names in lower case
  Headers query;                         // decoded, in order
  Headers params;                        // parts of the path that the route's pattern names
  std::shared_ptr<const Caller> caller;  // never null
  Clock::time_point arrived;             // when its first byte was there
  bool anthropic = false;                // errors have Anthropic's shape

  // The first value of a name, or "" (query and header values may be empty as well).
  std::string_view header(std::string_view lower_case_name) const;
  std::string_view query_value(std::string_view name) const;
  std::string_view param(std::string_view name) const;
};

// A refusal. `type` empty: the usual one of the status ("invalid_request_error", "authentication_error", "server_error").
struct ApiError {
  int status = 400;
  std::string message;
  std::optional<std::string> param = std::nullopt;
  std::optional<std::string> code = std::nullopt;
  std::string type = "";
  Headers headers = {};  // Retry-After, Allow
  Json extra = {};       // an object: further members of the error (n_ctx)
};

// The document of an error, in the shape of OpenAI or of Anthropic.
std::string ErrorBody(const ApiError& error, bool anthropic);

// What an answer used. Fill it before Send or End: then the ledger has its row on disk before the last byte leaves, and
// metrics, limits of the key and the log line agree with what the answer says.
struct Usage {
  std::string model = {};
  int64_t prompt_tokens = 0;  // all of them, cached ones included
  int64_t cached_tokens = 0;
  int64_t completion_tokens = 0;  // of all choices, reasoning included
  int64_t reasoning_tokens = 0;
  int64_t cost_pico_dollars = 0;
  std::string finish_reason = {};                   // "stop", "length", "tool_calls", "abort", "error": of the first choice
  double queue_s = 0, prefill_s = 0, decode_s = 0;  // as the engine measured them
};

// Gives one answer: Send or Fail once, or BeginStream, any number of Write, End. All is thread-safe, never blocks on the
// network, and does nothing after the end or when the client is gone. Dropping the last reference without an answer
// gives a 500 (or cuts the stream), so nobody waits for ever.
class Reply {
 public:
  virtual ~Reply() = default;

  virtual const HttpRequest& request() const = 0;

  // The whole answer. Content-Length, Date, x-request-id, CORS and the like are added.
  virtual void Send(int status, std::string_view content_type, std::string body, Headers headers = {}) = 0;
  // An error document in the shape of the route. Also good after BeginStream: then the error goes out as an event (OpenAI:
  // "data: {error}" and "data: [DONE]"; Anthropic: "event: error") and the stream ends.
  virtual void Fail(const ApiError& error) = 0;

  // Status 200 and chunks. For "text/event-stream" the headers that keep proxies from buffering are added.
  virtual void BeginStream(std::string_view content_type, Headers headers = {}) = 0;
  // Bytes of the body, sent soon. False: the client is gone or reads too slowly; the answer is over.
  virtual bool Write(std::string_view bytes) = 0;
  // The end of a stream. `last`: its last bytes (e.g. "data: [DONE]\n\n"), held back until the ledger has the row.
  virtual void End(std::string_view last = {}) = 0;

  // Counts n tokens that became visible to the client now: the clock for time to first token and between tokens.
  virtual void CountTokens(int n) = 0;
  virtual void SetUsage(Usage usage) = 0;

  // Calls `gone` once, from a transport thread, if the client leaves, is cut off, or the server's drain time is over
  // before the answer's end; at once if that has already happened. Must not block. Use it to cancel the engine's work, then
  // end the answer as usual (SetUsage, End): what was computed is accounted though nobody reads it.
  virtual void OnClosed(std::function<void()> gone) = 0;
  virtual bool closed() const = 0;

  // Runs `work` on a worker thread, in order and one at a time for this reply: for what the engine's notify callback
  // starts, and for anything too long for an I/O thread. Keeps the reply alive until it has run.
  virtual void Run(std::function<void()> work) = 0;
};

using Handler = std::function<void(const HttpRequest&, const std::shared_ptr<Reply>&)>;

struct RouteOptions {
  bool open = false;      // needs no key: /health and the page
  bool quick = false;     // with a body of at most 16 KiB it runs on the I/O thread: some tens of microseconds at most.
                          // Everything else runs on a small pool of workers
  bool any_type = false;  // the body need not be application/json
  bool always = false;    // also while the model loads and while the server drains: /health, /metrics
};

// Methods and patterns to handlers. A pattern is a path whose segments may be "{name}" (one segment) or, last,
// "{name...}" (one or more: ids hold '/'). "/v1/x" is found as "/x" too unless that has a route of its own. Fill it
// before it is given to the server; read-only and thread-safe afterwards.
class Router {
 public:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
    RouteOptions options;
  };
  struct Match {
    const Route* route = nullptr;  // null: no such path, or (when `allow` is not empty) not by this method
    Headers params;
    std::string allow;  // the methods that the path has, for 405
  };

  void Add(std::string method, std::string_view pattern, Handler handler, RouteOptions options = {});
  Match Find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace lfm::server
