#include "grammar/numbers.h"

#include <algorithm>
#include <charconv>

namespace lfm::grammar {
namespace {

constexpr int64_t kMaxDigits = 400;

Re Digit(RegexPool& pool) { return pool.Range('0', '9'); }

// Digits before the point without leading zeros.
Re Whole(RegexPool& pool) { return pool.Or(pool.Byte('0'), pool.Concat(pool.Range('1', '9'), pool.Star(Digit(pool)))); }
Re AnyFraction(RegexPool& pool) { return pool.Optional(pool.Concat(pool.Byte('.'), pool.Repeat(Digit(pool), 1, kUnbounded))); }
Re ZeroFraction(RegexPool& pool) {
  return pool.Optional(pool.Concat(pool.Byte('.'), pool.Repeat(pool.Byte('0'), 1, kUnbounded)));
}
Re Magnitudes(RegexPool& pool) { return pool.Concat(Whole(pool), AnyFraction(pool)); }
Re ZeroMagnitude(RegexPool& pool) { return pool.Concat(pool.Byte('0'), ZeroFraction(pool)); }
Re Minus(RegexPool& pool, Re magnitudes) {
  return pool.Concat(pool.Byte('-'), pool.And(magnitudes, pool.Not(ZeroMagnitude(pool))));
}

// Magnitudes greater than (or, `above` false, less than) a bound; equal ones are left out.
Re Beyond(RegexPool& pool, const Decimal& bound, bool above) {
  const Re digit = Digit(pool);
  const auto side = [&](char d, char least) {  // digits on the wanted side of d
    if (above) return d == '9' ? Re{RegexPool::kNone} : pool.Range(static_cast<uint8_t>(d + 1), '9');
    return d <= least ? Re{RegexPool::kNone} : pool.Range(static_cast<uint8_t>(least), static_cast<uint8_t>(d - 1));
  };
  std::vector<Re> parts;
  const auto n = static_cast<uint32_t>(bound.whole.size());
  // Longer or shorter whole parts.
  if (above) {
    parts.push_back(pool.Concat({pool.Range('1', '9'), pool.Repeat(digit, n, kUnbounded), AnyFraction(pool)}));
    if (bound.whole == "0") parts.push_back(pool.Concat(pool.Range('1', '9'), AnyFraction(pool)));
  } else if (n > 1) {
    const Re shorter = pool.Or(pool.Byte('0'), pool.Concat(pool.Range('1', '9'), pool.Repeat(digit, 0, n - 2)));
    parts.push_back(pool.Concat(shorter, AnyFraction(pool)));
  }
  // The same length, another digit.
  for (uint32_t i = 0; i < n; ++i) {
    if (above && bound.whole == "0") break;
    const char least = i == 0 && n > 1 ? '1' : '0';
    parts.push_back(pool.Concat({pool.Literal(std::string_view(bound.whole).substr(0, i)), side(bound.whole[i], least),
                                 pool.Repeat(digit, n - 1 - i, n - 1 - i), AnyFraction(pool)}));
  }
  // The same whole part; the fractions decide.
  std::vector<Re> tails;
  const std::string& f = bound.fraction;
  for (size_t i = 0; i < f.size(); ++i) {
    const Re before = pool.Literal(std::string_view(f).substr(0, i));
    tails.push_back(pool.Concat({pool.Byte('.'), before, side(f[i], '0'), pool.Star(digit)}));
    if (!above) {
      tails.push_back(i == 0 ? Re{RegexPool::kEmpty} : pool.Concat(pool.Byte('.'), before));
    }
  }
  if (above) {
    tails.push_back(pool.Concat({pool.Byte('.'), pool.Literal(f), pool.Star(digit), pool.Range('1', '9'), pool.Star(digit)}));
  }
  parts.push_back(pool.Concat(pool.Literal(bound.whole), pool.Or(std::move(tails))));
  return pool.Or(std::move(parts));
}

Re EqualMagnitude(RegexPool& pool, const Decimal& value) {
  if (value.fraction.empty()) return pool.Concat(pool.Literal(value.whole), ZeroFraction(pool));
  return pool.Concat({pool.Literal(value.whole), pool.Byte('.'), pool.Literal(value.fraction), pool.Star(pool.Byte('0'))});
}

Re Bounded(RegexPool& pool, const Decimal& bound, bool exclusive, bool at_least) {
  std::vector<Re> parts;
  if (bound.is_zero()) {
    parts.push_back(at_least ? pool.And(Magnitudes(pool), pool.Not(ZeroMagnitude(pool))) : Minus(pool, Magnitudes(pool)));
  } else if (!bound.negative) {
    parts.push_back(Beyond(pool, bound, at_least));
    if (!at_least) parts.push_back(Minus(pool, Magnitudes(pool)));
  } else {
    Decimal magnitude = bound;
    magnitude.negative = false;
    parts.push_back(Minus(pool, Beyond(pool, magnitude, !at_least)));
    if (at_least) parts.push_back(Magnitudes(pool));
  }
  if (!exclusive) parts.push_back(EqualTo(pool, bound));
  return pool.Or(std::move(parts));
}

}  // namespace

std::optional<Decimal> ParseDecimal(std::string_view text) {
  Decimal out;
  size_t i = 0;
  if (i < text.size() && text[i] == '-') out.negative = true, ++i;
  std::string digits;
  int64_t point = -1;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      point = static_cast<int64_t>(digits.size());
    } else if (text[i] >= '0' && text[i] <= '9') {
      digits += text[i];
    } else {
      return std::nullopt;
    }
  }
  if (point < 0) point = static_cast<int64_t>(digits.size());
  if (i < text.size()) {
    ++i;
    if (i < text.size() && text[i] == '+') ++i;
    int64_t exponent = 0;
    const auto parsed = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    if (exponent > 2000 || exponent < -2000) return std::nullopt;
    point += exponent;
  }
  if (digits.find_first_not_of('0') == std::string::npos) return Decimal{};
  if (point < 0) digits.insert(0, static_cast<size_t>(-point), '0'), point = 0;
  if (point > static_cast<int64_t>(digits.size())) digits.append(static_cast<size_t>(point) - digits.size(), '0');
  out.whole = digits.substr(0, static_cast<size_t>(point)), out.fraction = digits.substr(static_cast<size_t>(point));
  out.whole.erase(0, std::min(out.whole.find_first_not_of('0'), out.whole.size()));
  if (out.whole.empty()) out.whole.assign(1, '0');
  while (!out.fraction.empty() && out.fraction.back() == '0') out.fraction.pop_back();
  if (static_cast<int64_t>(out.whole.size() + out.fraction.size()) > kMaxDigits) return std::nullopt;
  return out;
}

int Compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int order = 0;
  if (a.whole.size() != b.whole.size()) {
    order = a.whole.size() < b.whole.size() ? -1 : 1;
  } else if (a.whole != b.whole) {
    order = a.whole < b.whole ? -1 : 1;
  } else if (a.fraction != b.fraction) {
    order = a.fraction < b.fraction ? -1 : 1;
  }
  return a.negative ? -order : order;
}

Re PlainNumbers(RegexPool& pool) { return pool.Or(Magnitudes(pool), Minus(pool, Magnitudes(pool))); }

Re AnyNumber(RegexPool& pool) {
  ByteSet e, sign;
  e.set('e'), e.set('E'), sign.set('+'), sign.set('-');
  const Re exponent = pool.Concat({pool.Set(e), pool.Optional(pool.Set(sign)), pool.Repeat(Digit(pool), 1, kUnbounded)});
  return pool.Concat({pool.Optional(pool.Byte('-')), Magnitudes(pool), pool.Optional(exponent)});
}

Re Integers(RegexPool& pool) {
  const Re magnitudes = pool.Concat(Whole(pool), ZeroFraction(pool));
  return pool.Or(magnitudes, Minus(pool, magnitudes));
}

Re WithoutPoint(RegexPool& pool) { return pool.Concat(pool.Optional(pool.Byte('-')), pool.Star(Digit(pool))); }

Re ShortNumbers(RegexPool& pool) {
  ByteSet e, sign;
  e.set('e'), e.set('E'), sign.set('+'), sign.set('-');
  const Re fraction = pool.Optional(pool.Concat(pool.Byte('.'), pool.Repeat(Digit(pool), 1, 20)));
  const Re exponent =
      pool.Concat({pool.Set(e), pool.Optional(pool.Set(sign)),
                   pool.Or({pool.Repeat(Digit(pool), 1, 2), pool.Concat({pool.Byte('1'), Digit(pool), Digit(pool)}),
                            pool.Concat({pool.Byte('2'), pool.Range('0', '7'), Digit(pool)})})});
  return pool.Concat({pool.Optional(pool.Byte('-')), pool.Repeat(Digit(pool), 1, 20), fraction, pool.Optional(exponent)});
}

Re EqualTo(RegexPool& pool, const Decimal& value) {
  const Re magnitude = EqualMagnitude(pool, value);
  return value.negative ? pool.Concat(pool.Byte('-'), magnitude) : magnitude;
}

Re AtLeast(RegexPool& pool, const Decimal& bound, bool exclusive) { return Bounded(pool, bound, exclusive, true); }
Re AtMost(RegexPool& pool, const Decimal& bound, bool exclusive) { return Bounded(pool, bound, exclusive, false); }

std::optional<Re> MultiplesOf(RegexPool& pool, const Decimal& divisor) {
  const std::string digits = divisor.whole + divisor.fraction;
  uint64_t mantissa = 0;
  for (const char c : digits) {
    if (mantissa > 20000) return std::nullopt;
    mantissa = mantissa * 10 + static_cast<uint64_t>(c - '0');
  }
  if (mantissa == 0 || mantissa > 20000 || divisor.fraction.size() > 64) return std::nullopt;
  const Re magnitudes = pool.And(Magnitudes(pool), pool.Multiple(mantissa, static_cast<uint32_t>(divisor.fraction.size())));
  return pool.Or(magnitudes, Minus(pool, magnitudes));
}

}  // namespace lfm::grammar
