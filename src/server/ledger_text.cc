// The ledger's rows and sums as JSON, and its points in time as people write them.
#include <charconv>
#include <ctime>

#include "base/strings.h"
#include "server/ledger.h"

namespace lfm::server {
namespace {

constexpr int64_t kMicro = 1'000'000;

// "2026-11-29" or "2026-11-29T12:00:00" (a Z may follow), both UTC.
bool ParseDate(const std::string& text, int64_t& time_us) {
  for (const char* format : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), format, &parts);
    if (!end || *end != '\0') continue;
    time_us = static_cast<int64_t>(timegm(&parts)) * kMicro;
    return true;
  }
  return false;
}

}  // namespace

std::string TimeText(int64_t time_us) {
  const std::time_t seconds = static_cast<std::time_t>(time_us / kMicro);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char buffer[40];
  std::string text(buffer, std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &parts));
  const std::string micros = std::to_string(time_us % kMicro + kMicro);
  return StrCat(text, ".", micros.substr(1), "Z");
}

Result<int64_t> ParseSince(const std::string& text, int64_t now_us) {
  int64_t value = 0;
  if (ParseDate(text, value)) return value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  if (error == std::errc() && value >= 0 && value < (int64_t{1} << 40)) {
    if (unit.empty()) return value * kMicro;
    const int64_t seconds = unit == "d" ? 86400 : unit == "h" ? 3600 : unit == "m" ? 60 : 0;
    if (seconds > 0 && value < (int64_t{1} << 20)) return now_us - value * seconds * kMicro;
  }
  return Error{ErrorCode::kInvalidArgument,
               StrCat(Quote(text), " is no point in time; use 2026-11-29, 2026-11-29T12:00:00Z, 7d, 12h or 30m")};
}

Json LedgerRowJson(const LedgerRow& row) {
  return Json::MakeObject({{"time", TimeText(row.time_us)},
                           {"request_id", row.request_id},
                           {"key", row.key},
                           {"label", row.label},
                           {"route", row.route},
                           {"model", row.model},
                           {"status", row.status},
                           {"finish_reason", row.finish_reason},
                           {"prompt_tokens", row.prompt_tokens},
                           {"cached_tokens", row.cached_tokens},
                           {"completion_tokens", row.completion_tokens},
                           {"reasoning_tokens", row.reasoning_tokens},
                           {"cost_pico_dollars", row.cost_pico_dollars},
                           {"queue_s", row.queue_s},
                           {"prefill_s", row.prefill_s},
                           {"decode_s", row.decode_s},
                           {"ttft_s", row.ttft_s},
                           {"total_s", row.total_s}});
}

Json LedgerSumJson(const LedgerSum& sum, LedgerGroup by) {
  Json json = Json::MakeObject();
  json.Set(by == LedgerGroup::kKey ? "key" : by == LedgerGroup::kDay ? "day" : "model", sum.name);
  if (by == LedgerGroup::kKey) json.Set("label", sum.label);
  json.Set("requests", sum.n_requests);
  json.Set("prompt_tokens", sum.prompt_tokens);
  json.Set("cached_tokens", sum.cached_tokens);
  json.Set("completion_tokens", sum.completion_tokens);
  json.Set("reasoning_tokens", sum.reasoning_tokens);
  json.Set("cost_pico_dollars", sum.cost_pico_dollars);
  return json;
}

}  // namespace lfm::server
