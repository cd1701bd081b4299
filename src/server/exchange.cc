#include "server/exchange.h"

#include <array>
#include <charconv>
#include <ctime>

#include "base/strings.h"

namespace lfm::server {
namespace {

// The Date header's value, made once a second a thread.
const std::string& DateText() {
  thread_local std::time_t made = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[40];
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    made = now;
  }
  return text;
}

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// What ends a stream that fails: an event, in the form that the clients of the API raise as an error.
std::string FailureEvent(const ApiError& error, bool anthropic) {
  const std::string body = ErrorBody(error, anthropic);
  if (anthropic) return StrCat("event: error\ndata: ", body, "\n\n");
  return StrCat("data: ", body, "\n\ndata: [DONE]\n\n");
}

class ReplyHandle final : public Reply {
 public:
  explicit ReplyHandle(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~ReplyHandle() override { exchange_->Dropped(); }

  const HttpRequest& request() const override { return exchange_->request(); }
  void Send(int status, std::string_view content_type, std::string body, Headers headers) override {
    exchange_->Send(status, content_type, std::move(body), std::move(headers));
  }
  void Fail(const ApiError& error) override { exchange_->Fail(error); }
  void BeginStream(std::string_view content_type, Headers headers) override {
    exchange_->BeginStream(content_type, std::move(headers));
  }
  bool Write(std::string_view bytes) override { return exchange_->Write(bytes); }
  void End(std::string_view last) override { exchange_->End(last); }
  void CountTokens(int n) override { exchange_->CountTokens(n); }
  void SetUsage(Usage usage) override { exchange_->SetUsage(std::move(usage)); }
  void OnClosed(std::function<void()> gone) override { exchange_->OnClosed(std::move(gone)); }
  bool closed() const override { return exchange_->closed(); }
  void Run(std::function<void()> work) override;

 private:
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace

std::shared_ptr<Reply> MakeReply(std::shared_ptr<Exchange> exchange) {
  return std::make_shared<ReplyHandle>(std::move(exchange));
}

std::string_view StatusText(int status) {
  switch (status) {
    case 200: return "200 OK";
    case 204: return "204 No Content";
    case 304: return "304 Not Modified";
    case 400: return "400 Bad Request";
    case 401: return "401 Unauthorized";
    case 403: return "403 Forbidden";
    case 404: return "404 Not Found";
    case 405: return "405 Method Not Allowed";
    case 408: return "408 Request Timeout";
    case 409: return "409 Conflict";
    case 413: return "413 Content Too Large";
    case 414: return "414 URI Too Long";
    case 415: return "415 Unsupported Media Type";
    case 417: return "417 Expectation Failed";
    case 422: return "422 Unprocessable Content";
    case 429: return "429 Too Many Requests";
    case 431: return "431 Request Header Fields Too Large";
    case 500: return "500 Internal Server Error";
    case 501: return "501 Not Implemented";
    case 503: return "503 Service Unavailable";
    case 504: return "504 Gateway Timeout";
    default: return status < 400 ? "200 OK" : status < 500 ? "400 Bad Request" : "500 Internal Server Error";
  }
}

Exchange::Exchange(HttpRequest request, ExchangeOptions options, Observer& observer, Workers& workers, std::function<void()> wake)
    : request_(std::move(request)), options_(std::move(options)), observer_(observer), workers_(workers), wake_(std::move(wake)),
      keep_alive_(options_.keep_alive) {
  observer_.OnStart(request_);
}

std::string Exchange::Head(int status, std::string_view content_type, const Headers& headers, std::optional<size_t> length) {
  status_ = status;
  std::string head;
  head.reserve(320);
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  head.append(options_.http11 ? "HTTP/1.1 " : "HTTP/1.0 ").append(StatusText(status)).append("\r\n");
  add("Date", DateText());
  add("x-request-id", request_.request_id);
  if (!content_type.empty()) add("Content-Type", content_type);
  if (length) {
    add("Content-Length", std::to_string(*length));
  } else if (chunked_) {
    add("Transfer-Encoding", "chunked");
  }
  bool cache = false;
  for (const auto* list : {&options_.headers, &headers}) {
    for (const auto& [name, value] : *list) {
      // A line end in a value would let a client write headers of its own.
      if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) continue;
      cache = cache || name == "Cache-Control";
      add(name, value);
    }
  }
  if (event_stream_) {
    add("Cache-Control", "no-cache");
    add("X-Accel-Buffering", "no");
  } else if (!cache) {
    add("Cache-Control", "no-store");
  }
  add("X-Content-Type-Options", "nosniff");
  if (!keep_alive_) {
    add("Connection", "close");
  } else if (!options_.http11) {
    add("Connection", "keep-alive");
  }
  head.append("\r\n");
  return head;
}

void Exchange::Frame(std::string_view bytes, std::string& out) const {
  if (bytes.empty() || options_.head_only) return;
  if (!chunked_) {
    out.append(bytes);
    return;
  }
  char size[20];
  const auto end = std::to_chars(size, size + sizeof size, bytes.size(), 16).ptr;
  out.append(size, end).append("\r\n").append(bytes).append("\r\n");
}

Exchange::Output Exchange::TakeOutput(std::string& out) {
  std::lock_guard lock(mutex_);
  if (closed_ && !cut_off_) return Output::kDrop;
  n_unsent_ += out_.size();
  if (out.empty()) {
    out.swap(out_);
  } else {
    out.append(out_);
  }
  out_.clear();
  return phase_ == Phase::kEnded || cut_off_ ? Output::kEnd : Output::kMore;
}

void Exchange::Sent(size_t bytes) {
  std::lock_guard lock(mutex_);
  n_unsent_ -= std::min(n_unsent_, bytes);
  bytes_sent_ += bytes;
}

void Exchange::Reassure() {
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::kStreaming || !event_stream_ || closed_ || !out_.empty()) return;
  Frame(": keep-alive\n\n", out_);
  lock.unlock();
  wake_();
}

std::vector<std::function<void()>> Exchange::TakeGone() { return std::exchange(gone_, {}); }

void Exchange::ClientGone() {
  std::vector<std::function<void()>> callbacks;  // before the lock: what they hold may call back when it goes
  std::unique_lock lock(mutex_);
  detached_ = closed_ = true;
  out_.clear();
  callbacks = TakeGone();
  lock.unlock();
  for (const auto& callback : callbacks) callback();
  lock.lock();
  FinishIfOver(lock);
}

void Exchange::CutOff(const ApiError& error) {
  std::vector<std::function<void()>> callbacks;
  std::unique_lock lock(mutex_);
  if (phase_ == Phase::kEnded || phase_ == Phase::kEnding || closed_) return;
  keep_alive_ = false;
  out_ += FailureBytes(error);
  closed_ = cut_off_ = true;
  callbacks = TakeGone();
  lock.unlock();
  for (const auto& callback : callbacks) callback();
  wake_();
}

void Exchange::Detach() {
  std::unique_lock lock(mutex_);
  detached_ = true;
  FinishIfOver(lock);
}

void Exchange::CloseAfter() {
  std::lock_guard lock(mutex_);
  keep_alive_ = false;
}

bool Exchange::keep_alive() const {
  std::lock_guard lock(mutex_);
  return keep_alive_;
}

// Ends the answer: `bytes` are its last. They wait for the ledger where there is something to account.
void Exchange::EndWith(std::string bytes, std::unique_lock<std::mutex>& lock) {
  phase_ = Phase::kEnding;
  held_ = std::move(bytes);
  if (!usage_) {
    lock.unlock();
    Release();
    return;
  }
  const Record record = MakeRecord();
  lock.unlock();
  observer_.OnUsage(record, [self = shared_from_this()] { self->Release(); });
}

void Exchange::Release() {
  std::vector<std::function<void()>> callbacks;
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::kEnding) return;
  phase_ = Phase::kEnded;
  if (!closed_) out_.append(held_);
  held_.clear();
  callbacks = TakeGone();
  if (!closed_) {
    lock.unlock();
    wake_();
    return;
  }
  FinishIfOver(lock);
}

Record Exchange::MakeRecord() const {
  Record record{.request = &request_,
                .route = options_.route,
                .status = status_,
                .bytes_sent = bytes_sent_,
                .seconds = Seconds(Clock::now() - request_.arrived),
                .ttft_s = std::nullopt,
                .usage = usage_,
                .cut_short = closed_};
  if (first_token_) record.ttft_s = Seconds(*first_token_ - request_.arrived);
  if (record.status == 0) record.status = 499;
  return record;
}

// Both sides must be done: the handler has ended its answer, the connection has sent or given it up.
void Exchange::FinishIfOver(std::unique_lock<std::mutex>& lock) {
  if (finished_ || !detached_ || phase_ != Phase::kEnded) return;
  finished_ = true;
  const Record record = MakeRecord();
  lock.unlock();
  observer_.OnFinish(record);
}

void Exchange::Send(int status, std::string_view content_type, std::string body, Headers headers) {
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::kFresh) return;
  if (closed_) return EndWith({}, lock);
  const auto length = status == 204 || status == 304 ? std::nullopt : std::optional<size_t>(body.size());
  std::string bytes = Head(status, content_type, headers, length);
  if (!options_.head_only) bytes.append(body);
  EndWith(std::move(bytes), lock);
}

std::string Exchange::FailureBytes(const ApiError& error) {
  std::string bytes;
  if (phase_ == Phase::kStreaming) {
    if (event_stream_) Frame(FailureEvent(error, request_.anthropic), bytes);
    if (chunked_ && event_stream_ && !options_.head_only) bytes.append("0\r\n\r\n");
    if (!event_stream_) keep_alive_ = false;  // only its missing end tells that it is not whole
    return bytes;
  }
  const std::string body = ErrorBody(error, request_.anthropic);
  bytes = Head(error.status, "application/json", error.headers, body.size());
  if (!options_.head_only) bytes.append(body);
  return bytes;
}

void Exchange::FailLocked(const ApiError& error, std::unique_lock<std::mutex>& lock) {
  if (phase_ != Phase::kFresh && phase_ != Phase::kStreaming) return;
  EndWith(closed_ ? std::string() : FailureBytes(error), lock);
}

void Exchange::Fail(const ApiError& error) {
  std::unique_lock lock(mutex_);
  FailLocked(error, lock);
}

void Exchange::BeginStream(std::string_view content_type, Headers headers) {
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::kFresh) return;
  phase_ = Phase::kStreaming;
  if (closed_) return;
  event_stream_ = content_type.starts_with("text/event-stream");
  chunked_ = options_.http11;
  if (!chunked_) keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the answer
  out_ += Head(200, content_type, headers, std::nullopt);
  lock.unlock();
  wake_();
}

bool Exchange::Write(std::string_view bytes) {
  std::vector<std::function<void()>> callbacks;
  std::unique_lock lock(mutex_);
  if (phase_ != Phase::kStreaming || closed_) return false;
  if (out_.size() + n_unsent_ > options_.max_buffered) {  // a reader this slow would cost the others their memory
    closed_ = true;
    keep_alive_ = false;
    callbacks = TakeGone();
    lock.unlock();
    for (const auto& callback : callbacks) callback();
    wake_();
    return false;
  }
  const bool idle = out_.empty();
  Frame(bytes, out_);
  lock.unlock();
  if (idle) wake_();
  return true;
}

void Exchange::End(std::string_view last) {
  std::unique_lock lock(mutex_);
  if (phase_ == Phase::kFresh) {
    lock.unlock();
    return Fail({.status = 500, .message = "the answer ended before it began"});
  }
  if (phase_ != Phase::kStreaming) return;
  std::string bytes;
  if (!closed_) {
    Frame(last, bytes);
    if (chunked_ && !options_.head_only) bytes.append("0\r\n\r\n");
  }
  EndWith(std::move(bytes), lock);
}

void Exchange::CountTokens(int n) {
  const Clock::time_point now = Clock::now();
  std::unique_lock lock(mutex_);
  const bool first = !first_token_;
  const double gap_s = Seconds(now - (first ? request_.arrived : *last_token_));
  if (first) first_token_ = now;
  last_token_ = now;
  lock.unlock();
  observer_.OnTokens(request_, first, gap_s, n);
}

void Exchange::SetUsage(Usage usage) {
  std::lock_guard lock(mutex_);
  usage_ = std::move(usage);
}

void Exchange::OnClosed(std::function<void()> gone) {
  std::unique_lock lock(mutex_);
  if (phase_ == Phase::kEnding || phase_ == Phase::kEnded) return;
  if (!closed_) {
    gone_.push_back(std::move(gone));
    return;
  }
  lock.unlock();
  gone();
}

bool Exchange::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

bool Exchange::given_up() const {
  std::lock_guard lock(mutex_);
  return closed_ && !cut_off_;
}

void Exchange::Run(std::function<void()> work) {
  std::unique_lock lock(mutex_);
  work_.push_back(std::move(work));
  if (working_) return;
  working_ = true;
  lock.unlock();
  workers_.Post([self = shared_from_this()] { self->RunNext(); });
}

// One piece of work a turn, so that a busy answer does not hold a worker while others wait.
void Exchange::RunNext() {
  std::unique_lock lock(mutex_);
  std::function<void()> work = std::move(work_.front());
  work_.pop_front();
  lock.unlock();
  try {
    work();
  } catch (const std::exception&) {
    Fail({.status = 500, .message = "internal error"});
  }
  work = nullptr;
  lock.lock();
  if (work_.empty()) {
    working_ = false;
    return;
  }
  lock.unlock();
  workers_.Post([self = shared_from_this()] { self->RunNext(); });
}

void Exchange::Dropped() {
  std::unique_lock lock(mutex_);
  FailLocked({.status = 500, .message = "the request was given up inside the server"}, lock);
}

void ReplyHandle::Run(std::function<void()> work) { exchange_->Run(std::move(work)); }

}  // namespace lfm::server
