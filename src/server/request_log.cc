#include "server/request_log.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>

#include "base/json.h"
#include "base/plain_json.h"
#include "base/start_thread.h"
#include "base/strings.h"
#include "server/ledger.h"

namespace lfm::server {
namespace {

constexpr size_t kMaxQueued = size_t{4} << 20;
constexpr size_t kMaxBody = 64 << 10;

std::string Milliseconds(double seconds) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, seconds * 1e3, std::chars_format::fixed, 3).ptr;
  return std::string(buffer, end);
}

}  // namespace

std::string RequestLine(const Record& record, int64_t now_us, bool with_body) {
  const HttpRequest& request = *record.request;
  std::string line = StrCat("{\"time\": \"", TimeText(now_us), "\", \"request_id\": ", JsonQuote(request.request_id),
                            ", \"method\": ", JsonQuote(request.method.substr(0, 32)),
                            ", \"path\": ", JsonQuote(ToValidUtf8(request.path.substr(0, 200))), ", \"status\": ", record.status,
                            ", \"ms\": ", Milliseconds(record.seconds), ", \"bytes_in\": ", request.body.size(),
                            ", \"bytes_out\": ", record.bytes_sent);
  if (!request.caller->label.empty()) line += StrCat(", \"key\": ", JsonQuote(request.caller->label));
  if (record.cut_short) line += ", \"cut_short\": true";
  if (record.ttft_s) line += StrCat(", \"ttft_ms\": ", Milliseconds(*record.ttft_s));
  if (record.usage) {
    const Usage& usage = *record.usage;
    line += StrCat(", \"model\": ", JsonQuote(usage.model), ", \"finish_reason\": ", JsonQuote(usage.finish_reason),
                   ", \"prompt_tokens\": ", usage.prompt_tokens, ", \"cached_tokens\": ", usage.cached_tokens,
                   ", \"completion_tokens\": ", usage.completion_tokens, ", \"queue_ms\": ", Milliseconds(usage.queue_s),
                   ", \"prefill_ms\": ", Milliseconds(usage.prefill_s), ", \"decode_ms\": ", Milliseconds(usage.decode_s),
                   ", \"cost_pico_dollars\": ", usage.cost_pico_dollars);
  }
  if (with_body) line += StrCat(", \"body\": ", JsonQuote(ToValidUtf8(request.body.substr(0, kMaxBody))));
  return PlainJson(line + "}") + "\n";  // it may go to a terminal
}

Result<std::unique_ptr<RequestLog>> RequestLog::Start(const RequestLogOptions& options) {
  std::unique_ptr<RequestLog> log(new RequestLog(options));
  LFM_TRY(log->thread_, StartThread("the log", [self = log.get()] { self->Loop(); }));
  return log;
}

RequestLog::~RequestLog() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RequestLog::Write(const Record& record) {
  if (options_.only_errors && record.status < 400) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string line =
      RequestLine(record, std::chrono::duration_cast<std::chrono::microseconds>(now).count(), options_.prompts);
  std::lock_guard lock(mutex_);
  if (queue_.size() + line.size() > kMaxQueued) {
    n_lost_.fetch_add(1);
    return;
  }
  if (queue_.empty()) wake_.notify_one();
  queue_ += line;
}

void RequestLog::Loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::string lines = std::exchange(queue_, {});
    const bool last = stop_;
    lock.unlock();
    for (size_t done = 0; done < lines.size();) {
      // At the end of the server a reader that does not read is not waited for.
      pollfd ready{options_.fd, POLLOUT, 0};
      if (last && poll(&ready, 1, 100) <= 0) break;
      const ssize_t n = write(options_.fd, lines.data() + done, lines.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
  }
}

}  // namespace lfm::server
