// The request target: percent-decoding that refuses what two programs might read differently.
#include <optional>

#include "base/strings.h"
#include "server/request_reader.h"

namespace lfm::server {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> Decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]), low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if ((c >= 0 && c < ' ') || c == 127) return std::nullopt;
    out += c;
  }
  if (ToValidUtf8(out) != out) return std::nullopt;
  return out;
}

}  // namespace

bool ParseTarget(std::string_view target, std::string& path, Headers& query) {
  if (!target.starts_with('/')) return false;
  const size_t mark = target.find('?');
  const auto decoded = Decode(target.substr(0, mark), false);
  if (!decoded) return false;
  path = *decoded;
  query.clear();
  if (mark == std::string_view::npos) return true;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t amp = rest.find('&');
    const std::string_view part = rest.substr(0, amp);
    const size_t equals = part.find('=');
    const auto name = Decode(part.substr(0, equals), true);
    const auto value = Decode(equals == std::string_view::npos ? "" : part.substr(equals + 1), true);
    if (!name || !value) return false;
    if (!name->empty()) query.emplace_back(*name, *value);
    if (amp == std::string_view::npos) break;
    rest.remove_prefix(amp + 1);
  }
  return true;
}

}  // namespace lfm::server
