// The values of a call's arguments.
#include "base/json.h"
#include "text/tool_call_reader.h"

namespace lfm::text {
namespace {

constexpr bool IsWordByte(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  return letter || IsCallDigit(c) || c == '_';
}

// "" where the word is no literal.
std::string_view LiteralToJson(std::string_view word) {
  if (word == "True" || word == "true") return "true";
  if (word == "False" || word == "false") return "false";
  if (word == "None" || word == "null") return "null";
  return "";
}

}  // namespace

bool ToolCallReader::ValueStep(char c, bool may_end) {
  switch (now_.at) {
    case At::kValue:
      if (IsCallBlank(c)) return true;
      return CanClose(c) ? Close() : BeginValue(c);
    case At::kString: {
      const StringReader::Step step = now_.string.Feed(c, ends_, may_end, tape_);
      if (step == StringReader::Step::kMore) return true;
      if (step == StringReader::Step::kFailed) return false;
      now_.open_string = true;
      now_.item = Item::kString;
      now_.at = At::kAfterValue;
      return step == StringReader::Step::kEnded || AfterValue(c);
    }
    case At::kPrefix:
      if (c == '\'' || c == '"') return BeginString(word_, c);
      word_ += c;
      return word_.size() == 1;
    case At::kWord: return Word(c);
    case At::kSign:
      if (IsCallBlank(c)) return true;
      word_ += c;
      return (IsCallDigit(c) || c == '.') && GoTo(At::kNumber);
    case At::kNumber: return Number(c);
    default: return AfterValue(c);
  }
}

bool ToolCallReader::BeginValue(char c) {
  Frame& top = now_.stack.back();
  const bool in_braces = top.kind == Kind::kBraces;
  if (top.kind == Kind::kList || top.kind == Kind::kParens || (in_braces && top.at_key)) {
    const bool merged = IsMerged(now_.stack.size() - 1);
    if (merged ? tape_.size() > now_.begin + 1 : !top.empty) tape_ += ", ";
    top.empty = top.open_end = false;
  }
  word_.clear();
  if (c == '\'' || c == '"') return BeginString("", c);
  if (c == '[') return Open(Kind::kList);
  if (c == '(') return Open(Kind::kParens);
  if (c == '{') return Open(Kind::kBraces);
  word_ = c;
  if (c == '-' || c == '+') return GoTo(At::kSign);
  if (IsCallDigit(c) || c == '.') return GoTo(At::kNumber);
  return IsWordByte(c) && GoTo(At::kWord);
}

// A string, or one that is joined to the string before it.
bool ToolCallReader::BeginString(std::string_view prefix, char quote) {
  if (!now_.string.Begin(prefix, quote, now_.json)) return false;
  if (!now_.open_string) tape_ += '"';
  now_.open_string = true;
  has_quotes_ = true;
  word_.clear();
  return GoTo(At::kString);
}

bool ToolCallReader::Word(char c) {
  if (c == '\'' || c == '"') return BeginString(word_, c);
  if (IsWordByte(c)) {
    word_ += c;
    return true;
  }
  const std::string_view literal = LiteralToJson(word_);
  if (literal.empty() && (now_.json || !IsCallName(word_, ""))) return false;
  const bool ended =
      literal.empty() ? EndScalar(JsonQuote(word_), Item::kString) : EndScalar(std::string(literal), Item::kScalar);
  return ended && AfterValue(c);
}

bool ToolCallReader::Number(char c) {
  const bool exponent = (word_.back() | 0x20) == 'e' && word_.find_first_of("xX") == std::string::npos;
  if (IsWordByte(c) || c == '.' || ((c == '+' || c == '-') && exponent)) {
    word_ += c;
    return true;
  }
  auto number = NumberToJson(word_);
  return number && EndScalar(std::move(*number), Item::kScalar) && AfterValue(c);
}

bool ToolCallReader::EndScalar(std::string text, Item item) {
  now_.item = item;
  const Frame& top = now_.stack.back();
  now_.key_scalar = item == Item::kScalar && top.kind == Kind::kBraces && top.at_key;
  if (now_.key_scalar) {
    word_ = std::move(text);
  } else {
    tape_ += text;
  }
  return GoTo(At::kAfterValue);
}

void ToolCallReader::WriteKeptScalar(bool as_key) {
  if (!now_.key_scalar) return;
  tape_ += as_key ? JsonQuote(word_) : word_;
  now_.key_scalar = false;
}

bool ToolCallReader::AfterValue(char c) {
  if (IsCallBlank(c)) return true;
  if (now_.open_string) {
    if (ends_ == StringReader::Ends::kFirst) {
      if (c == '\'' || c == '"') return BeginString("", c);
      if (IsWordByte(c) && !IsCallDigit(c)) {
        word_ = c;
        return GoTo(At::kPrefix);
      }
    }
    now_.string.Flush(tape_);
    tape_ += '"';
    now_.open_string = false;
  }
  const Kind kind = now_.stack.back().kind;
  if (kind == Kind::kArgument || kind == Kind::kStar) return AfterArgument(c);
  return kind == Kind::kBraces ? AfterBraces(c) : AfterItem(c);
}

bool ToolCallReader::AfterArgument(char c) {
  now_.stack.pop_back();
  if (c == ',') return GoTo(At::kArg);
  tape_ += '}';
  return c == ')' && EndCall();
}

bool ToolCallReader::AfterItem(char c) {
  Frame& top = now_.stack.back();
  if (c == ',') {
    top.open_end = top.many = true;
    return GoTo(At::kValue);
  }
  top.open_end = true;
  return CanClose(c) && Close();
}

bool ToolCallReader::AfterBraces(char c) {
  Frame& top = now_.stack.back();
  if (c == ':') {
    if (!top.at_key || top.is_set || now_.item == Item::kOther) return false;
    WriteKeptScalar(true);
    tape_ += ": ";
    top.is_dict = true;
    top.at_key = false;
    return GoTo(At::kValue);
  }
  if (top.at_key) {  // an item of a set
    if (top.is_dict) return false;
    top.is_set = true;
    tape_[top.begin] = '[';
    WriteKeptScalar(false);
  }
  top.at_key = top.open_end = true;
  if (c == ',') return GoTo(At::kValue);
  return CanClose(c) && Close();
}

bool ToolCallReader::CanClose(char c) const {
  const Frame& top = now_.stack.back();
  if (!top.open_end) return false;
  return (c == ']' && top.kind == Kind::kList) || (c == ')' && top.kind == Kind::kParens) ||
         (c == '}' && top.kind == Kind::kBraces && top.at_key);
}

bool ToolCallReader::Open(Kind kind) {
  if (now_.stack.size() >= kMaxDepth) return false;
  Frame frame;
  frame.kind = kind;
  frame.begin = tape_.size();
  now_.stack.push_back(frame);
  if (IsMerged(now_.stack.size() - 1)) {
    now_.stack.back().is_dict = true;
  } else {
    tape_ += kind == Kind::kBraces ? '{' : '[';
  }
  return GoTo(At::kValue);
}

bool ToolCallReader::Close() {
  const Frame frame = now_.stack.back();
  const bool merged = IsMerged(now_.stack.size() - 1);
  now_.stack.pop_back();
  if (frame.kind == Kind::kParens && !frame.many && !frame.empty) {
    tape_[frame.begin] = ' ';  // a value in parentheses
  } else if (!merged) {
    tape_ += frame.kind == Kind::kBraces && !frame.is_set ? '}' : ']';
  }
  now_.item = Item::kOther;
  const Kind around = now_.stack.back().kind;
  if (around == Kind::kElement) return !frame.is_set && EndElement();
  if (around == Kind::kPositional) {
    now_.after_comma = false;
    return !frame.is_set && GoTo(At::kPositionalEnd);
  }
  return GoTo(At::kAfterValue);
}

}  // namespace lfm::text
