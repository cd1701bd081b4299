// The page's files as answers.
#include "server/page.h"

#include <memory>
#include <string>
#include <utility>

namespace lfm::server {
namespace {

// Nothing from elsewhere, no program or style within the document, no string that becomes markup, no frame around it.
constexpr std::string_view kPolicy =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls visit with each member of a list of the form "a, b".
template <typename Visit>
bool AnyOf(std::string_view list, Visit visit) {
  for (;;) {
    const size_t comma = list.find(',');
    if (visit(Trimmed(list.substr(0, comma)))) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

// Whether an Accept-Encoding has gzip, and not with a weight of 0.
bool TakesGzip(std::string_view accepted) {
  return AnyOf(accepted, [](std::string_view entry) {
    const size_t semicolon = entry.find(';');
    if (Trimmed(entry.substr(0, semicolon)) != "gzip") return false;
    if (semicolon == std::string_view::npos) return true;
    const std::string_view weight = Trimmed(entry.substr(semicolon + 1));
    return weight.find_first_of("123456789") != std::string_view::npos;
  });
}

// Compared weakly (RFC 9110, 13.1.2): a tag with or without "W/" is the same one.
bool HasTag(std::string_view list, std::string_view tag) {
  const auto opaque = [](std::string_view text) { return text.starts_with("W/") ? text.substr(2) : text; };
  return AnyOf(list, [&](std::string_view entry) { return entry == "*" || opaque(entry) == opaque(tag); });
}

}  // namespace

const PageFile* FindPageFile(std::string_view path) {
  for (const PageFile& file : PageFiles()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

void SendPageFile(const PageFile& file, const HttpRequest& request, Reply& reply) {
  Headers headers = {{"ETag", std::string(file.etag)},   {"Cache-Control", "no-cache"},
                     {"Vary", "Accept-Encoding"},        {"Content-Security-Policy", std::string(kPolicy)},
                     {"Referrer-Policy", "no-referrer"}, {"Cross-Origin-Resource-Policy", "same-origin"}};
  if (HasTag(request.header("if-none-match"), file.etag)) {
    reply.Send(304, file.content_type, "", std::move(headers));
    return;
  }
  const bool gzip = TakesGzip(request.header("accept-encoding"));
  if (gzip) headers.emplace_back("Content-Encoding", "gzip");
  reply.Send(200, file.content_type, std::string(gzip ? file.gzip : file.bytes), std::move(headers));
}

void AddPageRoutes(Router& router) {
  for (const PageFile& file : PageFiles()) {
    router.Add("GET", file.path,
               [&file](const HttpRequest& request, const std::shared_ptr<Reply>& reply) { SendPageFile(file, request, *reply); },
               {.open = true, .quick = true});
  }
}

}  // namespace lfm::server
