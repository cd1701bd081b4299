// Parsing of addresses.
#include "hub/url.h"

#include <charconv>

#include "base/strings.h"

#ifdef LFM_PULL
#include <curl/curl.h>
#endif

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
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

Error BadUrl(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, StrCat("the address ", Quote(text, 120), " ", why)};
}

#ifdef LFM_PULL

// libcurl's own parser, so that what is compared here is what is connected to.
class Parts {
 public:
  explicit Parts(const std::string& text) : handle_(curl_url()) {
    code_ = handle_ ? curl_url_set(handle_, CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS) : CURLUE_OUT_OF_MEMORY;
  }
  ~Parts() { curl_url_cleanup(handle_); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  bool ok() const { return code_ == CURLUE_OK; }
  const char* reason() const { return curl_url_strerror(code_); }
  // "" where the address has no such part.
  std::string Get(CURLUPart part, unsigned flags = 0) const {
    char* value = nullptr;
    if (curl_url_get(handle_, part, &value, flags) != CURLUE_OK) return "";
    std::string text = value;
    curl_free(value);
    return text;
  }

 private:
  CURLU* const handle_;
  CURLUcode code_;
};

Result<Url> TakeApart(std::string_view text) {
  const Parts parts{std::string(text)};
  if (!parts.ok()) return BadUrl(text, StrCat("cannot be used: ", parts.reason()));
  if (!parts.Get(CURLUPART_USER).empty() || !parts.Get(CURLUPART_PASSWORD).empty()) {
    return BadUrl("...@...", "holds a user name or password; use HF_TOKEN instead");
  }
  Url url;
  url.scheme = Lower(parts.Get(CURLUPART_SCHEME));
  url.host = Lower(parts.Get(CURLUPART_HOST));
  const std::string port = parts.Get(CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (url.host.empty() || read.ec != std::errc() || url.port < 1) return BadUrl(text, "has no usable host name or port");
  url.path = parts.Get(CURLUPART_PATH);
  url.query = parts.Get(CURLUPART_QUERY);
  url.fragment = parts.Get(CURLUPART_FRAGMENT);
  return url;
}

#else

Result<Url> TakeApart(std::string_view text) {
  return Error{ErrorCode::kUnsupported,
               StrCat("this lfm was built without downloads (LFM_PULL=OFF), so without addresses: ", Quote(text, 120))};
}

#endif

}  // namespace

std::string Url::Origin() const { return StrCat(scheme, "://", host, ":", port); }

Result<Url> ParseUrl(std::string_view text) {
  if (text.size() > 8192) return BadUrl(text.substr(0, 60), "is longer than 8 KiB");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\') {
      return BadUrl(text, "holds a space, a backslash or a control character; encode it with %XX");
    }
  }
  const std::string lower = Lower(text.substr(0, 8));
  if (!lower.starts_with("http://") && !lower.starts_with("https://"))
    return BadUrl(text, "does not begin with https:// or http://");
  return TakeApart(text);
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
