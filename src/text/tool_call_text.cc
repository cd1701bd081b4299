#include "text/tool_call_text.h"

#include <charconv>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "text/unicode.h"

namespace lfm::text {
namespace {

constexpr size_t kMaxDigits = 4300;
constexpr size_t kMaxOtherDigits = 1000;  // of 0x, 0o and 0b: the conversion takes the square of them
constexpr uint32_t kReplacement = 0xFFFD;

constexpr int DigitOf(char c) {
  return IsCallDigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

// Digits of a base from text[i] on, without the single underscores between them.
bool TakeDigits(std::string_view text, size_t& i, int base, std::string& out) {
  const size_t before = out.size();
  while (i < text.size()) {
    const bool joined = text[i] == '_' && out.size() > before && i + 1 < text.size();
    if (joined && DigitOf(text[i + 1]) < base) ++i;
    if (DigitOf(text[i]) >= base) break;
    out += text[i++];
  }
  return out.size() > before;
}

std::string WithoutLeadingZeros(const std::string& digits) {
  const size_t first = digits.find_first_not_of('0');
  return first == std::string::npos ? "0" : digits.substr(first);
}

// Digits of another base in decimal: limbs of nine digits, the lowest first.
std::string ToDecimal(const std::string& digits, int base) {
  std::vector<uint64_t> limbs{0};
  for (const char c : digits) {
    uint64_t carry = static_cast<uint64_t>(DigitOf(c));
    for (uint64_t& limb : limbs) {
      limb = limb * static_cast<uint64_t>(base) + carry;
      carry = limb / 1'000'000'000;
      limb %= 1'000'000'000;
    }
    if (carry) limbs.push_back(carry);
  }
  std::string out = std::to_string(limbs.back());
  for (size_t i = limbs.size() - 1; i-- > 0;) {
    const std::string limb = std::to_string(limbs[i]);
    out.append(9 - limb.size(), '0');
    out += limb;
  }
  return out;
}

// Whether a decimal float beyond the range of a double is too small (a zero) rather than too large. `fraction` is where
// the digits after the point begin.
bool IsTooSmall(const std::string& digits, size_t fraction, int64_t exponent) {
  const size_t first = digits.find_first_not_of('0');
  return first == std::string::npos || static_cast<int64_t>(fraction) - static_cast<int64_t>(first) + exponent < 0;
}

std::optional<std::string> FloatToJson(bool negative, const std::string& digits, size_t fraction, const std::string& exponent) {
  std::string text = (negative ? "-" : "") + digits.substr(0, fraction) + "." + digits.substr(fraction) + "e" + exponent;
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    int64_t power = exponent[0] == '-' ? -1'000'000 : 1'000'000;  // where it does not fit into 64 bits
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), power);
    if (!IsTooSmall(digits, fraction, power)) return std::nullopt;
    value = negative ? -0.0 : 0.0;
  }
  return Json(value).Dump();
}

}  // namespace

std::string_view TrimCallBlanks(std::string_view text) {
  while (!text.empty() && IsCallBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsCallBlank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::string> NumberToJson(std::string_view text) {
  size_t i = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) ++i;
  while (i < text.size() && IsCallBlank(text[i])) ++i;
  if (text.size() - i > kMaxDigits) return std::nullopt;
  std::string digits;
  const char mark = i + 1 < text.size() && text[i] == '0' ? static_cast<char>(text[i + 1] | 0x20) : '0';
  if (const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0) {
    i += 2;
    if (i < text.size() && text[i] == '_') ++i;
    if (!TakeDigits(text, i, base, digits) || i != text.size() || digits.size() > kMaxOtherDigits) return std::nullopt;
    const std::string decimal = ToDecimal(digits, base);
    return (negative && decimal != "0" ? "-" : "") + decimal;
  }
  const bool whole = TakeDigits(text, i, 10, digits);
  const size_t fraction = digits.size();
  if (i == text.size() && whole) {
    const std::string decimal = WithoutLeadingZeros(digits);
    return (negative && decimal != "0" ? "-" : "") + decimal;
  }
  bool part = false;
  if (i < text.size() && text[i] == '.') part = TakeDigits(text, ++i, 10, digits);
  if (!whole && !part) return std::nullopt;
  std::string exponent = "0";
  if (i < text.size() && (text[i] | 0x20) == 'e') {
    exponent.clear();
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
      if (text[i] == '-') exponent = "-";
      ++i;
    }
    if (!TakeDigits(text, i, 10, exponent)) return std::nullopt;
  }
  if (i != text.size()) return std::nullopt;
  return FloatToJson(negative, digits, fraction, exponent);
}

bool IsCallName(std::string_view text, std::string_view more) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    const CharClass of = ClassOf(c.code);
    const bool inner = c.code < 128 && (IsCallDigit(text[i]) || more.find(text[i]) != std::string_view::npos);
    const bool mark = c.code >= 128 && IsWordChar(c.code);  // Unicode's digits and the marks of letters
    if (of != CharClass::kLetter && text[i] != '_' && (i == 0 || !(inner || mark))) return false;
    i += c.length;
  }
  return !text.empty();
}

bool StringReader::Begin(std::string_view prefix, char quote, bool json) {
  if (prefix.size() > 1) return false;
  const char letter = prefix.empty() ? 'u' : static_cast<char>(prefix[0] | 0x20);
  if (letter != 'u' && letter != 'r' && letter != 'f') return false;
  raw_ = letter == 'r';
  no_braces_ = letter == 'f';
  json_ = json;
  quote_ = quote;
  long_ = false;
  n_quotes_ = 0;
  phase_ = Phase::kOpened;
  return true;
}

bool StringReader::CouldEnd(char c) const {
  return c == quote_ && !long_ && phase_ != Phase::kBackslash && phase_ != Phase::kTwoQuotes;
}

StringReader::Step StringReader::Feed(char c, Ends ends, bool may_end, std::string& out) {
  if (phase_ == Phase::kOpened) {
    phase_ = Phase::kBody;
    if (c == quote_ && ends != Ends::kGuided && !may_end) {
      phase_ = Phase::kTwoQuotes;
      return Step::kMore;
    }
  } else if (phase_ == Phase::kTwoQuotes) {
    phase_ = Phase::kBody;
    if (c == quote_) {
      long_ = true;
      return Step::kMore;
    }
    if (ends == Ends::kFirst) return Step::kEndedBefore;
    Byte(quote_, out);
  } else if (phase_ == Phase::kMaybeEnd) {
    if (IsCallBlank(c)) {
      blanks_ += c;
      return Step::kMore;
    }
    phase_ = Phase::kBody;
    const std::string blanks = std::exchange(blanks_, {});
    if (MayFollowString(c)) return Step::kEndedBefore;
    Byte(quote_, out);
    for (const char blank : blanks) Byte(blank, out);
  } else if (phase_ == Phase::kBackslash) {
    Backslash(c, out);
    return Step::kMore;
  } else if (phase_ == Phase::kHex || phase_ == Phase::kOctal) {
    return Digits(c, ends, may_end, out);
  }
  return Body(c, ends, may_end, out);
}

StringReader::Step StringReader::Body(char c, Ends ends, bool may_end, std::string& out) {
  if (long_) return Long(c, out);
  if (c == quote_ && ends == Ends::kGuided) {
    phase_ = Phase::kMaybeEnd;
    return Step::kMore;
  }
  if (c == quote_ && (ends == Ends::kFirst || may_end)) return Step::kEnded;
  if (no_braces_ && (c == '{' || c == '}')) return Step::kFailed;
  if (c == '\\') {
    phase_ = Phase::kBackslash;
  } else {
    Byte(c, out);
  }
  return Step::kMore;
}

// Quotes are text until there are three of them.
StringReader::Step StringReader::Long(char c, std::string& out) {
  if (c == quote_) return ++n_quotes_ == 3 ? Step::kEnded : Step::kMore;
  for (; n_quotes_ > 0; --n_quotes_) Byte(quote_, out);
  if (no_braces_ && (c == '{' || c == '}')) return Step::kFailed;
  if (c == '\\') {
    phase_ = Phase::kBackslash;
  } else {
    Byte(c, out);
  }
  return Step::kMore;
}

void StringReader::Backslash(char c, std::string& out) {
  phase_ = Phase::kBody;
  if (raw_) {
    Byte('\\', out);
    Byte(c, out);
    return;
  }
  static constexpr std::string_view kLetters = "\\'\"abfnrtv", kCodes = "\\'\"\a\b\f\n\r\t\v";
  if (c == '\n') return;  // the line goes on
  if (const size_t i = kLetters.find(c); i != std::string_view::npos) return Byte(kCodes[i], out);
  if (c == '/' && json_) return Byte(c, out);
  if (c == 'x' || c == 'u' || c == 'U') {
    phase_ = Phase::kHex;
    kind_ = c;
    n_digits_ = 0;
  } else if (c >= '0' && c <= '7') {
    phase_ = Phase::kOctal;
    digits_[0] = c;
    n_digits_ = 1;
  } else {  // no escape: the backslash stays
    Byte('\\', out);
    Byte(c, out);
  }
}

StringReader::Step StringReader::Digits(char c, Ends ends, bool may_end, std::string& out) {
  const bool octal = phase_ == Phase::kOctal;
  const int base = octal ? 8 : 16;
  const uint8_t wanted = octal ? 3 : kind_ == 'x' ? 2 : kind_ == 'u' ? 4 : 8;
  const bool taken = DigitOf(c) < base;
  if (taken) digits_[n_digits_++] = c;
  if (taken && n_digits_ < wanted) return Step::kMore;
  uint32_t code = 0;
  for (uint8_t i = 0; i < n_digits_; ++i) {
    code = code * static_cast<uint32_t>(base) + static_cast<uint32_t>(DigitOf(digits_[i]));
  }
  phase_ = Phase::kBody;
  if (octal || (n_digits_ == wanted && code <= 0x10FFFF)) {
    Code(code, out);
  } else {  // too few digits, or no character: as it stands
    Byte('\\', out);
    Byte(kind_, out);
    for (uint8_t i = 0; i < n_digits_; ++i) Byte(digits_[i], out);
  }
  return taken ? Step::kMore : Body(c, ends, may_end, out);
}

void StringReader::Byte(char c, std::string& out) {
  Flush(out);
  static constexpr char kHex[] = "0123456789abcdef";
  if (c == '"' || c == '\\') {
    out += '\\';
    out += c;
  } else if (static_cast<unsigned char>(c) < 0x20) {
    static constexpr std::string_view kCodes = "\b\f\n\r\t", kLetters = "bfnrt";
    out += '\\';
    if (const size_t i = kCodes.find(c); i != std::string_view::npos) {
      out += kLetters[i];
    } else {
      out += "u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  } else {
    out += c;
  }
}

void StringReader::Code(uint32_t code, std::string& out) {
  if (code >= 0xDC00 && code < 0xE000) {
    const uint32_t high = high_;
    high_ = 0;
    AppendUtf8(out, high ? 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) : kReplacement);
    return;
  }
  Flush(out);
  if (code >= 0xD800 && code < 0xDC00) {
    high_ = code;
  } else if (code < 128) {
    Byte(static_cast<char>(code), out);
  } else {
    AppendUtf8(out, code);
  }
}

void StringReader::Flush(std::string& out) {
  if (high_) AppendUtf8(out, kReplacement);
  high_ = 0;
}

}  // namespace lfm::text
