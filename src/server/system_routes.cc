#include "server/system_routes.h"

#include <charconv>
#include <chrono>
#include <optional>

#include "base/strings.h"
#include "server/ledger.h"

namespace lfm::server {
namespace {

constexpr int64_t kMaxUsageRows = 100'000;

void SendHealth(const Lifecycle& life, Reply& reply) {
  switch (life.get()) {
    case Life::kReady: return reply.Send(200, "application/json", R"({"status": "ok"})");
    case Life::kLoading:
      return reply.Fail({.status = 503,
                         .message = "the model is being loaded",
                         .code = "model_loading",
                         .type = "unavailable_error",
                         .headers = {{"Retry-After", "1"}}});
    case Life::kDraining:
      return reply.Fail({.status = 503,
                         .message = "the server is shutting down",
                         .code = "shutting_down",
                         .type = "unavailable_error",
                         .headers = {{"Retry-After", "5"}}});
  }
}

void SendMetrics(const SystemParts& parts, Reply& reply) {
  MetricsNow now;
  now.model_name = parts.model_name;
  now.prefix = parts.metrics_prefix;
  now.life = parts.life->get();
  if (parts.ask_engine) parts.ask_engine(now);
  if (parts.books->ledger()) now.n_ledger_errors = parts.books->ledger()->n_errors();
  if (parts.books->log()) now.n_lost_log_lines = parts.books->log()->n_lost();
  reply.Send(200, "text/plain; version=0.0.4; charset=utf-8", parts.books->metrics().Render(now));
}

ApiError Bad(std::string param, std::string message) {
  return {.status = 400, .message = std::move(message), .param = std::move(param), .code = "invalid_value"};
}

Result<Json> ReadUsage(const std::string& path, const LedgerFilter& filter, std::optional<LedgerGroup> by) {
  LFM_TRY(LedgerReader reader, LedgerReader::Open(path));
  Json data = Json::MakeArray();
  if (by) {
    LFM_TRY(const auto sums, reader.Sums(filter, *by));
    for (const LedgerSum& sum : sums) data.Append(LedgerSumJson(sum, *by));
  } else {
    LFM_RETURN_IF_ERROR(reader.ForEach(filter, [&](const LedgerRow& row) { data.Append(LedgerRowJson(row)); }));
  }
  Json body = Json::MakeObject();
  body.Set("object", "list");
  body.Set("data", std::move(data));
  return body;
}

// Who has a key sees what that key used; the whole ledger is for those who can read its file (lfm usage).
void SendUsage(const SystemParts& parts, const HttpRequest& request, Reply& reply) {
  const Ledger* ledger = parts.books->ledger();
  if (!ledger) return reply.Fail({.status = 404, .message = "this server keeps no ledger", .code = "no_ledger"});
  LedgerFilter filter{.key = request.caller->id, .limit = kMaxUsageRows};
  const std::string since(request.query_value("since"));
  if (!since.empty()) {
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto time = ParseSince(since, now.count());
    if (!time.ok()) return reply.Fail(Bad("since", time.error().message));
    filter.since_us = *time;
  }
  const std::string_view limit = request.query_value("limit");
  if (!limit.empty()) {
    const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), filter.limit);
    if (error != std::errc() || end != limit.data() + limit.size() || filter.limit < 1 || filter.limit > kMaxUsageRows) {
      return reply.Fail(Bad("limit", StrCat("limit is not between 1 and ", kMaxUsageRows)));
    }
  }
  std::optional<LedgerGroup> by;
  if (const std::string_view name = request.query_value("by"); !name.empty()) {
    if (name == "key") by = LedgerGroup::kKey;
    if (name == "day") by = LedgerGroup::kDay;
    if (name == "model") by = LedgerGroup::kModel;
    if (!by) return reply.Fail(Bad("by", "by is none of key, day, model"));
  }
  const auto body = ReadUsage(ledger->path(), filter, by);
  if (!body.ok()) return reply.Fail({.status = 500, .message = "the ledger cannot be read"});
  reply.Send(200, "application/json", body->Dump());
}

}  // namespace

void AddSystemRoutes(Router& router, const SystemParts& parts) {
  router.Add("GET", "/health",
             [parts](const HttpRequest&, const std::shared_ptr<Reply>& reply) { SendHealth(*parts.life, *reply); },
             {.open = true, .quick = true, .always = true});
  router.Add("GET", "/metrics", [parts](const HttpRequest&, const std::shared_ptr<Reply>& reply) { SendMetrics(parts, *reply); },
             {.always = true});
  router.Add("GET", "/v1/usage",
             [parts](const HttpRequest& request, const std::shared_ptr<Reply>& reply) { SendUsage(parts, request, *reply); });
}

}  // namespace lfm::server
