// A client of any OpenAI server, for measuring: one streamed completion at a time, with the moment of each token.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace lfm::server {

// Where requests go. Plain HTTP.
struct LoadTarget {
  std::string host, port;
  std::string root;  // of the paths: "" or "/prefix"
  std::string model, api_key;
  int n_vocab = 4096;  // prompts are random ids below it
};

// "http://HOST[:PORT][/prefix][/v1]".
Result<LoadTarget> ParseLoadUrl(const std::string& url);
// What became of one request. Seconds are of one monotonic clock.
struct LoadAnswer {
  bool good = false;
  std::string error;
  double sent_s = 0, done_s = 0;
  std::vector<double> arrivals_s;  // of each event with text
  int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;
};

double LoadClock();

// One client: a connection that is kept between requests where the server keeps it. Blocking; for one thread at a time.
class LoadClient {
 public:
  explicit LoadClient(const LoadTarget& target);  // which must outlive it
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // POST /v1/completions with these ids, streamed, `n_tokens` long whatever the model says.
  LoadAnswer Ask(const std::vector<int32_t>& prompt, int64_t n_tokens);

  // Asks /v1/models for the model's id (unless one is set) and the size of its vocabulary.
  static Status FindModel(LoadTarget& target);

 private:
  class Connection;
  Result<int> Begin(const std::string& request);
  Status Stream(const std::string& request, LoadAnswer& answer);

  const LoadTarget& target_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace lfm::server
