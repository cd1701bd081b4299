// Numbers as text for tables.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

namespace lfm::cli {

// 3.14159, 2 -> "3.14".
inline std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

// 0.000123456, 3 -> "0.000123": significant digits.
inline std::string Significant(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

// With spaces before it up to `width` bytes.
inline std::string RightAligned(const std::string& text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

}  // namespace lfm::cli
