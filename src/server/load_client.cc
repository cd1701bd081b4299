#include "server/load_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>

#include "base/json.h"
#include "base/strings.h"

namespace lfm::server {
namespace {

constexpr int kWaitMs = 600'000;  // without a byte
constexpr size_t kMaxErrorBytes = 64 << 10;
constexpr size_t kMaxEventBytes = 16 << 20;

std::string Request(const LoadTarget& target, std::string_view method, std::string_view path, const std::string& body) {
  std::string head = StrCat(method, " ", target.root, path, " HTTP/1.1\r\nHost: ", target.host, ":", target.port, "\r\n");
  if (!target.api_key.empty()) head += StrCat("Authorization: Bearer ", target.api_key, "\r\n");
  if (!body.empty()) head += StrCat("Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n");
  return head + "\r\n" + body;
}

// One event of the stream.
void TakeEvent(std::string_view data, LoadAnswer& answer) {
  const auto event = ParseJson(data);
  if (!event.ok()) return;
  if (const Json& error = (*event)["error"]; error.is_object()) answer.error = error["message"].AsString();
  if (const Json& usage = (*event)["usage"]; usage.is_object()) {
    answer.prompt_tokens = usage["prompt_tokens"].AsInt();
    answer.completion_tokens = usage["completion_tokens"].AsInt();
    answer.cached_tokens = usage["prompt_tokens_details"]["cached_tokens"].AsInt();
  }
  const Json& choices = (*event)["choices"];
  if (!choices.items().empty() && !choices.items().front()["text"].AsString().empty()) {
    answer.arrivals_s.push_back(LoadClock());
  }
}

}  // namespace

// A connected socket that reads the bodies of answers piece by piece: chunked, of a known length, or to the connection's end.
class LoadClient::Connection {
 public:
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  Status Connect(const LoadTarget& target) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (const int failed = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found); failed != 0) {
      return Error{ErrorCode::kIo, StrCat(target.host, ": ", gai_strerror(failed))};
    }
    int error = 0;
    for (const addrinfo* each = found; each && fd_ < 0; each = each->ai_next) {
      fd_ = socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd_ >= 0 && connect(fd_, each->ai_addr, each->ai_addrlen) == 0) break;
      error = errno;
      if (fd_ >= 0) close(fd_);
      fd_ = -1;
    }
    freeaddrinfo(found);
    if (fd_ < 0)
      return Error{ErrorCode::kIo, StrCat("cannot connect to ", target.host, ":", target.port, ": ", std::strerror(error))};
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return Ok();
  }

  Status Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return Error{ErrorCode::kIo, "the server closed the connection while the request was sent"};
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return Ok();
  }

  // Status of the answer; afterwards ReadBody.
  Result<int> ReadHead() {
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (buffer_.size() > kMaxErrorBytes || !Fill()) return Error{ErrorCode::kIo, "the answer has no head"};
    }
    std::string head = buffer_.substr(0, end + 2);
    for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    buffer_.erase(0, end + 4);
    chunked_ = head.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos;
    closes_ = head.find("\r\nconnection: close\r\n") != std::string::npos;
    length_.reset();
    constexpr std::string_view kLength = "\r\ncontent-length: ";
    if (const size_t at = head.find(kLength); at != std::string::npos) {
      size_t length = 0;
      const char* const digits = head.data() + at + kLength.size();
      if (std::from_chars(digits, head.data() + head.size(), length).ec == std::errc()) length_ = length;
    }
    int status = 0;
    if (head.size() < 14 || std::from_chars(head.data() + 9, head.data() + 12, status).ec != std::errc()) {
      return Error{ErrorCode::kIo, "the answer is not HTTP"};
    }
    return status;
  }

  // Calls `take` with pieces of the body until its end.
  Status ReadBody(const std::function<void(std::string_view)>& take) {
    if (chunked_) return ReadChunks(take);
    closes_ = closes_ || !length_;
    for (size_t left = length_.value_or(std::numeric_limits<size_t>::max());;) {
      const size_t n = std::min(left, buffer_.size());
      take(std::string_view(buffer_).substr(0, n));
      buffer_.erase(0, n);
      left -= n;
      if (left == 0) return Ok();
      if (!Fill()) return length_ ? Status(Error{ErrorCode::kIo, "the answer was cut off"}) : Ok();
    }
  }

  bool closes() const { return closes_; }  // the server will, after the last answer

 private:
  Status ReadChunks(const std::function<void(std::string_view)>& take) {
    for (;;) {
      const size_t line = buffer_.find("\r\n");
      size_t size = 0;
      if (line != std::string::npos &&
          (std::from_chars(buffer_.data(), buffer_.data() + line, size, 16).ec != std::errc() || size > kMaxEventBytes)) {
        return Error{ErrorCode::kIo, "the answer is wrongly chunked"};
      }
      if (line != std::string::npos && buffer_.size() >= line + 4 + size) {
        take(std::string_view(buffer_).substr(line + 2, size));
        buffer_.erase(0, line + 4 + size);
        if (size == 0) return Ok();
      } else if (!Fill()) {
        return Error{ErrorCode::kIo, "the answer was cut off"};
      }
    }
  }

  bool Fill() {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, kWaitMs) <= 0) return false;
    char bytes[16384];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) return false;
    buffer_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  int fd_ = -1;
  std::string buffer_;
  bool chunked_ = false, closes_ = true;
  std::optional<size_t> length_;
};

LoadClient::LoadClient(const LoadTarget& target) : target_(target) {}
LoadClient::~LoadClient() = default;

// Sends the request and reads the head of its answer. A connection that was kept may have been closed by the server in the
// meantime: then a new one is tried, once.
Result<int> LoadClient::Begin(const std::string& request) {
  if (connection_ && connection_->Send(request).ok()) {
    if (auto status = connection_->ReadHead(); status.ok()) return status;
  }
  connection_ = std::make_unique<Connection>();
  LFM_RETURN_IF_ERROR(connection_->Connect(target_));
  LFM_RETURN_IF_ERROR(connection_->Send(request));
  return connection_->ReadHead();
}

Status LoadClient::Stream(const std::string& request, LoadAnswer& answer) {
  answer.sent_s = LoadClock();
  LFM_TRY(const int status, Begin(request));
  std::string pending;
  bool done = false;
  const Status read = connection_->ReadBody([&](std::string_view bytes) {
    if (pending.size() > kMaxEventBytes) return;
    pending.append(bytes);
    if (status != 200) return;
    for (size_t end = 0; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
      const std::string_view line = std::string_view(pending).substr(0, end);
      if (line.starts_with("data: [DONE]")) {
        done = true;
      } else if (line.starts_with("data:")) {
        TakeEvent(line.substr(5), answer);
      }
    }
  });
  answer.done_s = LoadClock();
  if (!read.ok()) return read.error();
  if (status != 200) return Error{ErrorCode::kIo, StrCat("status ", status, ": ", Quote(pending, 200))};
  if (!answer.error.empty()) return Error{ErrorCode::kIo, answer.error};
  if (!done) return Error{ErrorCode::kIo, "the stream ended without [DONE]"};
  return Ok();
}

double LoadClock() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Result<LoadTarget> ParseLoadUrl(const std::string& url) {
  const Error bad{ErrorCode::kInvalidArgument, StrCat("--url: ", Quote(url), " is no address; use http://HOST:PORT")};
  if (!url.starts_with("http://")) return bad;
  std::string rest = url.substr(7);
  LoadTarget target;
  const size_t slash = std::min(rest.find('/'), rest.size());
  target.root = rest.substr(slash);
  rest.resize(slash);
  while (target.root.ends_with('/')) target.root.pop_back();
  if (target.root.ends_with("/v1")) target.root.resize(target.root.size() - 3);
  const size_t colon = rest.ends_with(']') ? std::string::npos : rest.rfind(':');
  target.host = rest.substr(0, colon);
  target.port = colon == std::string::npos ? "80" : rest.substr(colon + 1);
  if (target.host.size() > 2 && target.host.starts_with('[') && target.host.ends_with(']')) {
    target.host = target.host.substr(1, target.host.size() - 2);
  }
  if (target.host.empty() || target.port.empty() || target.root.find_first_of(" \r\n?#") != std::string::npos ||
      target.port.find_first_not_of("0123456789") != std::string::npos) {
    return bad;
  }
  return target;
}

Status LoadClient::FindModel(LoadTarget& target) {
  LoadClient client(target);
  LFM_TRY(const int status, client.Begin(Request(target, "GET", "/v1/models", "")));
  std::string body;
  LFM_RETURN_IF_ERROR(client.connection_->ReadBody([&](std::string_view bytes) {
    if (body.size() < kMaxEventBytes) body.append(bytes);
  }));
  if (status != 200) return Error{ErrorCode::kIo, StrCat("/v1/models: status ", status, ": ", Quote(body, 200))};
  LFM_TRY(const Json models, ParseJson(body));
  for (const Json& model : models["data"].items()) {
    if (!target.model.empty() && model["id"].AsString() != target.model) continue;
    target.model = model["id"].AsString();
    const int64_t n_vocab = model["meta"]["n_vocab"].AsInt();
    if (n_vocab > 512 && n_vocab < (1 << 24)) target.n_vocab = static_cast<int>(n_vocab) - 256;
    return Ok();
  }
  if (target.model.empty()) return Error{ErrorCode::kIo, "/v1/models lists no model"};
  return Ok();
}

LoadAnswer LoadClient::Ask(const std::vector<int32_t>& prompt, int64_t n_tokens) {
  Json ids = Json::MakeArray();
  for (const int32_t id : prompt) ids.Append(id);
  const Json body = Json::MakeObject({{"model", target_.model},
                                      {"prompt", std::move(ids)},
                                      {"max_tokens", n_tokens},
                                      {"temperature", 0},
                                      {"ignore_eos", true},
                                      {"stream", true},
                                      {"stream_options", Json::MakeObject({{"include_usage", true}})}});
  LoadAnswer answer;
  const Status asked = Stream(Request(target_, "POST", "/v1/completions", body.Dump()), answer);
  if (!asked.ok() || connection_->closes()) connection_.reset();
  answer.good = asked.ok();
  if (!asked.ok()) answer.error = asked.error().message;
  return answer;
}

}  // namespace lfm::server
