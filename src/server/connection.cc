#include "server/connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <random>

#include "base/strings.h"

namespace lfm::server {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kMaxPipelined = 64 << 10;  // read ahead while an answer is being made
constexpr size_t kQuickBody = 16 << 10;
constexpr size_t kDiscardedBody = 64 << 10;  // of a refused request, read over so that the connection lives on
constexpr size_t kProgressBytes = 16 << 10;  // that a reader must take in each window

double SecondsSince(Clock::time_point then, Clock::time_point now) { return std::chrono::duration<double>(now - then).count(); }

std::string MakeRequestId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "req_";
  for (int half = 0; half < 2; ++half) {
    uint64_t bits = random();
    for (int i = 0; i < 12; ++i, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

bool IsAnthropic(std::string_view path) {
  for (const std::string_view root : {"/v1/messages", "/messages"}) {
    if (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/')) return true;
  }
  return false;
}

ApiError NotNow(Life life) {
  const bool loading = life == Life::kLoading;
  return {.status = 503,
          .message = loading ? "the model is being loaded; try again soon" : "the server is shutting down",
          .code = loading ? "model_loading" : "shutting_down",
          .headers = {{"Retry-After", loading ? "1" : "5"}}};
}

}  // namespace

Connection::Connection(ServerCore& core, std::unique_ptr<Wire> wire, GuardOptions guard)
    : core_(core), wire_(std::move(wire)), guard_(std::move(guard)), reader_(core.options.limits), since_(Clock::now()),
      draining_(core.life->get() == Life::kDraining) {}

Connection::~Connection() = default;

void Connection::Start() {
  wire_->Handshake([self = shared_from_this()](const error_code& ec, size_t) {
    if (self->phase_ != Phase::kHandshake) return;
    if (ec) return self->Close();
    self->phase_ = Phase::kIdle;
    self->since_ = Clock::now();
    self->Read();
  });
}

void Connection::Read() {
  if (reading_ || eof_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kAnswering && in_.size() >= kMaxPipelined) return;
  reading_ = true;
  scratch_.resize(kReadBytes);
  wire_->Read(asio::buffer(scratch_), [self = shared_from_this()](const error_code& ec, size_t n) { self->OnRead(ec, n); });
}

void Connection::OnRead(const error_code& ec, size_t n) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (ec) {
    eof_ = true;
    // A client that stops sending while it waits has left: nothing tells a half-closed connection from a closed one
    // until something is sent, and work for nobody is worse.
    if (phase_ == Phase::kAnswering && end_taken_) return;
    return Close();
  }
  if (phase_ == Phase::kLinger) return Read();
  in_.append(scratch_, 0, n);
  ProcessInput();
  Read();
}

void Connection::ChargeBody(size_t bytes) {
  core_.body_bytes += bytes - body_charged_;
  body_charged_ = bytes;
}

void Connection::ProcessInput() {
  while (phase_ == Phase::kIdle || phase_ == Phase::kHead || phase_ == Phase::kBody) {
    if (phase_ == Phase::kIdle) {
      if (in_.empty()) return;
      phase_ = Phase::kHead;
      since_ = arrived_ = Clock::now();
    }
    const size_t used = reader_.Feed(in_);
    in_.erase(0, used);
    ChargeBody(reader_.request().body.size());
    const RequestReader::State state = reader_.state();
    if (state == RequestReader::State::kFailed) return Answer(reader_.error(), true);
    if (state != RequestReader::State::kHead && !judged_) {
      Judge();
      continue;
    }
    if (core_.body_bytes > core_.options.max_bodies) {
      return Answer({.status = 503,
                     .message = "the server holds too many requests; try again soon",
                     .code = "overloaded",
                     .headers = {{"Retry-After", "1"}}},
                    true);
    }
    if (state == RequestReader::State::kDone) return Dispatch();
    if (used == 0 || in_.empty()) return;
  }
}

// The head is there: whatever can be refused is refused before the body is read.
void Connection::Judge() {
  judged_ = true;
  HttpRequest& request = reader_.request();
  request.arrived = arrived_;
  request.anthropic = IsAnthropic(request.path);
  const std::string_view id = request.header("x-request-id");
  request.request_id = IsRequestId(id) ? std::string(id) : MakeRequestId();
  refusal_ = FindProblem();
  if (!refusal_) {
    if (reader_.state() != RequestReader::State::kBody) return;
    phase_ = Phase::kBody;
    since_ = Clock::now();
    if (reader_.expects_continue() && in_.empty()) {
      raw_out_ = "HTTP/1.1 100 Continue\r\n\r\n";
      Flush();
    }
    return;
  }
  if (!reader_.has_body()) return;
  const auto length = reader_.content_length();
  if (!length || *length > kDiscardedBody || reader_.expects_continue()) return Answer(*refusal_, true);
  reader_.DiscardBody();
  phase_ = Phase::kBody;
  since_ = Clock::now();
}

std::optional<ApiError> Connection::FindProblem() {
  HttpRequest& request = reader_.request();
  if (auto problem = CheckOrigins(request, guard_)) return problem;
  head_only_ = request.method == "HEAD";
  if (head_only_) request.method = "GET";
  router_ = core_.router;
  match_ = router_->Find(request.method, request.path);
  if (IsPreflight(request, guard_)) {
    preflight_ = true;
    return std::nullopt;
  }
  const bool open = match_.route && match_.route->options.open;
  request.caller = core_.keys->Find(PresentedKey(request));
  if (!request.caller && !open) {
    return ApiError{.status = 401,
                    .message = PresentedKey(request) ? "the API key is not one of this server's"
                                                     : "an API key is needed: Authorization: Bearer KEY",
                    .code = "invalid_api_key",
                    .headers = {{"WWW-Authenticate", "Bearer"}}};
  }
  return FindRoute(request);
}

std::optional<ApiError> Connection::FindRoute(HttpRequest& request) {
  const Life life = core_.life->get();
  if (life != Life::kReady && !(match_.route && match_.route->options.always)) return NotNow(life);
  if (!match_.route) {
    if (match_.allow.empty()) {
      return ApiError{.status = 404, .message = StrCat("there is nothing at ", Quote(request.path)), .code = "not_found"};
    }
    return ApiError{.status = 405,
                    .message = StrCat(Quote(request.path), " takes ", match_.allow),
                    .code = "method_not_allowed",
                    .headers = {{"Allow", match_.allow}}};
  }
  for (const std::string& segment : match_.route->segments) route_ += "/" + segment;
  request.params = match_.params;
  const bool typed = reader_.has_body() || !request.header("content-type").empty();
  if (typed && request.method != "GET" && !match_.route->options.any_type) {
    if (auto problem = CheckContentType(request)) return problem;
  }
  if (reader_.content_length().value_or(0) > core_.options.limits.max_body) {
    return ApiError{.status = 413,
                    .message = StrCat("the body is larger than ", core_.options.limits.max_body, " bytes"),
                    .code = "request_too_large"};
  }
  if (request.method != "GET" && request.caller) return core_.keys->Admit(*request.caller);
  return std::nullopt;
}

void Connection::BeginExchange() {
  phase_ = Phase::kAnswering;
  since_ = Clock::now();
  HttpRequest request = std::move(reader_.request());
  if (request.request_id.empty()) request.request_id = MakeRequestId();
  if (!request.caller) request.caller = std::make_shared<const Caller>();
  if (!judged_) request.arrived = arrived_;
  ExchangeOptions options{.http11 = reader_.http11(),
                          .keep_alive = reader_.keep_alive() && !draining_,
                          .head_only = head_only_,
                          .max_buffered = core_.options.max_buffered,
                          .headers = CorsHeaders(request, guard_),
                          .route = std::move(route_)};
  auto wake = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Wake();
  };
  core_.n_exchanges.fetch_add(1);
  exchange_ = std::shared_ptr<Exchange>(
      new Exchange(std::move(request), std::move(options), *core_.observer, *core_.workers, std::move(wake)),
      [&core = core_](Exchange* exchange) {
        delete exchange;
        core.n_exchanges.fetch_sub(1);
      });
  end_taken_ = false;
}

void Connection::Answer(const ApiError& error, bool close) {
  BeginExchange();
  if (close) exchange_->CloseAfter();
  in_handler_ = true;
  exchange_->Fail(error);
  in_handler_ = false;
  Flush();
}

void Connection::Dispatch() {
  if (refusal_) return Answer(*refusal_, false);
  BeginExchange();
  if (preflight_) {
    exchange_->Send(200, "", "", PreflightHeaders(match_.allow.empty() ? "GET, POST" : match_.allow));
    return Flush();
  }
  auto task = [reply = MakeReply(exchange_), router = router_, route = match_.route] {
    try {
      route->handler(reply->request(), reply);
    } catch (const std::exception&) {
      reply->Fail({.status = 500, .message = "internal error"});
    }
  };
  if (match_.route->options.quick && exchange_->request().body.size() <= kQuickBody) {
    in_handler_ = true;
    task();
    in_handler_ = false;
    Flush();
  } else {
    core_.workers->Post(std::move(task));
  }
}

void Connection::Wake() {
  if (core_.io.get_executor().running_in_this_thread() && in_handler_) return;  // it flushes when the handler is back
  if (wake_posted_.exchange(true)) return;
  asio::post(core_.io, [self = shared_from_this()] {
    self->wake_posted_ = false;
    self->Flush();
  });
}

void Connection::Flush() {
  if (phase_ == Phase::kClosed) return;
  if (write_busy_) {  // the write under way may never end where the reader takes nothing
    if (exchange_ && exchange_->given_up()) Close();
    return;
  }
  if (writing_.empty()) {
    n_written_ = progress_ = 0;
    if (!raw_out_.empty()) {
      writing_.swap(raw_out_);
    } else if (exchange_ && !end_taken_) {
      const Exchange::Output output = exchange_->TakeOutput(writing_);
      if (output == Exchange::Output::kDrop) return Close();
      end_taken_ = output == Exchange::Output::kEnd;
    }
    if (writing_.empty()) {
      if (exchange_ && end_taken_) FinishExchange();
      return;
    }
    since_ = Clock::now();
  }
  write_busy_ = true;
  wire_->Write(asio::buffer(writing_.data() + n_written_, writing_.size() - n_written_),
               [self = shared_from_this()](const error_code& ec, size_t n) { self->OnWritten(ec, n); });
}

void Connection::OnWritten(const error_code& ec, size_t n) {
  write_busy_ = false;
  if (phase_ == Phase::kClosed) return;
  if (ec) return Close();
  n_written_ += n;
  progress_ += n;
  if (exchange_) exchange_->Sent(n);
  if (progress_ >= kProgressBytes) {
    progress_ = 0;
    since_ = Clock::now();
  }
  if (n_written_ == writing_.size()) {
    writing_.clear();
    if (writing_.capacity() > kMaxPipelined) writing_.shrink_to_fit();
  }
  Flush();
}

void Connection::FinishExchange() {
  const bool keep = exchange_->keep_alive();
  exchange_->Detach();
  exchange_.reset();
  router_.reset();
  ChargeBody(0);
  if (!keep) return Linger();
  reader_.Next();
  judged_ = head_only_ = preflight_ = end_taken_ = false;
  refusal_.reset();
  match_ = {};
  route_.clear();
  phase_ = Phase::kIdle;
  since_ = Clock::now();
  if (draining_ && in_.empty()) return Close();
  ProcessInput();
  if (eof_ && phase_ != Phase::kAnswering) return Close();
  Read();
}

// The answer is out. Closing at once would reset the connection where the client still sends, and take the answer from
// it; so only the sending side ends, and what still comes is read over for a while.
void Connection::Linger() {
  if (eof_) return Close();
  phase_ = Phase::kLinger;
  since_ = Clock::now();
  in_.clear();
  wire_->CloseSending();
  Read();
}

void Connection::Tick(Clock::time_point now) {
  const Timeouts& timeouts = core_.options.timeouts;
  const double elapsed = SecondsSince(since_, now);
  const double body = timeouts.body + static_cast<double>(body_charged_) / timeouts.body_bytes_per_s;
  switch (phase_) {
    case Phase::kHandshake:
      if (elapsed > timeouts.head) Close();
      break;
    case Phase::kIdle:
      if (elapsed > timeouts.idle) Close();
      break;
    case Phase::kHead:
      if (elapsed > timeouts.head) Answer({.status = 408, .message = "the head of the request came too slowly"}, true);
      break;
    case Phase::kBody:
      if (elapsed > body) Answer({.status = 408, .message = "the body of the request came too slowly"}, true);
      break;
    case Phase::kAnswering:
      if (write_busy_ && elapsed > timeouts.stalled) {
        Close();
      } else if (exchange_ && !write_busy_ && elapsed > timeouts.silent) {
        exchange_->Reassure();
      }
      break;
    case Phase::kLinger:
      if (elapsed > timeouts.linger) Close();
      break;
    case Phase::kClosed: break;
  }
}

void Connection::Excuse(Clock::duration lost) { since_ = std::min(since_ + lost, Clock::now()); }

void Connection::Drain() {
  draining_ = true;
  if (exchange_) exchange_->CloseAfter();
  if (phase_ == Phase::kIdle || phase_ == Phase::kLinger || phase_ == Phase::kHandshake) Close();
}

void Connection::CutOff(const ApiError& error) {
  if (exchange_ && !end_taken_) {
    exchange_->CutOff(error);
  } else if (!exchange_) {
    Close();
  }
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  phase_ = Phase::kClosed;
  ChargeBody(0);
  if (exchange_) {
    exchange_->ClientGone();
    exchange_.reset();
  }
  wire_->Close();
  core_.connections.erase(place);
}

}  // namespace lfm::server
