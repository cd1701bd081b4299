#include "grammar/regex_parse.h"

#include <algorithm>
#include <memory>
#include <string>

#include "base/stack.h"
#include "base/strings.h"
#include "grammar/code_points.h"

namespace lfm::grammar {
namespace {

constexpr uint32_t kMaxCount = 1u << 30;
constexpr size_t kMaxPattern = size_t{1} << 20;

// The expression as read. Assertions need what comes after them, so languages are made in a second walk, from the end.
struct Piece {
  enum class Kind { kChars, kSequence, kAlternatives, kRepeat, kLookAhead, kLookBehind, kStart, kEnd, kWordBoundary };
  Kind kind = Kind::kSequence;
  bool negated = false;
  bool has_assertion = false;  // anywhere inside
  CodeSet chars{};
  uint32_t min = 0, max = 0;
  std::vector<Piece> parts{};
};

Error Broken(std::string_view what, size_t at) {
  return {ErrorCode::kInvalidArgument, StrCat("the pattern is broken: ", what, " at byte ", at)};
}
Error NotSupported(std::string_view what, size_t at) {
  return {ErrorCode::kUnsupported, StrCat("the pattern has ", what, " at byte ", at)};
}

Error TooLarge(const RegexPool& pool) {
  return {ErrorCode::kLimit, pool.exhausted() ? "the pattern takes too long to compile" : "the pattern is too large"};
}

class Parser {
 public:
  Parser(std::string_view text, const RegexSyntax& syntax) : text_(text), syntax_(syntax) {}

  Result<Piece> Parse() {
    LFM_TRY(Piece all, Alternatives(0));
    if (at_ < text_.size()) return Broken("')' without '('", at_);
    return all;
  }
  // What look-behinds and word boundaries ask about the character before.
  std::vector<CodeSet> questions;

 private:
  bool More() const { return at_ < text_.size(); }
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool Take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }

  Result<Piece> Alternatives(uint32_t depth) {
    if (depth > syntax_.max_depth) {
      return Error{ErrorCode::kLimit, StrCat("the pattern nests more than ", syntax_.max_depth, " groups at byte ", at_)};
    }
    if (IsStackSpent()) return Error{ErrorCode::kLimit, "the pattern nests deeper than the stack of this thread allows"};
    Piece all{.kind = Piece::Kind::kAlternatives};
    do {
      Piece sequence;
      while (More() && Peek() != '|' && Peek() != ')') {
        LFM_TRY(Piece piece, Term(depth));
        sequence.has_assertion |= piece.has_assertion;
        sequence.parts.push_back(std::move(piece));
      }
      all.has_assertion |= sequence.has_assertion;
      all.parts.push_back(std::move(sequence));
    } while (Take("|"));
    return all.parts.size() == 1 ? std::move(all.parts[0]) : std::move(all);
  }

  static Piece Assertion(Piece::Kind kind, bool negated = false) {
    Piece piece{.kind = kind, .negated = negated};
    piece.has_assertion = true;
    return piece;
  }

  Result<Piece> Term(uint32_t depth) {
    const size_t start = at_;
    if (Take("^")) return Assertion(Piece::Kind::kStart);
    if (Take("$")) return Assertion(Piece::Kind::kEnd);
    if (Take("\\b") || Take("\\B")) {
      questions.push_back(WordCodes());
      return Assertion(Piece::Kind::kWordBoundary, text_[at_ - 1] == 'B');
    }
    Piece piece;
    if (Take("(")) {
      LFM_TRY(piece, Group(depth, start));
    } else {
      LFM_TRY(piece.chars, Atom());
      piece.kind = Piece::Kind::kChars;
      if (syntax_.ignore_case) piece.chars = FoldAscii(piece.chars);
    }
    return Quantified(std::move(piece));
  }

  Result<Piece> Group(uint32_t depth, size_t start) {
    Piece::Kind look = Piece::Kind::kSequence;
    bool negated = false;
    if (Take("?=") || Take("?!")) {
      look = Piece::Kind::kLookAhead, negated = text_[at_ - 1] == '!';
    } else if (Take("?<=") || Take("?<!")) {
      look = Piece::Kind::kLookBehind, negated = text_[at_ - 1] == '!';
    } else if (Take("?:")) {
    } else if (Take("?<") || Take("?P<")) {
      const size_t end = text_.find('>', at_);
      if (end == std::string_view::npos || end == at_) return Broken("a group name without '>'", start);
      at_ = end + 1;
    } else if (Peek() == '?') {
      return NotSupported(StrCat("a group of an unknown kind, ", Quote(text_.substr(start, 4))), start);
    }
    LFM_TRY(Piece inner, Alternatives(depth + 1));
    if (!Take(")")) return Broken("'(' without ')'", start);
    if (look == Piece::Kind::kSequence) return inner;
    Piece piece = Assertion(look, negated);
    if (look == Piece::Kind::kLookBehind) {
      const Piece* one = &inner;
      while (one->kind == Piece::Kind::kSequence && one->parts.size() == 1) one = &one->parts[0];
      if (one->kind != Piece::Kind::kChars) return NotSupported("a look-behind of other than one character", start);
      piece.chars = one->chars;
      questions.push_back(piece.chars);
    } else {
      piece.parts.push_back(std::move(inner));
    }
    return piece;
  }

  Result<Piece> Quantified(Piece piece) {
    const size_t start = at_;
    uint32_t min = 1, max = 1;
    if (Take("*")) {
      min = 0, max = kUnbounded;
    } else if (Take("+")) {
      max = kUnbounded;
    } else if (Take("?")) {
      min = 0;
    } else if (Peek() == '{' && !Braces(min, max)) {
      return piece;  // an ordinary brace; the next term
    }
    if (at_ == start) return piece;
    if (min > max) return Broken("a repetition with its numbers out of order", start);
    Take("?");  // lazy: the same language
    if (Peek() == '*' || Peek() == '+' || Peek() == '?') return Broken("nothing to repeat", at_);
    Piece repeat{.kind = Piece::Kind::kRepeat, .has_assertion = piece.has_assertion, .min = min, .max = max};
    repeat.parts.push_back(std::move(piece));
    return repeat;
  }

  // {3} {3,} {3,5}; false, nothing taken, for other text in braces.
  bool Braces(uint32_t& min, uint32_t& max) {
    size_t i = at_ + 1;
    const auto number = [&](uint32_t& out) {
      uint64_t value = 0;
      const size_t from = i;
      while (i < text_.size() && text_[i] >= '0' && text_[i] <= '9') {
        value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(text_[i++] - '0'), kMaxCount);
      }
      out = static_cast<uint32_t>(value);
      return i > from;
    };
    if (!number(min)) return false;
    max = min;
    if (i < text_.size() && text_[i] == ',') {
      ++i;
      if (!number(max)) max = kUnbounded;
    }
    if (i >= text_.size() || text_[i] != '}') {
      min = max = 1;
      return false;
    }
    at_ = i + 1;
    return true;
  }

  Result<CodeSet> Atom() {
    const size_t start = at_;
    const char c = Peek();
    if (c == '.') {
      ++at_;
      return syntax_.dot_all ? Complement({}) : Complement({{10, 10}, {13, 13}, {0x2028, 0x2029}});
    }
    if (c == '[') return Class();
    if (c == '\\') return Escape(false);
    if (c == '*' || c == '+' || c == '?') return Broken("nothing to repeat", start);
    const int32_t code = ReadCode(text_, at_);
    if (code < 0) return Broken("bytes that are no UTF-8", start);
    return One(static_cast<uint32_t>(code));
  }

  static CodeSet One(uint32_t code) { return {{code, code}}; }

  Result<CodeSet> Class() {
    const size_t start = at_++;
    const bool negated = Take("^");
    CodeSet set;
    for (;;) {
      if (!More()) return Broken("'[' without ']'", start);
      if (Take("]")) break;
      LFM_TRY(const CodeSet first, ClassAtom());
      if (Peek() == '-' && Peek(1) != ']' && at_ + 1 < text_.size()) {
        const size_t dash = at_++;
        LFM_TRY(const CodeSet last, ClassAtom());
        const auto single = [](const CodeSet& s) { return s.size() == 1 && s[0].first == s[0].second; };
        if (single(first) && single(last)) {
          if (first[0].first > last[0].first) return Broken("a range out of order", dash);
          set.emplace_back(first[0].first, last[0].first);
          continue;
        }
        set.emplace_back('-', '-');
        set.insert(set.end(), last.begin(), last.end());
      }
      set.insert(set.end(), first.begin(), first.end());
    }
    set = Normalize(std::move(set));
    if (syntax_.ignore_case) set = FoldAscii(set);
    return negated ? Complement(set) : set;
  }

  Result<CodeSet> ClassAtom() {
    if (Peek() == '\\') return Escape(true);
    const size_t start = at_;
    const int32_t code = ReadCode(text_, at_);
    if (code < 0) return Broken("bytes that are no UTF-8", start);
    return One(static_cast<uint32_t>(code));
  }

  bool Hex(size_t n_digits, uint32_t& out) {
    if (at_ + n_digits > text_.size()) return false;
    out = 0;
    for (size_t i = 0; i < n_digits; ++i) {
      const char c = text_[at_ + i];
      const int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
      if (digit < 0) return false;
      out = out << 4 | static_cast<uint32_t>(digit);
    }
    at_ += n_digits;
    return true;
  }

  Result<CodeSet> Unicode(size_t start) {
    uint32_t code = 0;
    if (Take("{")) {
      const size_t end = text_.find('}', at_);
      if (end == std::string_view::npos || end == at_ || end - at_ > 6 || !Hex(end - at_, code) || code > 0x10FFFF) {
        return Broken("a broken \\u{...}", start);
      }
      ++at_;
      return One(code);
    }
    if (!Hex(4, code)) return Broken("a broken \\u", start);
    if (code >= 0xD800 && code < 0xDC00 && Peek() == '\\' && Peek(1) == 'u') {
      const size_t back = at_;
      uint32_t low = 0;
      at_ += 2;
      if (Hex(4, low) && low >= 0xDC00 && low < 0xE000) return One(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
      at_ = back;
    }
    return One(code);
  }

  Result<CodeSet> Escape(bool in_class) {
    const size_t start = at_++;
    if (!More()) return Broken("a lone backslash", start);
    const char c = text_[at_++];
    switch (c) {
      case 'd': return DigitCodes();
      case 'D': return Complement(DigitCodes());
      case 'w': return WordCodes();
      case 'W': return Complement(WordCodes());
      case 's': return SpaceCodes();
      case 'S': return Complement(SpaceCodes());
      case 'n': return One('\n');
      case 'r': return One('\r');
      case 't': return One('\t');
      case 'v': return One('\v');
      case 'f': return One('\f');
      case 'b': return One('\b');  // in a class only; a boundary was taken before
      case 'u': return Unicode(start);
      case 'x': {
        uint32_t code = 0;
        if (!Hex(2, code)) return Broken("a broken \\x", start);
        return One(code);
      }
      case 'c': {
        const char letter = Peek();
        if (((letter | 32) < 'a') || ((letter | 32) > 'z')) return Broken("a broken \\c", start);
        ++at_;
        return One(static_cast<uint32_t>(letter) & 31);
      }
      case 'p':
      case 'P': {
        const size_t end = text_.find('}', at_);
        if (Peek() != '{' || end == std::string_view::npos) return Broken("a \\p without {...}", start);
        const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        const auto set = PropertyCodes(name);
        if (!set) return NotSupported(StrCat("the unknown property ", Quote(name)), start);
        return c == 'P' ? Complement(*set) : *set;
      }
      default: break;
    }
    if (c == '0' && (Peek() < '0' || Peek() > '9')) return One(0);
    if (c == 'k' && Peek() == '<') return NotSupported("a back-reference, which is no regular language,", start);
    if (c >= '0' && c <= '9') {
      if (in_class) return NotSupported("an octal escape", start);
      return NotSupported("a back-reference, which is no regular language,", start);
    }
    if (((c | 32) >= 'a' && (c | 32) <= 'z')) return NotSupported(StrCat("the unknown escape \\", c), start);
    --at_;
    const int32_t code = ReadCode(text_, at_);
    if (code < 0) return Broken("bytes that are no UTF-8", start);
    return One(static_cast<uint32_t>(code));
  }

  std::string_view text_;
  const RegexSyntax& syntax_;
  size_t at_ = 0;
};

// From pieces to languages. A continuation holds the language of what follows, by what stands before: entry 0 at the
// start of the text, entry 1 + i after a character of the i-th class.
class Compiler {
 public:
  using Continuation = std::vector<Re>;

  Compiler(RegexPool& pool, const std::vector<CodeSet>& questions) : pool_(pool) {
    classes_.push_back(Complement({}));
    for (const CodeSet& question : questions) {
      std::vector<CodeSet> finer;
      for (const CodeSet& old : classes_) {
        for (CodeSet part : {Intersect(old, question), Intersect(old, Complement(question))}) {
          if (!part.empty()) finer.push_back(std::move(part));
        }
      }
      classes_ = std::move(finer);
    }
  }
  bool too_many_classes() const { return classes_.size() > 12; }

  Result<Re> Search(const Piece& piece, bool anchored) {
    Continuation end(classes_.size() + 1, anchored ? Re{RegexPool::kEmpty} : pool_.Text());
    LFM_TRY(const Continuation all, Compile(piece, end));
    if (anchored) return all[0];
    std::vector<Re> parts{all[0]};
    if (Uniform(all)) {
      parts.push_back(all[0] == all[1] ? pool_.Concat(pool_.Text(), all[1])
                                       : pool_.Concat({pool_.AnyChar(), pool_.Text(), all[1]}));
    } else {
      for (size_t c = 0; c < classes_.size(); ++c) {
        parts.push_back(pool_.Concat({pool_.Text(), pool_.CodePoints(classes_[c]), all[c + 1]}));
      }
    }
    return pool_.Or(std::move(parts));
  }

 private:
  static bool Uniform(const Continuation& k) {
    return std::all_of(k.begin() + 1, k.end(), [&](Re re) { return re == k[1]; });
  }

  Result<Continuation> Compile(const Piece& piece, Continuation k) {
    pool_.Spend(1);
    if (pool_.overflowed()) return TooLarge(pool_);
    if (IsStackSpent()) return Error{ErrorCode::kLimit, "the pattern nests deeper than the stack of this thread allows"};
    switch (piece.kind) {
      case Piece::Kind::kChars: {
        std::vector<Re> parts;
        if (Uniform(k)) {
          parts.push_back(pool_.Concat(pool_.CodePoints(piece.chars), k[1]));
        } else {
          for (size_t c = 0; c < classes_.size(); ++c) {
            parts.push_back(pool_.Concat(pool_.CodePoints(Intersect(piece.chars, classes_[c])), k[c + 1]));
          }
        }
        return Continuation(k.size(), pool_.Or(std::move(parts)));
      }
      case Piece::Kind::kSequence:
        for (size_t i = piece.parts.size(); i-- > 0;) {
          LFM_TRY(k, Compile(piece.parts[i], std::move(k)));
        }
        return k;
      case Piece::Kind::kAlternatives: {
        std::vector<std::vector<Re>> parts(k.size());
        for (const Piece& part : piece.parts) {
          LFM_TRY(const Continuation one, Compile(part, k));
          for (size_t c = 0; c < k.size(); ++c) parts[c].push_back(one[c]);
        }
        for (size_t c = 0; c < k.size(); ++c) k[c] = pool_.Or(std::move(parts[c]));
        return k;
      }
      case Piece::Kind::kRepeat: return Repeat(piece, std::move(k));
      default: return Assert(piece, std::move(k));
    }
  }

  Result<Continuation> Assert(const Piece& piece, Continuation k) {
    switch (piece.kind) {
      case Piece::Kind::kStart: std::fill(k.begin() + 1, k.end(), Re{RegexPool::kNone}); break;
      case Piece::Kind::kEnd:
        for (Re& re : k) re = pool_.Nullable(re) ? Re{RegexPool::kEmpty} : Re{RegexPool::kNone};
        break;
      case Piece::Kind::kLookAhead: {
        LFM_TRY(const Continuation ahead, Compile(piece.parts[0], Continuation(k.size(), pool_.Text())));
        for (size_t c = 0; c < k.size(); ++c) k[c] = pool_.And(k[c], piece.negated ? pool_.TextNot(ahead[c]) : ahead[c]);
        break;
      }
      case Piece::Kind::kLookBehind:
        for (size_t c = 0; c < k.size(); ++c) {
          const bool holds = c > 0 && !Intersect(classes_[c - 1], piece.chars).empty();
          if (holds == piece.negated) k[c] = RegexPool::kNone;
        }
        break;
      default: {  // a word boundary
        const Re word = pool_.Concat(pool_.CodePoints(WordCodes()), pool_.Text()), other = pool_.TextNot(word);
        for (size_t c = 0; c < k.size(); ++c) {
          const bool after_word = c > 0 && !Intersect(classes_[c - 1], WordCodes()).empty();
          k[c] = pool_.And(k[c], after_word == piece.negated ? word : other);
        }
      }
    }
    return k;
  }

  Result<Continuation> Repeat(const Piece& piece, Continuation k) {
    const Piece& inner = piece.parts[0];
    if (inner.has_assertion) {
      // Written out: each round sees what stands before it.
      if (piece.max > 16) {
        return Error{ErrorCode::kUnsupported, "the pattern repeats a group with an anchor, word boundary or look-around inside"};
      }
      Continuation sum(k.size(), RegexPool::kNone), rounds = k;
      for (uint32_t n = 0;; ++n) {
        if (n >= piece.min) {
          for (size_t c = 0; c < k.size(); ++c) sum[c] = pool_.Or(sum[c], rounds[c]);
        }
        if (n == piece.max) return sum;
        LFM_TRY(rounds, Compile(inner, std::move(rounds)));
      }
    }
    LFM_TRY(const Continuation once, Compile(inner, Continuation(k.size(), RegexPool::kEmpty)));
    const Re rounds = pool_.Repeat(once[0], piece.min, piece.max);
    Continuation out(k.size());
    if (Uniform(k) && (k[0] == k[1] || !pool_.Nullable(rounds))) {
      std::fill(out.begin(), out.end(), pool_.Concat(rounds, k[1]));
      return out;
    }
    std::vector<Re> parts;
    for (size_t c = 0; c < classes_.size(); ++c) {
      const Re ends = pool_.Concat(pool_.Text(), pool_.CodePoints(classes_[c]));
      parts.push_back(pool_.Concat(pool_.And(rounds, ends), k[c + 1]));
    }
    const Re some = pool_.Or(std::move(parts));
    for (size_t c = 0; c < k.size(); ++c) out[c] = pool_.Nullable(rounds) ? pool_.Or(some, k[c]) : some;
    return out;
  }

  RegexPool& pool_;
  std::vector<CodeSet> classes_;  // of characters, as far as assertions tell them apart
};

}  // namespace

Result<Re> ParseRegex(RegexPool& pool, std::string_view pattern, const RegexSyntax& syntax) {
  if (pattern.size() > kMaxPattern) return Error{ErrorCode::kLimit, "the pattern is longer than 1 MiB"};
  Parser parser(pattern, syntax);
  LFM_TRY(const Piece piece, parser.Parse());
  Compiler compiler(pool, parser.questions);
  if (compiler.too_many_classes()) return Error{ErrorCode::kLimit, "the pattern has too many different look-behinds"};
  LFM_TRY(const Re re, compiler.Search(piece, syntax.anchored));
  if (pool.overflowed()) return TooLarge(pool);
  return re;
}

}  // namespace lfm::grammar
