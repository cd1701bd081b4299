// Bytes of a connection to requests, strictly: what HTTP/1.1 forbids or two servers might read differently is refused.
// A pre-scan judges the lines of the head, then Beast's parser takes head and body. No socket: tests and fuzzers feed it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http.h"

namespace lfm::server {

struct ReaderLimits {
  size_t max_target = 8192;            // bytes of the request line; beyond: 414
  size_t max_head = 32768;             // bytes of line and headers together, also of trailers or one chunk's line; beyond: 431
  int max_headers = 100;               // beyond: 431
  size_t max_body = size_t{32} << 20;  // after chunked decoding; beyond: 413
};

// Reads one request after another. Not thread-safe.
class RequestReader {
 public:
  enum class State {
    kHead,    // the head is not whole yet
    kBody,    // the head is there (request(), keep_alive(), ...), the body not yet
    kDone,    // all is there; Next() prepares for the next request
    kFailed,  // error() says why; the connection cannot go on, for nobody knows where the next request begins
  };

  explicit RequestReader(const ReaderLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Takes bytes from the front of `input` and returns how many; what is left must come again, with more behind it.
  // Stops where the head ends, so that the caller can judge it before the body is read.
  size_t Feed(std::string_view input);

  State state() const { return state_; }
  const ApiError& error() const { return error_; }

  // From kBody on; of a failed request, what was understood. path and query are filled; the caller adds the rest.
  HttpRequest& request() { return request_; }
  bool http11() const { return http11_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }
  bool has_body() const { return chunked_ || content_length_.value_or(0) > 0; }
  std::optional<uint64_t> content_length() const { return content_length_; }
  // Reads the rest of the body without keeping it: the request is refused, the connection lives on.
  void DiscardBody();

  void Next();

 private:
  class Parser;
  size_t FeedHead(std::string_view input);
  size_t FeedBody(std::string_view input);
  bool ScanHead(std::string_view input, size_t& end);
  void FinishHead();
  void TakeField(std::string_view name, std::string_view value);
  bool TakeBody(std::string_view bytes);  // false: too much
  void Refuse(int status, std::string message);

  ReaderLimits limits_;
  State state_ = State::kHead;
  ApiError error_;
  HttpRequest request_;
  std::string target_;
  std::unique_ptr<Parser> parser_;

  size_t n_scanned_ = 0, line_begin_ = 0;
  int n_lines_ = 0;
  int n_hosts_ = 0, n_lengths_ = 0, n_codings_ = 0;
  bool http11_ = true, keep_alive_ = true, expects_continue_ = false, chunked_ = false, discard_ = false, skipped_line_ = false;
  std::optional<uint64_t> content_length_;
};

// "/v1/models/a%2Fb?limit=2&x" into a decoded path and query. False: no path, a bad escape, a control character, or
// not UTF-8.
bool ParseTarget(std::string_view target, std::string& path, Headers& query);

}  // namespace lfm::server
