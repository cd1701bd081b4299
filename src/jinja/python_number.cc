// Parsing and rounding of numbers.
#include "jinja/python_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>

#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

// Digits without their single underscores; nothing if an underscore stands wrong or there is no digit.
std::optional<std::string> JoinDigits(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || text[i + 1] == '_') {
      return std::nullopt;
    }
  }
  if (out.empty()) return std::nullopt;
  return out;
}

}  // namespace

std::optional<Value> ParseInteger(Heap& heap, std::string_view text, int64_t base) {
  text = Strip(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  if (text.size() > 2 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    const int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked && (base == 0 || base == marked)) {
      base = marked;
      text.remove_prefix(2);
      if (text[0] == '_') text.remove_prefix(1);
    }
  }
  if (base == 0) base = 10;
  const auto digits = JoinDigits(text);
  if (!digits) return std::nullopt;
  if (digits->front() == '-') return std::nullopt;  // a second sign
  const std::string signed_digits = (negative ? "-" : "") + *digits;
  int64_t value = 0;
  const auto result =
      std::from_chars(signed_digits.data(), signed_digits.data() + signed_digits.size(), value, static_cast<int>(base));
  if (result.ptr != signed_digits.data() + signed_digits.size()) return std::nullopt;
  if (result.ec == std::errc()) return Value::Int(value);
  if (base != 10) Fail("an integer beyond 64 bits in this base is not supported", ErrorCode::kUnsupported);
  const size_t first = digits->find_first_not_of('0');
  return heap.BigInt((negative ? "-" : "") + digits->substr(first));
}

std::optional<double> ParseDouble(std::string_view text) {
  text = Strip(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const std::string lower = ToLower(text);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = HUGE_VAL;
  } else if (lower == "nan") {
    value = std::nan("");
  } else {
    const auto digits = JoinDigits(lower);
    if (!digits || !((*digits)[0] == '.' || ((*digits)[0] >= '0' && (*digits)[0] <= '9'))) return std::nullopt;
    const auto result = std::from_chars(digits->data(), digits->data() + digits->size(), value);
    if (result.ptr != digits->data() + digits->size()) return std::nullopt;
    if (result.ec == std::errc::result_out_of_range) value = digits->find("e-") != std::string::npos ? 0 : HUGE_VAL;
    if (result.ec == std::errc::invalid_argument) return std::nullopt;
  }
  return negative ? -value : value;
}

Value TruncateToInteger(Heap& heap, double value) {
  if (std::isnan(value)) Fail("cannot convert float NaN to integer");
  if (std::isinf(value)) Fail("cannot convert float infinity to integer");
  value = std::trunc(value);
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) return Value::Int(static_cast<int64_t>(value));
  char buffer[400];
  const int n = std::snprintf(buffer, sizeof buffer, "%.0f", value);
  return heap.BigInt(std::string(buffer, static_cast<size_t>(n)));
}

double RoundDouble(double value, int64_t n_digits) {
  if (!std::isfinite(value) || n_digits > 323) return value;
  if (n_digits < -308) return std::copysign(0.0, value);
  double result = value;
  if (n_digits >= 0) {
    char buffer[800];  // printf rounds the exact binary value, halves to even
    const int n = std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(n_digits), value);
    std::from_chars(buffer, buffer + n, result);
    return result;
  }
  const double scale = std::pow(10.0, static_cast<double>(-n_digits));
  return std::nearbyint(value / scale) * scale;
}

Value RoundInteger(int64_t value, int64_t n_digits) {
  if (n_digits >= 0) return Value::Int(value);
  if (n_digits < -18) return Value::Int(0);
  int64_t scale = 1;
  for (int64_t i = 0; i > n_digits; --i) scale *= 10;
  const int64_t rest = value % scale, down = value - rest;
  const int64_t twice = std::abs(rest) - (scale - std::abs(rest));
  const bool up = twice > 0 || (twice == 0 && (down / scale) % 2 != 0);
  int64_t result = down;
  if (up && __builtin_add_overflow(down, rest < 0 ? -scale : scale, &result)) {
    Fail("integer arithmetic beyond 64 bits is not supported", ErrorCode::kUnsupported);
  }
  return Value::Int(result);
}

}  // namespace lfm::jinja
