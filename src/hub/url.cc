// Parsing of addresses.
#include "hub/url.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace lfm::hub {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

Error BadUrl(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, StrCat("the address ", Quote(text, 120), " ", why)};
}

// Splits "host[:port]" or "[v6]:port".
Status ParseAuthority(std::string_view authority, std::string_view text, Url& url) {
  if (authority.find('@') != std::string_view::npos) {
    return BadUrl("...@...", "holds a user name or password; use HF_TOKEN instead");
  }
  std::string_view host = authority, port;
  const size_t colon = authority.rfind(':');
  const size_t bracket = authority.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  url.host = Lower(host);
  const bool host_ok = !url.host.empty() && std::all_of(url.host.begin(), url.host.end(), [](char c) {
    return IsUnreserved(c) || c == '[' || c == ']' || c == ':';
  });
  if (!host_ok) return BadUrl(text, "has no usable host name");
  url.port = url.scheme == "https" ? 443 : 80;
  if (!port.empty()) {
    const auto end = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (end.ec != std::errc() || end.ptr != port.data() + port.size() || url.port < 1 || url.port > 65535) {
      return BadUrl(text, "has a port that is no number from 1 to 65535");
    }
  }
  return Ok();
}

}  // namespace

std::string Url::Origin() const { return StrCat(scheme, "://", host, ":", port); }

Result<Url> ParseUrl(std::string_view text) {
  if (text.size() > 8192) return BadUrl(text.substr(0, 60), "is longer than 8 KiB");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\') {
      return BadUrl(text, "holds a space, a backslash or a control character; encode it with %XX");
    }
  }
  Url url;
  const size_t colon = text.find("://");
  url.scheme = colon == std::string_view::npos ? "" : Lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https")
    return BadUrl(text, "does not begin with https:// or http://");
  std::string_view rest = text.substr(colon + 3);
  if (const size_t at = rest.find('#'); at != std::string_view::npos) {
    url.fragment = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  if (const size_t at = rest.find('?'); at != std::string_view::npos) {
    url.query = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  const size_t slash = rest.find('/');
  url.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  LFM_RETURN_IF_ERROR(ParseAuthority(rest.substr(0, slash), text, url));
  return url;
}

bool SameOrigin(std::string_view a, std::string_view b) {
  const auto first = ParseUrl(a), second = ParseUrl(b);
  return first.ok() && second.ok() && first.value().Origin() == second.value().Origin();
}

bool IsConfidential(const Url& url) {
  return url.scheme == "https" || url.host == "localhost" || url.host == "127.0.0.1" || url.host == "[::1]";
}

std::string PercentEncode(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    if (IsUnreserved(c) || (keep_slashes && c == '/')) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += "0123456789ABCDEF"[byte >> 4];
      out += "0123456789ABCDEF"[byte & 15];
    }
  }
  return out;
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
    if (text[i] == '%' && high >= 0 && low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace lfm::hub
