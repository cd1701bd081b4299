// HTTP requests over libcurl's easy interface.
#include "hub/client.h"

#include <algorithm>
#include <mutex>

#include "base/strings.h"
#include "hub/url.h"

#ifdef LFM_PULL
#include <curl/curl.h>
#endif

namespace lfm::hub {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{256} << 10;
constexpr size_t kMaxErrorBody = size_t{4} << 10;

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<std::string> HttpHead::Find(std::string_view name) const {
  for (auto it = headers.rbegin(); it != headers.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return std::nullopt;
}

std::optional<std::string> HttpResponse::FindFirst(std::string_view name) const {
  for (const HttpHead& hop : hops) {
    if (auto value = hop.Find(name)) return value;
  }
  return std::nullopt;
}

#ifdef LFM_PULL

// What libcurl's callbacks fill for one hop.
struct HttpClient::Transfer {
  const HttpRequest& request;
  HttpResponse& response;
  CURL* handle;
  Status failure;  // of our own side: a bound, on_head or on_body
  size_t header_bytes = 0;
  bool head_told = false;
  bool cancelled = false;

  HttpHead& head() { return response.hops.back(); }
  bool success() { return head().status >= 200 && head().status < 300; }

  void OnHeader(std::string_view line) {
    header_bytes += line.size();
    if (line.substr(0, 5) == "HTTP/") {  // also after 100 Continue and a proxy's CONNECT answer
      head().headers.clear();
      const size_t space = line.find(' ');
      head().status = space == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(space + 1, 3)).c_str());
      return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    head().headers.emplace_back(LowerCase(Trim(line.substr(0, colon))), Trim(line.substr(colon + 1)));
  }

  // Tells the caller of the head once, before the first byte of a success.
  bool TellHead() {
    if (head_told || !success()) return true;
    head_told = true;
    if (request.on_head) failure = request.on_head(response);
    return failure.ok();
  }

  bool OnBody(std::span<const std::byte> bytes) {
    if (head().status >= 300 && head().status < 400) return true;  // nobody reads a redirect's page
    if (!TellHead()) return false;
    if (success() && request.on_body) {
      failure = request.on_body(bytes);
      return failure.ok();
    }
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!success()) {
      response.body += text.substr(0, kMaxErrorBody - std::min(kMaxErrorBody, response.body.size()));
      return true;
    }
    if (response.body.size() + text.size() > request.max_body) {
      failure = Error{ErrorCode::kLimit,
                      StrCat(Quote(request.url, 200), " answers with more than the limit of ", HumanBytes(request.max_body))};
      return false;
    }
    response.body += text;
    return true;
  }

  static size_t HeaderCallback(char* data, size_t size, size_t n, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.header_bytes > kMaxHeaderBytes) return 0;
    transfer.OnHeader({data, size * n});
    return size * n;
  }
  static size_t BodyCallback(char* data, size_t size, size_t n, void* self) {
    const auto bytes = std::as_bytes(std::span(data, size * n));
    return static_cast<Transfer*>(self)->OnBody(bytes) ? size * n : 0;
  }
  static int ProgressCallback(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    const HttpRequest& request = transfer.request;
    transfer.cancelled = (request.cancel && *request.cancel) || (request.stop && *request.stop);
    return transfer.cancelled ? 1 : 0;
  }
};

namespace {

struct HeaderList {
  curl_slist* list = nullptr;
  ~HeaderList() { curl_slist_free_all(list); }
  void Add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

// Setting an option cannot fail but for lack of memory, which then shows in the transfer.
template <typename T>
void Set(CURL* handle, CURLoption option, T value) {
  (void)curl_easy_setopt(handle, option, value);
}

void SetLimits(CURL* handle, const HttpOptions& options, const HttpRequest& request) {
  Set(handle, CURLOPT_NOSIGNAL, 1L);
  Set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(handle, CURLOPT_FOLLOWLOCATION, 0L);  // redirects are followed by Perform, which knows what is secret
  Set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_s * 1000));
  Set(handle, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.stall_bytes_per_s));
  Set(handle, CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(options.stall_timeout_s)));
  Set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.total_timeout_s * 1000));
  Set(handle, CURLOPT_BUFFERSIZE, 256L << 10);
  Set(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  Set(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
  if (!options.ca_file.empty()) Set(handle, CURLOPT_CAINFO, options.ca_file.c_str());
}

bool IsTransient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_CHUNK_FAILED: return true;
    default: return false;
  }
}

// libcurl resolves names on a thread of its own; one that cannot be started counts as a name that nobody knows.
std::string WhatToDo(CURLcode code, std::string_view reason) {
  constexpr const char* kNoMeans = "; memory or threads cannot be had here: close other programs, or see the limits of ulimit -a";
  if (reason.find("thread failed") != std::string_view::npos) return kNoMeans;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return "; check the connection, HF_ENDPOINT and the proxy variables";
    case CURLE_COULDNT_RESOLVE_PROXY: return "; check http_proxy and https_proxy";
    case CURLE_PEER_FAILED_VERIFICATION: return "; check the clock and the certificates (SSL_CERT_FILE)";
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY: return kNoMeans;
    default: return "; run the same command again to go on";
  }
}

std::string ResolveAgainst(const std::string& base, const std::string& location) {
  CURLU* url = curl_url();
  char* text = nullptr;
  std::string out;
  if (url && curl_url_set(url, CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
      curl_url_set(url, CURLUPART_URL, location.c_str(), CURLU_URLENCODE) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
    out = text;
  }
  curl_free(text);
  curl_url_cleanup(url);
  return out;
}

bool IsRedirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

}  // namespace

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  handle_ = curl_easy_init();
}

HttpClient::~HttpClient() { curl_easy_cleanup(static_cast<CURL*>(handle_)); }

// One request and its answer, appended to outcome.response.hops. False when it failed.
bool HttpClient::PerformHop(const HttpRequest& request, const std::string& url, HttpOutcome& outcome) {
  CURL* handle = static_cast<CURL*>(handle_);
  curl_easy_reset(handle);  // keeps the connections
  SetLimits(handle, options_, request);
  outcome.response.hops.push_back({url, 0, {}});
  outcome.response.body.clear();
  Transfer transfer{request, outcome.response, handle, Ok()};
  HeaderList headers;
  headers.Add("Accept-Encoding: identity");  // a compressed body has other offsets and no length
  const auto parsed = ParseUrl(url);
  if (!request.token.empty() && SameOrigin(url, request.url) && parsed.ok() && IsConfidential(parsed.value())) {
    headers.Add("Authorization: Bearer " + request.token);
  }
  if (request.range) headers.Add(StrCat("Range: bytes=", request.range->first, "-", request.range->second));
  char reason[CURL_ERROR_SIZE] = "";
  Set(handle, CURLOPT_URL, url.c_str());
  Set(handle, CURLOPT_HTTPHEADER, headers.list);
  if (request.method == "HEAD") Set(handle, CURLOPT_NOBODY, 1L);
  Set(handle, CURLOPT_HEADERFUNCTION, &Transfer::HeaderCallback);
  Set(handle, CURLOPT_HEADERDATA, &transfer);
  Set(handle, CURLOPT_WRITEFUNCTION, &Transfer::BodyCallback);
  Set(handle, CURLOPT_WRITEDATA, &transfer);
  Set(handle, CURLOPT_NOPROGRESS, 0L);
  Set(handle, CURLOPT_XFERINFOFUNCTION, &Transfer::ProgressCallback);
  Set(handle, CURLOPT_XFERINFODATA, &transfer);
  Set(handle, CURLOPT_ERRORBUFFER, reason);
  const CURLcode code = curl_easy_perform(handle);
  if (code == CURLE_OK && transfer.TellHead()) return true;
  if (transfer.cancelled) {
    outcome.status = Error{ErrorCode::kCancelled, StrCat("the download of ", Quote(request.url, 200),
                                                         " was interrupted; run the same command again to go on")};
  } else if (!transfer.failure.ok()) {
    outcome.status = transfer.failure;
  } else {
    outcome.retryable = IsTransient(code);
    outcome.status = Error{ErrorCode::kIo, StrCat("cannot read ", Quote(url.substr(0, url.find('?')), 200), ": ",
                                                  reason[0] ? reason : curl_easy_strerror(code), WhatToDo(code, reason))};
  }
  return false;
}

HttpOutcome HttpClient::Perform(const HttpRequest& request) {
  HttpOutcome outcome;
  if (!handle_) {
    outcome.status = Error{ErrorCode::kOutOfMemory, "libcurl cannot start: out of memory"};
    return outcome;
  }
  std::string url = request.url;
  for (int i = 0;; ++i) {
    if (const auto parsed = ParseUrl(url); !parsed.ok()) {
      outcome.status = parsed.error();
      return outcome;
    }
    if (!PerformHop(request, url, outcome) || !IsRedirect(outcome.response.status())) return outcome;
    const std::string next = ResolveAgainst(url, outcome.response.head().Find("location").value_or(""));
    const auto from = ParseUrl(url), to = ParseUrl(next);
    if (i >= options_.max_redirects) {
      outcome.status = Error{ErrorCode::kLimit, StrCat(Quote(request.url, 200), " redirects more than ", options_.max_redirects,
                                                       " times; the server is misconfigured")};
    } else if (!to.ok()) {
      outcome.status = Error{ErrorCode::kIo, StrCat(Quote(url, 200), " redirects to no usable address: ", to.error().message)};
    } else if (from.ok() && from.value().scheme == "https" && to.value().scheme == "http") {
      outcome.status = Error{ErrorCode::kIo, StrCat(Quote(url, 200), " redirects from https to http (",
                                                    Quote(to.value().Origin(), 100), "), which is not followed")};
    }
    if (!outcome.status.ok()) return outcome;
    url = next;
  }
}

#else

struct HttpClient::Transfer {};
HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {}
HttpClient::~HttpClient() = default;
bool HttpClient::PerformHop(const HttpRequest&, const std::string&, HttpOutcome&) { return false; }
HttpOutcome HttpClient::Perform(const HttpRequest&) {
  HttpOutcome outcome;
  outcome.status = Error{ErrorCode::kUnsupported, "this lfm was built without downloads (LFM_PULL=OFF)"};
  return outcome;
}

#endif

}  // namespace lfm::hub
