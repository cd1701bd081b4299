#include "server/metrics.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace lfm::server {
namespace {

constexpr double kLatencies[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                                 1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
constexpr double kGaps[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
                            0.4,   0.5,    0.75,  1,    2.5,   5,    7.5,   10,  20,   40,  80};
constexpr double kLengths[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
constexpr double kHttpSeconds[] = {0.0001, 0.001, 0.01, 0.1, 1, 10, 100};

void Number(std::string& out, double value) {
  char buffer[32];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// One family of a single value.
void Family(std::string& out, std::string_view name, std::string_view type, std::string_view help, std::string_view labels,
            double value) {
  out += StrCat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name);
  if (!labels.empty()) out += StrCat("{", labels, "}");
  out += ' ';
  Number(out, value);
  out += '\n';
}

double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

void Histogram::Observe(double value, uint64_t n) {
  const size_t i = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  counts_[i].fetch_add(n, std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<double>(n), std::memory_order_relaxed);
}

void Histogram::Write(std::string& out, std::string_view name, std::string_view help, std::string_view labels) const {
  out += StrCat("# HELP ", name, " ", help, "\n# TYPE ", name, " histogram\n");
  const std::string comma = labels.empty() ? "" : ",";
  uint64_t count = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    count += counts_[i].load(std::memory_order_relaxed);
    out += StrCat(name, "_bucket{", labels, comma, "le=\"");
    if (i < bounds_.size()) {
      Number(out, bounds_[i]);
    } else {
      out += "+Inf";
    }
    out += StrCat("\"} ", count, "\n");
  }
  const std::string braces = labels.empty() ? "" : StrCat("{", labels, "}");
  out += StrCat(name, "_sum", braces, " ");
  Number(out, sum_.load(std::memory_order_relaxed));
  out += StrCat("\n", name, "_count", braces, " ", count, "\n");
}

Metrics::Metrics()
    : ttft_(kLatencies), between_tokens_(kGaps), per_token_(kGaps), whole_(kLatencies), queue_(kLatencies), prefill_(kLatencies),
      decode_(kLatencies), prompt_length_(kLengths), answer_length_(kLengths), http_seconds_(kHttpSeconds) {
  for (const char* reason : {"stop", "length", "tool_calls", "abort", "error"}) finished_[reason] = 0;
}

void Metrics::OnTokens(bool first, double gap_s, int n) {
  if (n <= 0) return;
  const uint64_t count = static_cast<uint64_t>(n);
  if (first) {
    ttft_.Observe(gap_s);
    if (n > 1) between_tokens_.Observe(0, count - 1);
    return;
  }
  between_tokens_.Observe(gap_s / n, count);
}

void Metrics::OnUsage(const Record& record) {
  const Usage& usage = *record.usage;
  const auto add = [](std::atomic<uint64_t>& counter, int64_t n) {
    if (n > 0) counter.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
  };
  add(n_prompt_tokens_, usage.prompt_tokens);
  add(n_cached_tokens_, usage.cached_tokens);
  add(n_generated_tokens_, usage.completion_tokens);
  add(cost_pico_, usage.cost_pico_dollars);
  whole_.Observe(record.seconds);
  queue_.Observe(usage.queue_s);
  prefill_.Observe(usage.prefill_s);
  decode_.Observe(usage.decode_s);
  prompt_length_.Observe(static_cast<double>(usage.prompt_tokens));
  answer_length_.Observe(static_cast<double>(usage.completion_tokens));
  if (record.ttft_s && usage.completion_tokens > 1) {
    per_token_.Observe((record.seconds - *record.ttft_s) / static_cast<double>(usage.completion_tokens - 1));
  }
  std::lock_guard lock(mutex_);
  ++finished_[usage.finish_reason.empty() ? "stop" : usage.finish_reason];
}

void Metrics::OnFinish(const Record& record) {
  n_http_running_.fetch_sub(1);
  http_seconds_.Observe(record.seconds);
  // Methods come from clients: one that no route has is counted without its name, or anybody could fill the memory.
  const std::string method = record.route.empty() ? "" : record.request->method;
  std::lock_guard lock(mutex_);
  ++http_[{record.route, method, record.status}];
}

void Metrics::RenderRequests(std::string& out, const MetricsNow& now, const std::string& labels) const {
  const std::string& p = now.prefix;
  const auto count = [](const std::atomic<uint64_t>& counter) { return static_cast<double>(counter.load()); };
  ttft_.Write(out, p + "time_to_first_token_seconds", "From a request's first byte to its first token.", labels);
  between_tokens_.Write(out, p + "inter_token_latency_seconds", "Between two tokens of an answer.", labels);
  per_token_.Write(out, p + "request_time_per_output_token_seconds", "Mean time per token after the first, a request.", labels);
  whole_.Write(out, p + "e2e_request_latency_seconds", "From a request's first byte to the end of its answer.", labels);
  queue_.Write(out, p + "request_queue_time_seconds", "Waiting for a place.", labels);
  prefill_.Write(out, p + "request_prefill_time_seconds", "Reading the prompt.", labels);
  decode_.Write(out, p + "request_decode_time_seconds", "From the first token to the last.", labels);
  prompt_length_.Write(out, p + "request_prompt_tokens", "Tokens of prompts.", labels);
  answer_length_.Write(out, p + "request_generation_tokens", "Tokens of answers.", labels);
  Family(out, p + "prompt_tokens_total", "counter", "Tokens of prompts, cached ones included.", labels, count(n_prompt_tokens_));
  Family(out, p + "generation_tokens_total", "counter", "Tokens of answers.", labels, count(n_generated_tokens_));
  Family(out, p + "prefix_cache_queries_total", "counter", "Tokens of prompts looked up in the prefix cache.", labels,
         count(n_prompt_tokens_));
  Family(out, p + "prefix_cache_hits_total", "counter", "Tokens of prompts found in the prefix cache.", labels,
         count(n_cached_tokens_));
  out +=
      StrCat("# HELP ", p, "request_success_total Answers, by what ended them.\n# TYPE ", p, "request_success_total counter\n");
  std::lock_guard lock(mutex_);
  for (const auto& [reason, n] : finished_) {
    out += StrCat(p, "request_success_total{", labels, ",finished_reason=\"", LabelValue(reason), "\"} ", n, "\n");
  }
}

void Metrics::RenderHttp(std::string& out) const {
  http_seconds_.Write(out, "lfm_http_request_seconds", "From a request's first byte to the end of its answer.", "");
  Family(out, "lfm_http_requests_running", "gauge", "Requests that are being answered.", "",
         static_cast<double>(n_http_running_.load()));
  out += "# HELP lfm_http_requests_total Requests, by route and status.\n# TYPE lfm_http_requests_total counter\n";
  std::lock_guard lock(mutex_);
  for (const auto& [key, n] : http_) {
    const auto& [route, method, status] = key;
    out += StrCat("lfm_http_requests_total{route=\"", LabelValue(route), "\",method=\"", LabelValue(method), "\",status=\"",
                  status, "\"} ", n, "\n");
  }
}

namespace {

void RenderStepSeconds(std::string& out, const engine::EngineStats& stats, const std::string& labels) {
  out += "# HELP lfm_engine_step_seconds_total Time in steps, by phase.\n# TYPE lfm_engine_step_seconds_total counter\n";
  double rest = stats.step_seconds - stats.sampling_seconds;
  const auto write = [&](std::string_view phase, double seconds) {
    out += StrCat("lfm_engine_step_seconds_total{", labels, ",phase=\"", phase, "\"} ");
    Number(out, std::max(0.0, seconds));
    out += '\n';
  };
  for (int i = 0; i < model::kPhases && stats.profile.n_steps > 0; ++i) {
    write(model::kPhaseNames[static_cast<size_t>(i)], stats.profile.seconds[static_cast<size_t>(i)]);
    rest -= stats.profile.seconds[static_cast<size_t>(i)];
  }
  write("forward", rest);  // all of it, or what belongs to no phase
  write("sampling", stats.sampling_seconds);
}

void RenderEngine(std::string& out, const MetricsNow& now, const std::string& labels) {
  const engine::EngineStats stats = now.engine.value_or(engine::EngineStats{});
  const std::string& p = now.prefix;
  const auto number = [](auto value) { return static_cast<double>(value); };
  Family(out, p + "num_requests_running", "gauge", "Sequences that make tokens.", labels, number(stats.n_running));
  Family(out, p + "num_requests_waiting", "gauge", "Requests in the queue.", labels, number(stats.n_waiting));
  Family(out, p + "kv_cache_usage_perc", "gauge", "Part of the cache's pages that running sequences hold, 0 to 1.", labels,
         Ratio(number(stats.n_pages_used - stats.n_pages_cached), number(stats.n_pages)));
  Family(out, p + "num_preemptions_total", "counter", "Sequences that gave their pages back and were read again.", labels,
         number(stats.n_preemptions));
  Family(out, p + "cache_config_info", "gauge", "The cache's pages: positions of one, and how many there are.",
         StrCat(labels, ",block_size=\"64\",num_gpu_blocks=\"", stats.n_pages, "\""), 1);
  Family(out, "lfm_cache_bytes", "gauge", "Size of the cache.", labels, number(stats.n_pages) * number(stats.page_bytes));
  Family(out, "lfm_cache_used_bytes", "gauge", "Of it, in use: running sequences and kept prefixes.", labels,
         number(stats.n_pages_used) * number(stats.page_bytes));
  Family(out, "lfm_cache_prefix_bytes", "gauge", "Of it, prefixes that are kept.", labels,
         number(stats.n_pages_cached) * number(stats.page_bytes));
  Family(out, "lfm_cache_evicted_pages_total", "counter", "Pages of kept prefixes that were given up for others.", labels,
         number(stats.n_evicted_pages));
  Family(out, "lfm_engine_read_tokens_total", "counter", "Prompt tokens that steps read.", labels, number(stats.n_prompt_tokens));
  Family(out, "lfm_engine_generated_tokens_total", "counter", "Tokens that steps made.", labels,
         number(stats.n_generated_tokens));
  Family(out, "lfm_engine_refused_requests_total", "counter", "Requests refused because the queue was full.", labels,
         number(stats.n_refused));
  Family(out, "lfm_engine_cancelled_requests_total", "counter", "Requests whose client left.", labels, number(stats.n_cancelled));
  Family(out, "lfm_engine_steps_total", "counter", "Steps of the model.", labels, number(stats.n_steps));
  RenderStepSeconds(out, stats, labels);
  if (stats.least_seconds > 0) {
    Family(out, "lfm_engine_least_seconds_total", "counter",
           "Time below which this machine cannot go for the steps made: what they read and reckon, at its measured limits.",
           labels, stats.least_seconds);
    Family(out, "lfm_engine_step_bytes_total", "counter", "Weights, keys and values that steps needed.", labels,
           number(stats.profile.all_read_bytes()));
    Family(out, "lfm_engine_roofline_ratio", "gauge", "Least time of all steps since the start by the time that they took.",
           labels, Ratio(stats.least_seconds, stats.step_seconds));
  }
  Family(out, "lfm_context_positions", "gauge", "Positions of one sequence.", labels, number(now.n_ctx));
}

}  // namespace

std::string Metrics::Render(const MetricsNow& now) const {
  const std::string labels = StrCat("model_name=\"", LabelValue(now.model_name), "\"");
  std::string out;
  out.reserve(32 << 10);
  RenderRequests(out, now, labels);
  RenderEngine(out, now, labels);
  RenderHttp(out);
  Family(out, "lfm_ready", "gauge", "1 when requests are taken, 0 while the model loads or the server drains.", "",
         now.life == Life::kReady ? 1 : 0);
  Family(out, "lfm_cost_dollars_total", "counter", "What all answers cost, by the price list.", labels,
         static_cast<double>(cost_pico_.load()) * 1e-12);
  Family(out, "lfm_ledger_errors_total", "counter", "Rows that the ledger could not write.", "",
         static_cast<double>(now.n_ledger_errors));
  Family(out, "lfm_log_lost_lines_total", "counter", "Log lines dropped because nobody read them fast enough.", "",
         static_cast<double>(now.n_lost_log_lines));
  RenderProcess(out);
  return out;
}

std::string LabelValue(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace lfm::server
