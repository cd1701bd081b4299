// One line of JSON a request, written by a thread of its own: a slow terminal or pipe holds up nobody.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

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
  explicit RequestLog(const RequestLogOptions& options);
  ~RequestLog();  // writes what is queued
  void Write(const Record& record);
  uint64_t n_lost() const { return n_lost_.load(); }

 private:
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
