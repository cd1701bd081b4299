// Small string helpers for messages: concatenation and human units.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

namespace lfm {

// StrCat("offset ", 12, ": ", name): every argument through operator<<.
template <typename... Args>
std::string StrCat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return std::move(out).str();
}

// 4731500288 -> "4.41 GiB".
std::string HumanBytes(uint64_t bytes);

// Text from a file, a prompt or a request, made safe for a one-line message: control characters and invalid UTF-8
// become escapes, and what is longer than max_bytes is cut with "...".
std::string Quote(std::string_view text, size_t max_bytes = 60);

// The same bytes as valid UTF-8: each maximal invalid part becomes U+FFFD, as Python's errors="replace" does.
std::string ToValidUtf8(std::string_view bytes);

}  // namespace lfm
