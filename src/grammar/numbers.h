// Languages of decimal numbers, compared digit by digit: no binary rounding anywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grammar/regex.h"

namespace lfm::grammar {

// A decimal number without exponent: sign, digits before the point (no leading zeros; "0" for none), digits after it (no
// trailing zeros).
struct Decimal {
  bool negative = false;
  std::string whole = "0", fraction;
  bool is_zero() const { return whole == "0" && fraction.empty(); }
};
// A JSON number's text; nothing for one of more than 400 digits once its exponent is written out.
std::optional<Decimal> ParseDecimal(std::string_view text);
int Compare(const Decimal& a, const Decimal& b);

// All JSON numbers without an exponent and without "-0": the universe that the languages below are complete in.
Re PlainNumbers(RegexPool& pool);
Re AnyNumber(RegexPool& pool);     // JSON's grammar
Re Integers(RegexPool& pool);      // also 1.0
Re WithoutPoint(RegexPool& pool);  // texts without a point
Re ShortNumbers(RegexPool& pool);  // at most 20 digits before the point and after it, exponents to 279: a double holds all
Re EqualTo(RegexPool& pool, const Decimal& value);  // 1, 1.0, 1.00
Re AtLeast(RegexPool& pool, const Decimal& bound, bool exclusive);
Re AtMost(RegexPool& pool, const Decimal& bound, bool exclusive);
// Nothing where the divisor has too many digits.
std::optional<Re> MultiplesOf(RegexPool& pool, const Decimal& divisor);

}  // namespace lfm::grammar
