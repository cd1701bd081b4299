// Who may ask at all: Host, Origin and CORS, Content-Type. Pure functions on a request's head.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http.h"

namespace lfm::server {

struct GuardOptions {
  bool any_host = false;                        // a UNIX socket, or "*" is allowed
  bool address_names = false;                   // an address that is not loopback listens: its numbers are good names too
  std::vector<std::string> allowed_hosts = {};  // in lower case, without a port
  std::vector<std::string> cors_origins = {};   // "https://example.org"; "localhost": of this machine, any port; "*": every one
};

// The name in a Host header without its port, in lower case ("[::1]:80" -> "::1"); nothing when it is malformed.
std::optional<std::string> HostName(std::string_view host);
bool IsLoopbackName(std::string_view name);

// 403 for a Host that no browser of this machine would send by right (DNS rebinding), and for a foreign Origin.
std::optional<ApiError> CheckOrigins(const HttpRequest& request, const GuardOptions& options);
// What CORS adds to every answer; empty without --cors-origin.
Headers CorsHeaders(const HttpRequest& request, const GuardOptions& options);
// Whether this is a browser's question before the request; the headers of its answer.
bool IsPreflight(const HttpRequest& request, const GuardOptions& options);
Headers PreflightHeaders(std::string_view allow);
// 415 unless the body is JSON, and not compressed.
std::optional<ApiError> CheckContentType(const HttpRequest& request);
// The key that a request presents: "Authorization: Bearer", or "x-api-key"; nothing without one.
std::optional<std::string_view> PresentedKey(const HttpRequest& request);
// Letters, digits, '.', '_', '-' up to 128: what may come back in x-request-id.
bool IsRequestId(std::string_view text);

}  // namespace lfm::server
