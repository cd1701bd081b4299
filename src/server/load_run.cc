#include "server/load_run.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "base/start_thread.h"

namespace lfm::server {
namespace {

constexpr int32_t kFirstId = 300;  // beyond special tokens and single bytes

std::vector<int32_t> MakePrompt(const LoadTarget& target, const LoadCase& test, int i_request) {
  std::vector<int32_t> ids;
  // The standard fixes what this generator gives; a distribution would not be the same everywhere.
  const auto fill = [&](uint64_t seed, int64_t n) {
    std::mt19937_64 random(seed);
    const uint64_t range = static_cast<uint64_t>(std::max(1, target.n_vocab - kFirstId));
    while (static_cast<int64_t>(ids.size()) < n) ids.push_back(kFirstId + static_cast<int32_t>(random() % range));
  };
  fill(test.seed * 2 + 1, std::min(test.shared_prefix, test.prompt_tokens));
  fill(test.seed * 1'000'003 + static_cast<uint64_t>(i_request) * 2 + 2, test.prompt_tokens);
  return ids;
}

// When each request is sent, in seconds from the start: all at once, or a Poisson process.
std::vector<double> Schedule(const LoadCase& test) {
  std::vector<double> times(static_cast<size_t>(test.n_requests), 0.0);
  if (test.rate <= 0) return times;
  std::mt19937_64 random(test.seed + 7);
  double now = 0;
  for (double& time : times) {
    time = now;
    const double uniform = (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53;
    now -= std::log(uniform) / test.rate;
  }
  return times;
}

double Mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Percentile(std::vector<double>& values, double percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
}

void SetFigures(Json& json, const std::string& name, std::vector<double> seconds) {
  for (double& value : seconds) value *= 1e3;
  json.Set("mean_" + name + "_ms", Mean(seconds));
  json.Set("median_" + name + "_ms", Percentile(seconds, 50));
  json.Set("p90_" + name + "_ms", Percentile(seconds, 90));
  json.Set("p99_" + name + "_ms", Percentile(seconds, 99));
}

}  // namespace

Result<LoadResult> RunLoad(const LoadTarget& target, const LoadCase& test, const std::atomic<bool>& stop) {
  LoadResult result{.test = test, .seconds = 0, .answers = {}};
  result.answers.resize(static_cast<size_t>(test.n_requests));
  const std::vector<double> times = Schedule(test);
  std::atomic<int> next{0};
  const double start = LoadClock();
  std::vector<std::thread> clients;
  Status missing;
  for (int i = 0; i < std::min(test.n_clients, test.n_requests); ++i) {
    auto client = StartThread("a client", [&] {
      LoadClient asks(target);
      for (int k = next.fetch_add(1); k < test.n_requests && !stop; k = next.fetch_add(1)) {
        const size_t place = static_cast<size_t>(k);
        const std::vector<int32_t> prompt = MakePrompt(target, test, k);
        while (!stop && LoadClock() - start < times[place]) std::this_thread::sleep_for(std::chrono::microseconds(200));
        result.answers[place] = asks.Ask(prompt, test.answer_tokens);
      }
    });
    if (!client.ok()) {  // fewer clients would measure something else
      missing = client.error();
      next = test.n_requests;
      break;
    }
    clients.push_back(std::move(client).value());
  }
  for (std::thread& client : clients) client.join();
  if (!missing.ok()) return missing.error();
  if (stop) return Error{ErrorCode::kCancelled, "interrupted"};
  result.seconds = LoadClock() - start;
  return result;
}

Json LoadResultJson(const LoadResult& result) {
  std::vector<double> ttft, tpot, itl, e2el;
  int64_t n_good = 0, input = 0, output = 0, cached = 0;
  std::string error;
  for (const LoadAnswer& answer : result.answers) {
    if (!answer.good) {
      error = answer.error;
      continue;
    }
    ++n_good;
    input += answer.prompt_tokens;
    output += answer.completion_tokens;
    cached += answer.cached_tokens;
    e2el.push_back(answer.done_s - answer.sent_s);
    if (answer.arrivals_s.empty()) continue;
    ttft.push_back(answer.arrivals_s.front() - answer.sent_s);
    if (answer.completion_tokens > 1) {
      tpot.push_back((e2el.back() - ttft.back()) / static_cast<double>(answer.completion_tokens - 1));
    }
    for (size_t i = 1; i < answer.arrivals_s.size(); ++i) itl.push_back(answer.arrivals_s[i] - answer.arrivals_s[i - 1]);
  }
  const LoadCase& test = result.test;
  const double seconds = std::max(result.seconds, 1e-9);
  Json json = Json::MakeObject();
  json.Set("max_concurrency", test.n_clients).Set("request_rate", test.rate > 0 ? Json(test.rate) : Json("inf"));
  json.Set("num_prompts", test.n_requests).Set("random_input_len", test.prompt_tokens);
  json.Set("random_output_len", test.answer_tokens).Set("random_prefix_len", test.shared_prefix);
  json.Set("duration", result.seconds).Set("completed", n_good);
  json.Set("failed", static_cast<int64_t>(result.answers.size()) - n_good);
  if (!error.empty()) json.Set("last_error", error);
  json.Set("total_input_tokens", input).Set("total_output_tokens", output).Set("total_cached_tokens", cached);
  json.Set("request_throughput", static_cast<double>(n_good) / seconds);
  json.Set("output_throughput", static_cast<double>(output) / seconds);
  json.Set("total_token_throughput", static_cast<double>(input + output) / seconds);
  SetFigures(json, "ttft", std::move(ttft));
  SetFigures(json, "tpot", std::move(tpot));
  SetFigures(json, "itl", std::move(itl));
  SetFigures(json, "e2el", std::move(e2el));
  return json;
}

}  // namespace lfm::server
