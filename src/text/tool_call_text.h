// Strings, numbers and words of a Pythonic tool call, as JSON text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lfm::text {

// White space between the parts of a call, and around it.
constexpr bool IsCallBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
constexpr bool IsCallDigit(char c) { return c >= '0' && c <= '9'; }
std::string_view TrimCallBlanks(std::string_view text);

// Whether a quote inside a string may be its end when the next character that is no blank is this one.
constexpr bool MayFollowString(char c) { return c == ',' || c == ')' || c == ']' || c == '}' || c == ':'; }

// A Python number (sign, underscores, leading zeros, 0x, 0o, 0b) as JSON text: integers with all their digits, floats
// as Python prints them. nullopt: no number, or one that JSON cannot hold. At most 4300 digits, as Python's own limit.
std::optional<std::string> NumberToJson(std::string_view text);

// A letter, then letters, digits and '_' (and `more`); letters are those of Unicode.
bool IsCallName(std::string_view text, std::string_view more);

// A Python string literal, byte by byte, to the inside of a JSON string.
class StringReader {
 public:
  enum class Ends : uint8_t {
    kFirst,   // at the first quote, as in Python; three quotes open a long string
    kGuided,  // at a quote before one of , ) ] } : (blanks between them), as the grammar of calls has it
    kAsked,   // at a quote where the caller says so
  };
  enum class Step : uint8_t { kMore, kEnded, kEndedBefore /* the byte is no part of it */, kFailed };

  // `prefix`: the letters before the quote. False: there is no such string. `json`: a \/ is a slash.
  bool Begin(std::string_view prefix, char quote, bool json);
  Step Feed(char c, Ends ends, bool may_end, std::string& out);
  // Whether `c` is a quote that could end it.
  bool CouldEnd(char c) const;
  // Ends the text: a surrogate that found no other is U+FFFD. Before that another literal may be joined (Begin).
  void Flush(std::string& out);

 private:
  enum class Phase : uint8_t { kOpened, kTwoQuotes, kBody, kBackslash, kHex, kOctal, kMaybeEnd };

  Step Body(char c, Ends ends, bool may_end, std::string& out);
  Step Long(char c, std::string& out);
  void Backslash(char c, std::string& out);
  Step Digits(char c, Ends ends, bool may_end, std::string& out);
  void Byte(char c, std::string& out);
  void Code(uint32_t code, std::string& out);

  Phase phase_ = Phase::kBody;
  char quote_ = 0, kind_ = 0;  // kind_: x, u or U of a hexadecimal escape
  bool long_ = false, raw_ = false, no_braces_ = false, json_ = false;
  uint8_t n_quotes_ = 0, n_digits_ = 0;
  char digits_[8] = {};
  uint32_t high_ = 0;   // the first half of a surrogate pair
  std::string blanks_;  // behind a quote that may be the end
};

}  // namespace lfm::text
