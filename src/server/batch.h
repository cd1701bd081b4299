// Files of requests in OpenAI's batch format, answered without a network: a line in, a line out.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http.h"

namespace lfm::server {

struct BatchOptions {
  int n_together = 64;                                           // requests in work at a time
  const std::atomic<bool>* cancel = nullptr;                     // true: nothing new is begun; what is in work is finished
  std::function<void(int64_t done, int64_t total)> on_progress;  // from one thread at a time
};

struct BatchSummary {
  int64_t n_lines = 0;
  int64_t n_before = 0;                   // answered by an earlier run
  int64_t n_answered = 0, n_refused = 0;  // by this one: status 200, and others
};

// `in` is a text of lines, `in_name` what errors call it. Lines: {"custom_id", "method": "POST", "url": "/v1/chat/completions", "body": {…}}; all of them are checked before
// any work, and errors name the line. Output lines, in the order of completion: {"id", "custom_id", "response":
// {"status_code", "request_id", "body"}, "error": null}. What `out_path` holds already counts as done, but for a last line
// without its end, so a run that was killed goes on where it was. `router` has the routes of the APIs.
Result<BatchSummary> RunBatch(const Router& router, std::string_view in, const std::string& in_name, const std::string& out_path,
                              const BatchOptions& options);

}  // namespace lfm::server
