// Which answers deserve another try, how long to wait for it, and what to tell the user when there is none.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <thread>

#include "base/json.h"
#include "base/strings.h"
#include "hub/client.h"
#include "hub/url.h"

namespace lfm::hub {
namespace {

// The server's own words: X-Error-Message, or the "error" of a JSON body.
std::string ServerMessage(const HttpResponse& response) {
  if (const auto text = response.head().Find("x-error-message")) return Quote(*text, 200);
  if (const auto json = ParseJson(response.body); json.ok()) {
    const std::string& text = json.value()["error"].AsString();
    if (!text.empty()) return Quote(text, 200);
  }
  return "";
}

std::string Advice(const HttpResponse& response, bool with_token) {
  const std::string code = response.FindFirst("x-error-code").value_or("");
  const bool at_hub = response.hops.size() == 1;
  switch (response.status()) {
    case 401:
    case 403:
      if (!at_hub) return "the storage refuses the signed address; run the same command again";
      if (code == "GatedRepo") {
        return with_token ? "the repository is gated: accept its conditions on its page with the token's account"
                          : "the repository is gated: accept its conditions on its page and set HF_TOKEN";
      }
      if (with_token) return "check the name, and that HF_TOKEN is valid and may read it";
      return "no such repository, or it is private: check the name, or set HF_TOKEN";
    case 404:
      if (code == "RevisionNotFound") return "no such revision; check what follows '@'";
      if (code == "EntryNotFound") return "no such file in the repository";
      return "check the name; for a private repository set HF_TOKEN";
    case 429: return "too many requests; wait a few minutes, or set HF_TOKEN for a higher limit";
    default:
      if (response.status() >= 500) return "the server has a problem; try again later";
      return "check the address";
  }
}

// Sleeps in small steps. False when interrupted.
bool Sleep(double seconds, const std::atomic<bool>* cancel, const std::atomic<bool>* stop) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    if ((cancel && *cancel) || (stop && *stop)) return false;
    const auto left = std::chrono::duration<double>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0) return true;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, 0.1)));
  }
}

}  // namespace

bool IsRetryableStatus(int status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || (status >= 502 && status <= 504) ||
         (status >= 509 && status <= 530);
}

Error StatusError(const HttpResponse& response, const std::string& what, bool with_token) {
  const int status = response.status();
  const std::string said = ServerMessage(response);
  const ErrorCode code = status == 404 || status == 401 ? ErrorCode::kNotFound : ErrorCode::kIo;
  return {code, StrCat("cannot get ", what, ": HTTP ", status, said.empty() ? "" : ", the server says " + said, "; ",
                       Advice(response, with_token))};
}

std::optional<double> RetryAfter(const HttpHead& head) {
  const auto text = head.Find("retry-after");
  if (!text) return std::nullopt;
  double seconds = 0;
  const auto end = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (end.ec == std::errc() && end.ptr == text->data() + text->size()) {
    if (!std::isfinite(seconds)) return std::nullopt;
    return std::max(0.0, seconds);
  }
  std::tm date{};
  if (!strptime(text->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date)) return std::nullopt;
  return std::max(0.0, static_cast<double>(timegm(&date)) - static_cast<double>(std::time(nullptr)));
}

Status Backoff::Wait(const Error& error, std::optional<double> retry_after, const std::atomic<bool>* cancel,
                     const std::atomic<bool>* stop) {
  constexpr int kMaxTotal = 1000;  // even a server that sends a little each time is given up some day
  if (++n_failed_ >= policy_.max_attempts || ++n_total_ >= kMaxTotal) return error;
  if (retry_after && *retry_after > policy_.max_retry_after_s) {
    return Error{error.code, StrCat(error.message, " (the server asks for a pause of ", std::lround(*retry_after), " s)")};
  }
  random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
  const double jitter = 0.75 + 0.5 * static_cast<double>(random_ >> 40) / static_cast<double>(1 << 24);
  const double delay = std::min(policy_.max_delay_s, std::ldexp(policy_.first_delay_s, n_failed_ - 1)) * jitter;
  if (!Sleep(std::max(delay, retry_after.value_or(0)), cancel, stop)) {
    return Error{ErrorCode::kCancelled, "the download was interrupted; run the same command again to go on"};
  }
  return Ok();
}

Result<HttpResponse> PerformWithRetries(HttpClient& client, const HttpRequest& request, const std::string& what,
                                        const RetryPolicy& policy) {
  Backoff backoff(policy, 1);
  for (;;) {
    HttpOutcome outcome = client.Perform(request);
    if (!outcome.status.ok() && !outcome.retryable) return outcome.status.error();
    if (outcome.status.ok()) {
      const int status = outcome.response.status();
      if (status >= 200 && status < 300) return std::move(outcome.response);
      if (!IsRetryableStatus(status)) return StatusError(outcome.response, what, !request.token.empty());
      LFM_RETURN_IF_ERROR(backoff.Wait(StatusError(outcome.response, what, !request.token.empty()),
                                       RetryAfter(outcome.response.head()), request.cancel));
    } else {
      LFM_RETURN_IF_ERROR(backoff.Wait(outcome.status.error(), std::nullopt, request.cancel));
    }
  }
}

}  // namespace lfm::hub
