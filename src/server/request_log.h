// One line of JSON a request, written by a thread of its own: a slow terminal or pipe holds up nobody.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "server/exchange.h"

namespace lfm::server {

struct RequestLogOptions {
  int fd = 2;
  bool only_errors = false;  // statuses from 400 on
  bool prompts = false;      // the bodies of requests too: only where somebody asked for it
};

// Thread-safe.
class RequestLog {
 public:
  // An error where its thread cannot be started.
  static Result<std::unique_ptr<RequestLog>> Start(const RequestLogOptions& options);
  ~RequestLog();  // writes what is queued
  void Write(const Record& record);
  uint64_t n_lost() const { return n_lost_.load(); }

 private:
  explicit RequestLog(const RequestLogOptions& options) : options_(options) {}
  void Loop();

  const RequestLogOptions options_;
  std::atomic<uint64_t> n_lost_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string queue_;
  bool stop_ = false;
  std::thread thread_;
};

// The line of a request, with its line end.
std::string RequestLine(const Record& record, int64_t now_us, bool with_body);

}  // namespace lfm::server
