// Numbers from text, and rounding, as Python's int(), float() and round() do them.
#pragma once

#include <optional>
#include <string_view>

#include "jinja/python_value.h"

namespace lfm::jinja {

// int(text, base); nothing where Python raises ValueError.
std::optional<Value> ParseInteger(Heap& heap, std::string_view text, int64_t base = 10);
// float(text); nothing where Python raises ValueError.
std::optional<double> ParseDouble(std::string_view text);
// int(float), which may be large; fails on infinities and NaN.
Value TruncateToInteger(Heap& heap, double value);
// round(value, n_digits): halves to even, exactly on the binary value.
double RoundDouble(double value, int64_t n_digits);
Value RoundInteger(int64_t value, int64_t n_digits);

}  // namespace lfm::jinja
