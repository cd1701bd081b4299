// Load on a server, and what it did under it: closed loop (so many clients, each with its next request as soon as the last
// is answered) or open loop (requests at random moments of a given rate, whatever the server does).
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "server/load_client.h"

namespace lfm::server {

struct LoadCase {
  int n_clients = 1;   // closed loop; at most so many at a time in the open loop too
  double rate = 0;     // requests a second; 0: closed loop
  int n_requests = 4;  // in all
  int64_t prompt_tokens = 128, answer_tokens = 128;
  int64_t shared_prefix = 0;  // of the prompt, the same in all requests
  uint64_t seed = 0;          // prompts of equal seeds are equal
};

struct LoadResult {
  LoadCase test;
  double seconds = 0;
  std::vector<LoadAnswer> answers;
};

Result<LoadResult> RunLoad(const LoadTarget& target, const LoadCase& test, const std::atomic<bool>& stop);

// With the names that vLLM's benchmark gives them: request_throughput, output_throughput, mean_ttft_ms, p99_itl_ms, ...
Json LoadResultJson(const LoadResult& result);

}  // namespace lfm::server
