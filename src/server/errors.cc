// Error documents, in the two shapes that clients parse.
#include "server/http.h"

namespace lfm::server {
namespace {

std::string OpenAiType(const ApiError& error) {
  if (!error.type.empty()) return error.type;
  switch (error.status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return error.status >= 500 ? "server_error" : "invalid_request_error";
  }
}

// Anthropic's clients map statuses, and show these names.
std::string AnthropicType(const ApiError& error) {
  switch (error.status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return error.status >= 500 ? "api_error" : "invalid_request_error";
  }
}

Json OrNull(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

}  // namespace

std::string ErrorBody(const ApiError& error, bool anthropic) {
  Json body = Json::MakeObject();
  Json inner = Json::MakeObject();
  if (anthropic) {
    inner.Set("type", AnthropicType(error));
    inner.Set("message", error.message);
    body.Set("type", "error");
  } else {
    inner.Set("message", error.message);
    inner.Set("type", OpenAiType(error));
    inner.Set("param", OrNull(error.param));
    inner.Set("code", OrNull(error.code));
  }
  for (const auto& [name, value] : error.extra.members()) inner.Set(name, value);
  body.Set("error", std::move(inner));
  return body.Dump();
}

}  // namespace lfm::server
