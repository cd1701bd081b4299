#include "server/bookkeeper.h"

#include <chrono>

namespace lfm::server {
namespace {

LedgerRow MakeRow(const Record& record) {
  const HttpRequest& request = *record.request;
  const Usage& usage = *record.usage;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  LedgerRow row;
  row.time_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  row.request_id = request.request_id;
  row.key = request.caller->id;
  row.label = request.caller->label;
  row.route = record.route;
  row.model = usage.model;
  row.finish_reason = usage.finish_reason;
  row.status = record.status;
  row.prompt_tokens = usage.prompt_tokens;
  row.cached_tokens = usage.cached_tokens;
  row.completion_tokens = usage.completion_tokens;
  row.reasoning_tokens = usage.reasoning_tokens;
  row.cost_pico_dollars = usage.cost_pico_dollars;
  row.queue_s = usage.queue_s;
  row.prefill_s = usage.prefill_s;
  row.decode_s = usage.decode_s;
  row.ttft_s = record.ttft_s.value_or(0);
  row.total_s = record.seconds;
  return row;
}

}  // namespace

Bookkeeper::Bookkeeper(std::shared_ptr<KeyRing> keys, std::unique_ptr<Ledger> ledger, std::unique_ptr<RequestLog> log)
    : keys_(std::move(keys)), ledger_(std::move(ledger)), log_(std::move(log)) {}

Status Bookkeeper::RememberSpending() {
  if (!ledger_) return Ok();
  LFM_TRY(LedgerReader reader, LedgerReader::Open(ledger_->path()));
  LFM_TRY(const auto sums, reader.Sums({}, LedgerGroup::kKey));
  for (const LedgerSum& sum : sums) keys_->Charge({.id = sum.name, .label = ""}, 0, sum.cost_pico_dollars);
  return Ok();
}

void Bookkeeper::OnStart(const HttpRequest&) { metrics_.OnStart(); }

void Bookkeeper::OnTokens(const HttpRequest&, bool first, double gap_s, int n) { metrics_.OnTokens(first, gap_s, n); }

void Bookkeeper::OnUsage(const Record& record, std::function<void()> stored) {
  const Usage& usage = *record.usage;
  metrics_.OnUsage(record);
  keys_->Charge(*record.request->caller, usage.prompt_tokens + usage.completion_tokens, usage.cost_pico_dollars);
  if (!ledger_) return stored();
  ledger_->Append(MakeRow(record), std::move(stored));
}

void Bookkeeper::OnFinish(const Record& record) {
  metrics_.OnFinish(record);
  if (log_) log_->Write(record);
}

}  // namespace lfm::server
