#include "server/guard.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/strings.h"

namespace lfm::server {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool IsAddress(const std::string& name) {
  in6_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

bool Listed(const std::vector<std::string>& list, std::string_view item) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& entry) { return entry == "*" || entry == item; });
}

// Whether an Origin is the server's own: a page from this very host and port.
bool SameOrigin(std::string_view origin, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme) && Lower(origin.substr(scheme.size())) == Lower(host)) return true;
  }
  return false;
}

// A page of this machine, at any port.
bool IsLoopbackOrigin(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    const auto name = HostName(origin.substr(scheme.size()));
    return name && IsLoopbackName(*name);
  }
  return false;
}

bool Allowed(const GuardOptions& options, std::string_view origin) {
  if (Listed(options.cors_origins, origin)) return true;
  return Listed(options.cors_origins, "localhost") && IsLoopbackOrigin(origin);
}

// What the official clients send beyond the safelisted headers, so that browsers let it through.
constexpr std::string_view kAllowedHeaders =
    "Authorization, Content-Type, X-Api-Key, X-Request-Id, Anthropic-Version, Anthropic-Beta, "
    "Anthropic-Dangerous-Direct-Browser-Access, OpenAI-Beta, OpenAI-Organization, OpenAI-Project, User-Agent, "
    "X-Stainless-Lang, X-Stainless-Package-Version, X-Stainless-OS, X-Stainless-Arch, X-Stainless-Runtime, "
    "X-Stainless-Runtime-Version, X-Stainless-Async, X-Stainless-Retry-Count, X-Stainless-Timeout, "
    "X-Stainless-Read-Timeout, X-Stainless-Poll-Helper, X-Stainless-Custom-Poll-Interval, X-Stainless-Helper-Method";

}  // namespace

std::optional<std::string> HostName(std::string_view host) {
  std::string_view name = host, port;
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    name = host.substr(1, end - 1);
    port = host.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return std::nullopt;
  } else if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    port = host.substr(colon);
  }
  if (!port.empty() && (port.size() > 6 || port.find_first_not_of("0123456789", 1) != std::string_view::npos)) {
    return std::nullopt;
  }
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return std::nullopt;
  return Lower(name);
}

bool IsLoopbackName(std::string_view name) {
  const std::string text(name);
  if (text == "localhost" || text.ends_with(".localhost")) return true;
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::optional<ApiError> CheckOrigins(const HttpRequest& request, const GuardOptions& options) {
  const std::string_view host = request.header("host");
  if (!options.any_host && !host.empty()) {
    const auto name = HostName(host);
    const bool good =
        name && (IsLoopbackName(*name) || Listed(options.allowed_hosts, *name) || (options.address_names && IsAddress(*name)));
    if (!good) {
      return ApiError{.status = 403,
                      .message = StrCat("the Host ", Quote(host), " is not a name of this server; --allow-host adds one"),
                      .code = "host_not_allowed"};
    }
  }
  const std::string_view origin = request.header("origin");
  // A browser's question from a foreign page is answered without the headers that would let the page in.
  const bool asks = IsPreflight(request, options);
  if (!asks && !origin.empty() && !SameOrigin(origin, host) && !Allowed(options, origin)) {
    return ApiError{.status = 403,
                    .message = StrCat("pages of ", Quote(origin), " may not use this server; --cors-origin adds one"),
                    .code = "origin_not_allowed"};
  }
  return std::nullopt;
}

Headers CorsHeaders(const HttpRequest& request, const GuardOptions& options) {
  if (options.cors_origins.empty()) return {};
  Headers headers{{"Vary", "Origin"}};
  const std::string_view origin = request.header("origin");
  if (!origin.empty() && Allowed(options, origin)) {
    headers.emplace_back("Access-Control-Allow-Origin", origin);
    headers.emplace_back("Access-Control-Expose-Headers", "x-request-id, retry-after");
  }
  return headers;
}

bool IsPreflight(const HttpRequest& request, const GuardOptions& options) {
  return request.method == "OPTIONS" && !options.cors_origins.empty() && !request.header("origin").empty() &&
         !request.header("access-control-request-method").empty();
}

Headers PreflightHeaders(std::string_view allow) {
  return {{"Access-Control-Allow-Methods", std::string(allow)},
          {"Access-Control-Allow-Headers", std::string(kAllowedHeaders)},
          {"Access-Control-Max-Age", "600"}};
}

std::optional<ApiError> CheckContentType(const HttpRequest& request) {
  std::string_view type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  if (Lower(type) == "application/json") {
    const std::string_view coding = request.header("content-encoding");
    if (coding.empty() || Lower(coding) == "identity") return std::nullopt;
    return ApiError{.status = 415,
                    .message = StrCat("the Content-Encoding is ", Quote(coding), "; send the body as it is"),
                    .code = "unsupported_media_type",
                    .headers = {{"Accept-Encoding", "identity"}}};
  }
  return ApiError{.status = 415,
                  .message = type.empty() ? std::string("the Content-Type is missing; send application/json")
                                          : StrCat("the Content-Type is ", Quote(type), "; send application/json"),
                  .code = "unsupported_media_type"};
}

std::optional<std::string_view> PresentedKey(const HttpRequest& request) {
  const std::string_view authorization = request.header("authorization");
  if (!authorization.empty()) {
    if (authorization.size() < 7 || Lower(authorization.substr(0, 7)) != "bearer ") return std::nullopt;
    std::string_view key = authorization.substr(7);
    while (key.starts_with(' ')) key.remove_prefix(1);
    return key;
  }
  const std::string_view key = request.header("x-api-key");
  if (key.empty()) return std::nullopt;
  return key;
}

bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace lfm::server
