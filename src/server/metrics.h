// Figures for Prometheus. Names are vLLM's where it has one, so that its dashboards, autoscalers and the inference
// gateway's picker work unchanged; docs/metrics.md lists all.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "engine/engine.h"
#include "server/exchange.h"
#include "server/lifecycle.h"

namespace lfm::server {

// Counts of values up to each bound. Thread-safe, without locks.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);  // ascending; they must outlive it
  void Observe(double value, uint64_t n = 1);
  // "# HELP" and so on down to "_count". `labels` without braces: model_name="x".
  void Write(std::string& out, std::string_view name, std::string_view help, std::string_view labels) const;

 private:
  std::span<const double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;  // [bounds + 1]
  std::atomic<double> sum_{0};
};

// What only the moment of the scrape knows.
struct MetricsNow {
  std::string model_name;
  std::string prefix = "vllm:";
  Life life = Life::kLoading;
  std::optional<engine::EngineStats> engine = {};  // absent while the model loads
  int64_t n_ctx = 0;
  uint64_t n_ledger_errors = 0, n_lost_log_lines = 0;
};

// Thread-safe.
class Metrics {
 public:
  Metrics();
  void OnStart() { n_http_running_.fetch_add(1); }
  void OnTokens(bool first, double gap_s, int n);
  void OnUsage(const Record& record);
  void OnFinish(const Record& record);
  std::string Render(const MetricsNow& now) const;

 private:
  void RenderRequests(std::string& out, const MetricsNow& now, const std::string& labels) const;
  void RenderHttp(std::string& out) const;

  Histogram ttft_, between_tokens_, per_token_, whole_, queue_, prefill_, decode_, prompt_length_, answer_length_, http_seconds_;
  std::atomic<uint64_t> n_prompt_tokens_{0}, n_cached_tokens_{0}, n_generated_tokens_{0}, cost_pico_{0};
  std::atomic<int64_t> n_http_running_{0};
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> finished_;                            // by reason
  std::map<std::tuple<std::string, std::string, int>, uint64_t> http_;  // by route, method, status
};

// A label's value with what Prometheus needs escaped.
std::string LabelValue(std::string_view text);
// process_cpu_seconds_total and its kin, from /proc/self.
void RenderProcess(std::string& out);

}  // namespace lfm::server
