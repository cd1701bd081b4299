// Unescaping as Python's "unicode-escape" codec does it.
#include "jinja/string.h"

#include <cstdint>
#include <cstdio>

#include "jinja/python_text.h"

namespace lfm::jinja {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The simple escapes, or 0.
char SimpleEscape(char c) {
  switch (c) {
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case '\\':
    case '\'':
    case '"': return c;
    default: return 0;
  }
}

class Unescaper {
 public:
  Unescaper(std::string_view raw, std::string* problem) : raw_(raw), problem_(problem) {}

  std::string Run() {
    while (at_ < raw_.size()) {
      if (raw_[at_] != '\\') {
        out_ += raw_[at_++];
      } else if (++at_ >= raw_.size()) {
        *problem_ = "\\ at end of string";
      } else {
        Escape();
      }
    }
    return std::move(out_);
  }

 private:
  void Escape() {
    const char c = raw_[at_];
    if (const char simple = SimpleEscape(c)) {
      out_ += simple, ++at_;
    } else if (c == '\n') {
      ++at_;
    } else if (c >= '0' && c <= '7') {
      uint32_t value = 0;
      for (int n = 0; n < 3 && at_ < raw_.size() && raw_[at_] >= '0' && raw_[at_] <= '7'; ++n) {
        value = value * 8 + static_cast<uint32_t>(raw_[at_++] - '0');
      }
      AppendCodePoint(out_, value);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      Hex(c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N') {
      *problem_ = "named characters (\\N{...}) are not supported";
      ++at_;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      // Jinja turns non-ASCII characters into escapes first, so that a backslash before one leaves that
      // escape's text.
      char escape[12];
      const uint32_t point = NextCodePoint(raw_, at_);
      std::snprintf(escape, sizeof escape, point < 0x100 ? "\\x%02x" : point < 0x10000 ? "\\u%04x" : "\\U%08x", point);
      out_ += escape;
    } else {
      out_ += '\\';
      out_ += c;
      ++at_;
    }
  }

  void Hex(int n_digits) {
    uint32_t value = 0;
    for (int n = 0; n < n_digits; ++n) {
      const int digit = at_ < raw_.size() ? HexDigit(raw_[at_]) : -1;
      if (digit < 0) {
        *problem_ = n_digits == 2   ? "truncated \\xXX escape"
                    : n_digits == 4 ? "truncated \\uXXXX escape"
                                    : "truncated \\UXXXXXXXX escape";
        return;
      }
      value = value * 16 + static_cast<uint32_t>(digit);
      ++at_;
    }
    if (value > 0x10FFFF) *problem_ = "illegal Unicode character";
    AppendCodePoint(out_, value);
  }

  std::string_view raw_;
  std::string* problem_;
  std::string out_;
  size_t at_ = 0;
};

}  // namespace

std::string UnescapeString(std::string_view raw, std::string* problem) { return Unescaper(raw, problem).Run(); }

}  // namespace lfm::jinja
