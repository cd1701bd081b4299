// The lexer: states "outside", "inside a tag" and "raw", as in Jinja's own regular expressions.
#include "jinja/lexer.h"

#include <algorithm>

#include "base/strings.h"
#include "jinja/string.h"
#include "jinja/python_text.h"
#include "jinja/python_value.h"

namespace lfm::jinja {
namespace {

std::string NormalizeLines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      text += '\n';
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool IsDigitChar(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  Lexer(std::string_view source, size_t max_tokens) : text_(NormalizeLines(source)), max_tokens_(max_tokens) {}

  std::vector<Token> Run() {
    while (at_ < text_.size()) Outside();
    Add(TokenType::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void FailHere(const std::string& message) const { throw PythonError{ErrorCode::kInvalidArgument, message, line_}; }
  void Add(TokenType type, std::string text) {
    if (tokens_.size() >= max_tokens_) {
      throw PythonError{ErrorCode::kLimit, StrCat("more than the limit of ", max_tokens_, " tokens"), line_};
    }
    tokens_.push_back({type, std::move(text), line_});
  }
  bool StartsWith(size_t at, std::string_view what) const { return std::string_view(text_).substr(at, what.size()) == what; }

  // Moves to `to`, counting lines, and notes whether what was passed ends a line.
  void MoveTo(size_t to) {
    line_ += static_cast<int>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    if (to > at_) line_starting_ = text_[to - 1] == '\n';
    at_ = to;
  }
  size_t SkipSpace(size_t at) const {
    while (at < text_.size()) {
      size_t next = at;
      if (!IsSpace(NextCodePoint(text_, next))) break;
      at = next;
    }
    return at;
  }

  // The end of "{% raw %}" that starts at `at`, or 0. `sign` is the mark behind the brace.
  size_t RawTagEnd(size_t at, std::string_view word, bool* trim_after) const {
    if (!StartsWith(at, "{%")) return 0;
    at += 2;
    if (at < text_.size() && (text_[at] == '-' || text_[at] == '+')) ++at;
    at = SkipSpace(at);
    if (!StartsWith(at, word)) return 0;
    at = SkipSpace(at + word.size());
    if (StartsWith(at, "-%}")) return SkipSpace(at + 3);
    if (trim_after != nullptr && StartsWith(at, "+%}")) return at + 3;
    if (!StartsWith(at, "%}")) return 0;
    at += 2;
    if (trim_after != nullptr && at < text_.size() && text_[at] == '\n') ++at;
    return at;
  }

  // The text before a tag, stripped as the tag's sign and lstrip_blocks say.
  std::string_view TrimBefore(std::string_view data, char sign, bool is_variable) const {
    if (sign == '-') return Strip(data, Side::kRight);
    if (sign == '+' || is_variable) return data;
    const size_t newline = data.rfind('\n');
    const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (begin == 0 && !line_starting_) return data;
    return Strip(data.substr(begin)).empty() ? data.substr(0, begin) : data;
  }

  void Outside() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = text_.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= text_.size()) {
        Add(TokenType::kData, text_.substr(at_));
        return MoveTo(text_.size());
      }
      const char c = text_[tag + 1];
      if (c == '%' || c == '{' || c == '#') break;
    }
    const char kind = text_[tag + 1];
    const size_t behind = tag + 2;
    const char sign = behind < text_.size() && (text_[behind] == '-' || text_[behind] == '+') ? text_[behind] : '\0';
    const auto data = TrimBefore(std::string_view(text_).substr(at_, tag - at_), sign, kind == '{');
    if (!data.empty()) Add(TokenType::kData, std::string(data));
    if (const size_t raw = RawTagEnd(tag, "raw", nullptr)) {
      MoveTo(raw);
      return Raw();
    }
    MoveTo(behind + (sign ? 1 : 0));
    if (kind == '#') return Comment();
    Add(kind == '{' ? TokenType::kVariableBegin : TokenType::kBlockBegin, "");
    Inside(kind == '{');
  }

  void Comment() {
    const size_t end = text_.find("#}", at_);
    if (at_ == text_.size()) return;  // a lone opening at the very end passes in Jinja, too
    if (end == std::string::npos) FailHere("missing end of comment tag");
    size_t next = end + 2;
    const char sign = end > at_ ? text_[end - 1] : '\0';
    if (sign == '-') {
      next = SkipSpace(next);
    } else if (sign != '+' && next < text_.size() && text_[next] == '\n') {
      ++next;
    }
    MoveTo(next);
  }

  void Raw() {
    bool trim = true;
    for (size_t tag = text_.find("{%", at_); tag != std::string::npos; tag = text_.find("{%", tag + 1)) {
      const size_t end = RawTagEnd(tag, "endraw", &trim);
      if (!end) continue;
      const char sign = text_[tag + 2] == '-' || text_[tag + 2] == '+' ? text_[tag + 2] : '\0';
      const auto data = TrimBefore(std::string_view(text_).substr(at_, tag - at_), sign, false);
      if (!data.empty()) Add(TokenType::kData, std::string(data));
      return MoveTo(end);
    }
    if (at_ < text_.size()) FailHere("missing end of raw directive");
  }

  // The end of a tag at `at_`, or 0.
  size_t TagEnd(bool is_variable) const {
    const std::string_view close = is_variable ? "}}" : "%}";
    if (StartsWith(at_, "-") && StartsWith(at_ + 1, close)) return SkipSpace(at_ + 3);
    if (!is_variable && StartsWith(at_, "+%}")) return at_ + 3;
    if (!StartsWith(at_, close)) return 0;
    size_t end = at_ + 2;
    if (!is_variable && end < text_.size() && text_[end] == '\n') ++end;  // trim_blocks
    return end;
  }

  void Inside(bool is_variable) {
    std::string open;  // brackets not yet closed
    while (at_ < text_.size()) {
      if (open.empty()) {
        if (const size_t end = TagEnd(is_variable)) {
          Add(is_variable ? TokenType::kVariableEnd : TokenType::kBlockEnd, "");
          return MoveTo(end);
        }
      }
      const size_t space = SkipSpace(at_);
      if (space != at_) {
        MoveTo(space);
      } else if (IsDigitChar(text_[at_])) {
        Number();
      } else if (IsNameStart(text_[at_])) {
        Name();
      } else if (text_[at_] == '\'' || text_[at_] == '"') {
        String();
      } else {
        Operator(open);
      }
    }
  }

  void Name() {
    size_t end = at_;
    while (end < text_.size()) {
      size_t next = end;
      const uint32_t c = NextCodePoint(text_, next);
      if (c < 0x80 ? !(IsNameStart(text_[end]) || IsDigitChar(text_[end])) : !IsAlnum(c)) break;
      end = next;
    }
    if (end == at_) FailHere(StrCat("unexpected character ", Quote(std::string_view(text_).substr(at_, 4))));
    Add(TokenType::kName, text_.substr(at_, end - at_));
    MoveTo(end);
  }

  // Behind digits that single underscores may separate, or `at` when there are none.
  template <typename IsOne>
  size_t Digits(size_t at, IsOne is_one) const {
    if (at >= text_.size() || !is_one(text_[at])) return at;
    for (++at; at < text_.size(); ++at) {
      if (is_one(text_[at])) continue;
      if (text_[at] == '_' && at + 1 < text_.size() && is_one(text_[at + 1])) continue;
      break;
    }
    return at;
  }

  size_t FloatEnd() const {
    if (at_ > 0 && text_[at_ - 1] == '.') return 0;
    const size_t whole = Digits(at_, IsDigitChar);
    size_t end = whole;
    if (StartsWith(end, ".")) {
      const size_t fraction = Digits(end + 1, IsDigitChar);
      if (fraction > end + 1) end = fraction;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      const size_t behind = Digits(exponent, IsDigitChar);
      if (behind > exponent) return behind;
    }
    return end > whole ? end : 0;
  }

  void Number() {
    const auto add = [&](TokenType type, size_t end) {
      std::string digits = text_.substr(at_, end - at_);
      digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
      Add(type, std::move(digits));
      MoveTo(end);
    };
    if (const size_t end = FloatEnd()) return add(TokenType::kFloat, end);
    if (text_[at_] == '0' && at_ + 1 < text_.size()) {
      const char base = static_cast<char>(text_[at_ + 1] | 0x20);
      const auto is_digit = [base](char c) {
        const bool hex = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || IsDigitChar(c);
        return base == 'x' ? hex : base == 'o' ? c >= '0' && c <= '7' : c == '0' || c == '1';
      };
      if (base == 'x' || base == 'o' || base == 'b') {
        size_t begin = at_ + 2;
        if (StartsWith(begin, "_")) ++begin;
        const size_t end = Digits(begin, is_digit);
        if (end > begin) return add(TokenType::kInteger, end);
      }
    }
    const bool zero = text_[at_] == '0';
    add(TokenType::kInteger, Digits(at_, [zero](char c) { return zero ? c == '0' : IsDigitChar(c); }));
  }

  void String() {
    const char quote = text_[at_];
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) FailHere(StrCat("a string that begins with ", std::string(1, quote), " does not end"));
    const std::string_view raw = std::string_view(text_).substr(at_ + 1, end - at_ - 1);
    std::string problem;
    Add(TokenType::kString, UnescapeString(raw, &problem));
    if (!problem.empty()) FailHere(problem);
    MoveTo(end + 1);
  }

  void Operator(std::string& open) {
    static constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                                      "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    for (const std::string_view op : kOperators) {
      if (!StartsWith(at_, op)) continue;
      if (op == "(" || op == "[" || op == "{") open += op == "(" ? ')' : op == "[" ? ']' : '}';
      if (op == ")" || op == "]" || op == "}") {
        if (open.empty()) FailHere(StrCat("unexpected '", op, "'"));
        if (open.back() != op[0]) FailHere(StrCat("unexpected '", op, "', expected '", open.substr(open.size() - 1), "'"));
        open.pop_back();
      }
      Add(TokenType::kOperator, std::string(op));
      return MoveTo(at_ + op.size());
    }
    FailHere(StrCat("unexpected character ", Quote(std::string_view(text_).substr(at_, 1))));
  }

  const std::string text_;
  const size_t max_tokens_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source, size_t max_tokens) { return Lexer(source, max_tokens).Run(); }

std::string Describe(const Token& token) {
  switch (token.type) {
    case TokenType::kData: return "template data / text";
    case TokenType::kVariableBegin: return "begin of print statement";
    case TokenType::kVariableEnd: return "end of print statement";
    case TokenType::kBlockBegin: return "begin of statement block";
    case TokenType::kBlockEnd: return "end of statement block";
    case TokenType::kString: return "string";
    case TokenType::kInteger: return "integer";
    case TokenType::kFloat: return "float";
    case TokenType::kEnd: return "end of template";
    case TokenType::kName:
    case TokenType::kOperator: return Quote(token.text);
  }
  return "";
}

}  // namespace lfm::jinja
