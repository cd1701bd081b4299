#include "grammar/cfg_text.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/stack.h"
#include "base/strings.h"
#include "grammar/code_points.h"
#include "grammar/lark_parts.h"
#include "grammar/lark_terminals.h"
#include "grammar/regex_parse.h"

namespace lfm::grammar {
namespace {

constexpr uint32_t kMaxNesting = 250;
constexpr size_t kMaxText = size_t{4} << 20;

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsName(char c) { return IsNameStart(c) || (c >= '0' && c <= '9') || c == '-'; }

class CfgParser {
 public:
  CfgParser(RegexPool& pool, std::string_view text, const SpecialTokens& special)
      : pool_(pool), text_(text), special_(special), gbnf_(text.find("::=") != std::string_view::npos) {}

  Result<CfgText> Parse() {
    for (Skip(); at_ < text_.size(); Skip()) {
      if (text_[at_] == '%') {
        LFM_RETURN_IF_ERROR(Directive());
        continue;
      }
      while (!gbnf_ && at_ < text_.size() && (text_[at_] == '?' || text_[at_] == '!')) ++at_;
      const std::string name = Name();
      if (name.empty()) return Broken("a rule's name is expected");
      SkipPriority();
      Skip();
      if (!gbnf_ && Peek() == '[') {
        ++at_, Skip();
        return NotSupported(StrCat("the attribute ", Quote(Name()), " of the rule ", Quote(name)));
      }
      if (!Take(gbnf_ ? "::=" : ":")) return Broken(gbnf_ ? "'::=' is expected" : "':' is expected");
      const uint32_t rule = RuleOf(name);
      if (defined_[rule]) return Broken(StrCat("the rule ", Quote(name), " is defined twice"));
      defined_[rule] = true;
      in_terminal_ = !gbnf_ && name[0] >= 'A' && name[0] <= 'Z';
      LFM_TRY(const uint32_t body, Alternatives(0));
      out_.bodies[rule] = body;
    }
    for (size_t rule = 0; rule < defined_.size(); ++rule) {
      if (!defined_[rule]) return Error{ErrorCode::kInvalidArgument, StrCat("the grammar has no rule ", Quote(out_.rules[rule]))};
    }
    const auto start = index_.find(gbnf_ ? "root" : "start");
    if (start == index_.end())
      return Error{ErrorCode::kInvalidArgument, StrCat("the grammar has no rule \"", gbnf_ ? "root" : "start", "\"")};
    out_.start = start->second;
    if (!ignored_.empty()) Ignore();
    return std::move(out_);
  }

 private:
  Error Broken(std::string_view what) const { return Place(ErrorCode::kInvalidArgument, what); }
  Error NotSupported(std::string_view what) const { return Place(ErrorCode::kUnsupported, StrCat(what, " is not supported")); }
  Error Place(ErrorCode code, std::string_view what) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(std::min(at_, text_.size())), '\n');
    return {code, StrCat("the grammar, line ", static_cast<int64_t>(line), ": ", what)};
  }
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool Take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  void Skip() {
    while (at_ < text_.size()) {
      if (std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
        ++at_;
      } else if (text_[at_] == '#' || (!gbnf_ && text_.substr(at_, 2) == "//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        break;
      }
    }
  }
  std::string Name() {
    const size_t start = at_;
    if (IsNameStart(Peek()) || (gbnf_ && IsName(Peek()))) {
      while (IsName(Peek()) && (gbnf_ || Peek() != '-' || (IsName(Peek(1)) && Peek(1) != '-'))) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  // ".5" or ".-5" behind a terminal's name: which reading a lexer prefers. All readings count here.
  void SkipPriority() {
    if (gbnf_ || Peek() != '.') return;
    size_t end = at_ + (Peek(1) == '-' ? 2 : 1);
    const size_t digits = end;
    while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') ++end;
    if (end > digits) at_ = end;
  }
  uint32_t RuleOf(const std::string& name) {
    const auto [it, added] = index_.emplace(name, static_cast<uint32_t>(out_.rules.size()));
    if (added) out_.rules.push_back(name), out_.bodies.push_back(0), defined_.push_back(false);
    return it->second;
  }
  uint32_t Add(CfgNode node) {
    out_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(out_.nodes.size() - 1);
  }
  uint32_t AddRegular(Re re) {
    const uint32_t node = Add({.kind = CfgNode::Kind::kRegular, .re = re});
    if (!in_terminal_) outside_.push_back(node);
    return node;
  }

  // Whether a directive comes that stands inside of rules.
  bool AtPart() const {
    const std::string_view rest = text_.substr(std::min(at_, text_.size()), 6);
    return rest.starts_with("%json") || rest == "%regex" || rest.starts_with("%lark");
  }

  // Whether what comes is the next rule's head, or a directive: the end of this rule.
  bool AtHead() {
    const size_t back = at_;
    if (Peek() == '%') return !AtPart();
    while (!gbnf_ && (Peek() == '?' || Peek() == '!')) ++at_;
    bool head = false;
    if (!Name().empty()) {
      SkipPriority();
      while (Peek() == ' ' || Peek() == '\t') ++at_;
      head = gbnf_ ? text_.substr(at_, 3) == "::=" : Peek() == ':';
      if (!gbnf_ && Peek() == '[') {  // attributes, if a colon follows them
        const std::string_view line = text_.substr(at_, std::min<size_t>(text_.find('\n', at_) - at_, 500));
        for (size_t end = line.find(']'); !head && end < line.size(); end = line.find(']', end + 1)) {
          const size_t next = line.find_first_not_of(" \t", end + 1);
          head = next < line.size() && line[next] == ':';
        }
      }
    }
    at_ = back;
    return head;
  }

  // "common.NAME", with "-> ALIAS" behind it or not, or "common (NAME, ...)": terminals of Lark's own library.
  Status Import() {
    Skip();
    if (Name() != "common") return NotSupported("importing from anything but 'common'");
    Skip();
    const bool list = Take("(");
    if (!list && !Take(".")) return Broken("'.' or '(' is expected after 'common'");
    do {
      Skip();
      const std::string name = Name();
      const auto known =
          std::find_if(std::begin(kLarkTerminals), std::end(kLarkTerminals), [&](const auto& one) { return one.first == name; });
      if (known == std::end(kLarkTerminals)) return NotSupported(StrCat("the terminal ", Quote(name), " of 'common'"));
      LFM_TRY(const Re re, ParseRegex(pool_, known->second, {.anchored = true}));
      Skip();
      std::string alias = name;
      if (!list && Take("->")) {
        Skip();
        alias = Name();
        if (alias.empty()) return Broken("a name is expected after '->'");
      }
      const uint32_t rule = RuleOf(alias);
      if (defined_[rule]) return Broken(StrCat("the rule ", Quote(alias), " is defined twice"));
      defined_[rule] = true;
      in_terminal_ = true;
      out_.bodies[rule] = AddRegular(re);
      Skip();
    } while (list && Take(","));
    if (list && !Take(")")) return Broken("')' is expected");
    return Ok();
  }

  Status Directive() {
    if (Take("%ignore")) {
      Skip();
      in_terminal_ = true;
      LFM_TRY(const uint32_t body, Alternatives(0));
      ignored_.push_back(body);
      return Ok();
    }
    if (Take("%import")) return Import();
    if (Take("%llguidance")) {
      LFM_TRY(const Json settings, JsonHere());
      const auto status = CheckLarkSettings(settings);
      return status.ok() ? status : Place(status.error().code, status.error().message);
    }
    ++at_;
    return NotSupported(StrCat("the directive ", Quote("%" + Name())));
  }

  Result<Json> JsonHere() {
    Skip();
    auto json = ReadJsonAt(text_, at_);
    if (!json.ok()) return Place(json.error().code, json.error().message);
    return json;
  }

  // A directive inside of a rule.
  Result<uint32_t> Part() {
    if (!gbnf_ && Take("%regex")) {
      LFM_TRY(const Json object, JsonHere());
      return Word(SubstringLanguage(pool_, object));
    }
    ++at_;
    return NotSupported(StrCat(Quote("%" + Name()), " inside of a rule"));
  }
  Result<uint32_t> Word(const Result<Re>& re) {
    if (!re.ok()) return Place(re.error().code, re.error().message);
    return AddRegular(*re);
  }

  Result<uint32_t> Alternatives(uint32_t depth) {
    if (depth > kMaxNesting) return Error{ErrorCode::kLimit, StrCat("the grammar nests more than ", kMaxNesting, " groups")};
    if (IsStackSpent()) return Error{ErrorCode::kLimit, "the grammar nests deeper than the stack of this thread allows"};
    return List(CfgNode::Kind::kAlternatives, "|", [&] { return Conjunction(depth); });
  }
  Result<uint32_t> Conjunction(uint32_t depth) {
    LFM_TRY(const uint32_t node, List(CfgNode::Kind::kAnd, gbnf_ ? "" : "&", [&] { return Sequence(depth); }));
    const CfgNode::Kind kind = out_.nodes[node].kind;
    if (kind == CfgNode::Kind::kAnd && !in_terminal_) return Broken("'&' stands in terminals only");
    return node;
  }
  // One or more of what `part` reads, `sign` between them.
  template <typename Part>
  Result<uint32_t> List(CfgNode::Kind kind, std::string_view sign, const Part& part) {
    CfgNode all{.kind = kind};
    do {
      LFM_TRY(const uint32_t node, part());
      all.parts.push_back(node);
    } while (!sign.empty() && Take(sign));
    return all.parts.size() == 1 ? all.parts[0] : Add(std::move(all));
  }
  Result<uint32_t> Sequence(uint32_t depth) {
    CfgNode sequence;
    const std::string_view ends = gbnf_ ? "|)" : "|)]&";
    for (Skip(); at_ < text_.size() && ends.find(Peek()) == std::string_view::npos && !AtHead(); Skip()) {
      if (!gbnf_ && Take("->")) {
        Skip(), Name();
        continue;
      }
      LFM_TRY(const uint32_t item, Item(depth));
      sequence.parts.push_back(item);
    }
    return sequence.parts.size() == 1 ? sequence.parts[0] : Add(std::move(sequence));
  }

  Result<uint32_t> Item(uint32_t depth) {
    bool negated = false;
    if (!gbnf_) {
      for (; Peek() == '~'; ++at_, Skip()) negated = !negated;
    }
    if (negated && !in_terminal_) return Broken("'~' stands before parts of terminals only");
    LFM_TRY(uint32_t node, Primary(depth));
    if (negated) node = Add({.kind = CfgNode::Kind::kNot, .parts = {node}});
    for (;;) {
      uint32_t min = 1, max = 1;
      if (gbnf_) Blanks();
      if (Take("*")) {
        min = 0, max = kUnbounded;
      } else if (Take("+")) {
        max = kUnbounded;
      } else if (Peek() == '?') {
        ++at_, min = 0;
      } else if (Peek() == '{') {
        ++at_;
        LFM_RETURN_IF_ERROR(Counts(",", min, max));
        if (!Take("}")) return Broken("'}' is expected");
      } else if (!gbnf_ && Take("~")) {
        LFM_RETURN_IF_ERROR(Counts("..", min, max));
      } else {
        return node;
      }
      if (min > max) return Broken("a repetition has its numbers out of order");
      node = Add({.kind = CfgNode::Kind::kRepeat, .min = min, .max = max, .parts = {node}});
    }
  }
  void Blanks() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }

  Status Counts(std::string_view between, uint32_t& min, uint32_t& max) {
    const auto number = [&](uint32_t& out) {
      Blanks();
      const auto parsed = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out);
      if (parsed.ec != std::errc()) return false;
      at_ = static_cast<size_t>(parsed.ptr - text_.data());
      Blanks();
      return out <= 1'000'000'000;
    };
    const bool has_min = number(min);
    if (!has_min) min = 0;
    max = min;
    if (Take(between)) {
      if (!number(max)) max = kUnbounded;
    } else if (!has_min) {
      return Broken("a number is expected");
    }
    return Ok();
  }

  Result<uint32_t> Primary(uint32_t depth) {
    const char c = Peek();
    if (c == '"') return String();
    if (c == '(' || (c == '[' && !gbnf_)) {
      ++at_;
      LFM_TRY(const uint32_t inner, Alternatives(depth + 1));
      if (!Take(c == '(' ? ")" : "]")) return Broken(c == '(' ? "')' is expected" : "']' is expected");
      return c == '(' ? inner : Add({.kind = CfgNode::Kind::kRepeat, .min = 0, .max = 1, .parts = {inner}});
    }
    if (c == '[') return Class();
    if (c == '.' && gbnf_) {
      ++at_;
      return AddRegular(pool_.AnyChar());
    }
    if (c == '/' && !gbnf_) return Regex();
    if (c == '<') return Special();
    if (c == '%') return Part();
    if (c == '@') return NotSupported("'@', another grammar inside of this one,");
    if (c == '!' && gbnf_) return NotSupported("'!', any token but one,");
    const std::string name = Name();
    if (name.empty()) return Broken(StrCat("unexpected ", Quote(text_.substr(at_, 10))));
    if (!gbnf_ && Peek() == '{') return NotSupported("templates of rules");
    const uint32_t node = Add({.kind = CfgNode::Kind::kRule, .rule = RuleOf(name)});
    // A terminal is one word for what is ignored between words.
    if (!in_terminal_ && name[0] >= 'A' && name[0] <= 'Z') outside_.push_back(node);
    return node;
  }

  // The character after a backslash, in GBNF's and Lark's literals.
  Result<uint32_t> Escape() {
    if (at_ >= text_.size()) return Broken("an escape has no end");
    const char c = Peek();
    ++at_;
    switch (c) {
      case 'n': return uint32_t{'\n'};
      case 'r': return uint32_t{'\r'};
      case 't': return uint32_t{'\t'};
      case 'f': return uint32_t{'\f'};
      case 'b': return uint32_t{'\b'};
      case 'x':
      case 'u':
      case 'U': {
        const size_t n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        uint32_t code = 0;
        const auto parsed = std::from_chars(text_.data() + at_, text_.data() + std::min(at_ + n, text_.size()), code, 16);
        if (parsed.ec != std::errc() || parsed.ptr != text_.data() + at_ + n || code > 0x10FFFF) return Broken("a broken escape");
        at_ += n;
        return code;
      }
      default: return static_cast<uint32_t>(static_cast<uint8_t>(c));
    }
  }

  Result<std::vector<uint32_t>> Codes() {
    std::vector<uint32_t> codes;
    for (++at_;;) {
      if (at_ >= text_.size() || Peek() == '\n') return Broken("a string has no end");
      if (Take("\"")) return codes;
      if (Take("\\")) {
        LFM_TRY(const uint32_t code, Escape());
        codes.push_back(code);
        continue;
      }
      const int32_t code = ReadCode(text_, at_);
      if (code < 0) return Broken("bytes that are no UTF-8");
      codes.push_back(static_cast<uint32_t>(code));
    }
  }

  // "text", "text"i, or Lark's range of characters "a".."z".
  Result<uint32_t> String() {
    LFM_TRY(const std::vector<uint32_t> codes, Codes());
    if (!gbnf_ && Take("..")) {
      if (Peek() != '"') return Broken("a string is expected after '..'");
      LFM_TRY(const std::vector<uint32_t> last, Codes());
      if (codes.size() != 1 || last.size() != 1 || codes[0] > last[0]) return Broken("a range is of two characters in order");
      return AddRegular(pool_.CodePoints({{codes[0], last[0]}}));
    }
    const bool fold = !gbnf_ && Peek() == 'i' && !IsName(Peek(1));
    if (fold) ++at_;
    Re re = RegexPool::kEmpty;
    for (size_t i = codes.size(); i-- > 0;) {
      const CodeSet one{{codes[i], codes[i]}};
      re = pool_.Concat(pool_.CodePoints(fold ? FoldAscii(one) : one), re);
    }
    return AddRegular(re);
  }

  Result<uint32_t> Class() {
    ++at_;
    const bool negated = Take("^");
    CodeSet set;
    const auto one = [&]() -> Result<uint32_t> {
      if (Take("\\")) return Escape();
      const int32_t code = ReadCode(text_, at_);
      if (code < 0) return Broken("bytes that are no UTF-8");
      return static_cast<uint32_t>(code);
    };
    while (!Take("]")) {
      if (at_ >= text_.size()) return Broken("'[' has no end");
      LFM_TRY(const uint32_t first, one());
      uint32_t last = first;
      if (Peek() == '-' && Peek(1) != ']') {
        ++at_;
        LFM_TRY(last, one());
      }
      if (first > last) return Broken("a range is out of order");
      set.emplace_back(first, last);
    }
    set = Normalize(std::move(set));
    return AddRegular(pool_.CodePoints(negated ? Complement(set) : set));
  }

  Result<uint32_t> Regex() {
    const size_t start = ++at_;
    bool in_class = false;
    for (; at_ < text_.size() && (in_class || text_[at_] != '/'); ++at_) {
      if (text_[at_] == '\n') return Broken("a pattern has no end");
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '[') {
        in_class = true;
      } else if (text_[at_] == ']') {
        in_class = false;
      }
    }
    if (at_ >= text_.size()) return Broken("a pattern has no end");
    const std::string_view pattern = text_.substr(start, at_++ - start);
    RegexSyntax syntax{.anchored = true};
    while (IsName(Peek())) {
      const char flag = text_[at_++];
      if (flag == 'i') {
        syntax.ignore_case = true;
      } else if (flag == 's') {
        syntax.dot_all = true;
      } else if (flag != 'u') {
        return NotSupported(StrCat("the pattern's flag '", flag, "'"));
      }
    }
    return Word(ParseRegex(pool_, pattern, syntax));
  }

  Result<uint32_t> Special() {
    const size_t end = text_.find('>', at_);
    if (end == std::string_view::npos) return Broken("'<' has no end");
    const std::string_view name = text_.substr(at_, end + 1 - at_);
    const auto tokens = SpecialTokenLanguage(pool_, name, special_);
    if (tokens.ok()) at_ = end + 1;
    return Word(tokens);
  }

  // What is ignored may stand before each word, and at the end.
  void Ignore() {
    const uint32_t any = Add({.kind = CfgNode::Kind::kAlternatives, .parts = ignored_});
    const uint32_t star = Add({.kind = CfgNode::Kind::kRepeat, .min = 0, .max = kUnbounded, .parts = {any}});
    for (const uint32_t node : outside_) {
      const uint32_t word = Add(CfgNode(out_.nodes[node]));
      out_.nodes[node] = {.kind = CfgNode::Kind::kSequence, .parts = {star, word}};
    }
    out_.bodies[out_.start] = Add({.kind = CfgNode::Kind::kSequence, .parts = {out_.bodies[out_.start], star}});
  }

  RegexPool& pool_;
  std::string_view text_;
  const SpecialTokens& special_;
  const bool gbnf_;
  size_t at_ = 0;
  CfgText out_;
  std::unordered_map<std::string, uint32_t> index_;
  std::vector<bool> defined_;
  std::vector<uint32_t> ignored_, outside_;  // outside_: words in rules, not inside of terminals
  bool in_terminal_ = false;
};

}  // namespace

Result<CfgText> ParseCfg(RegexPool& pool, std::string_view text,
                         const std::vector<std::pair<std::string, int32_t>>& special_tokens) {
  if (text.size() > kMaxText) return Error{ErrorCode::kLimit, "the grammar is longer than 4 MiB"};
  return CfgParser(pool, text, special_tokens).Parse();
}

}  // namespace lfm::grammar
