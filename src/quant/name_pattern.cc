// Thompson's construction: the expression becomes a graph of steps, and a name is read once while all places in the graph
// that it can have led to are kept (K. Thompson, Regular Expression Search Algorithm, 1968).
#include "quant/name_pattern.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"

namespace lfm::quant {
namespace {

constexpr size_t kMaxBytes = 1000, kMaxSteps = 20000;
constexpr int kMaxDepth = 32;

using Set = std::bitset<256>;

bool IsWord(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

Set Range(char first, char last) {
  Set set;
  for (int c = static_cast<unsigned char>(first); c <= static_cast<unsigned char>(last); ++c) set.set(static_cast<size_t>(c));
  return set;
}

Set Word() { return Range('a', 'z') | Range('A', 'Z') | Range('0', '9') | Range('_', '_'); }
Set Space() { return Range('\t', '\r') | Range(' ', ' '); }

// Of "\d" and the like.
std::optional<Set> ClassOfLetter(char letter) {
  switch (letter) {
    case 'd': return Range('0', '9');
    case 'D': return ~Range('0', '9');
    case 'w': return Word();
    case 'W': return ~Word();
    case 's': return Space();
    case 'S': return ~Space();
    default: return std::nullopt;
  }
}

// Of "[:digit:]" and the like.
std::optional<Set> ClassOfName(std::string_view name) {
  const Set lower = Range('a', 'z'), upper = Range('A', 'Z'), digit = Range('0', '9');
  if (name == "digit") return digit;
  if (name == "lower") return lower;
  if (name == "upper") return upper;
  if (name == "alpha") return lower | upper;
  if (name == "alnum") return lower | upper | digit;
  if (name == "space") return Space();
  if (name == "xdigit") return digit | Range('a', 'f') | Range('A', 'F');
  if (name == "punct") return Range('!', '~') & ~(lower | upper | digit);
  return std::nullopt;
}

char Unescaped(char c) { return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c; }

}  // namespace

// Parses by descent. Every part is built backwards: given the step that follows it, it gives its own first step, so that
// a repetition is written out by building its part again.
class NamePatternParser {
 public:
  explicit NamePatternParser(std::string_view text) : text_(text) {}

  Result<NamePattern> Run() {
    if (text_.size() > kMaxBytes) return At("it is longer than 1,000 bytes");
    LFM_TRY(const Node all, Alternatives(0));
    if (at_ < text_.size()) return At("a ) without its (");
    pattern_.steps_.push_back({});  // step 0: a match
    LFM_TRY(pattern_.first_, Build(all, 0));
    return std::move(pattern_);
  }

 private:
  using Step = NamePattern::Step;
  struct Node {
    enum class Kind { kStep, kSequence, kChoice, kRepeat } kind = Kind::kSequence;
    Step step;
    std::vector<Node> parts;
    int least = 0, most = 0;  // most < 0: no end
  };

  Error At(std::string_view what) const {
    return {ErrorCode::kInvalidArgument, StrCat("the expression ", Quote(text_), " fails at byte ", at_, ": ", what)};
  }
  bool Has(char c) const { return at_ < text_.size() && text_[at_] == c; }

  Result<Node> Alternatives(int depth) {
    if (depth > kMaxDepth) return At("groups are nested too deep");
    Node choice{Node::Kind::kChoice, {}, {}, 0, 0};
    do {
      if (!choice.parts.empty()) ++at_;
      Node sequence;
      while (at_ < text_.size() && !Has('|') && !Has(')')) {
        LFM_TRY(Node part, Repeated(depth));
        sequence.parts.push_back(std::move(part));
      }
      choice.parts.push_back(std::move(sequence));
    } while (Has('|'));
    return choice;
  }

  Result<Node> Repeated(int depth) {
    LFM_TRY(Node part, Atom(depth));
    int least = 0, most = -1;
    if (Has('*')) {
      ++at_;
    } else if (Has('+')) {
      least = 1, ++at_;
    } else if (Has('?')) {
      most = 1, ++at_;
    } else if (Has('{')) {
      LFM_RETURN_IF_ERROR(Counts(least, most));
    } else {
      return part;
    }
    if (Has('?')) ++at_;  // as few as possible: whether it matches is the same
    Node repeat{Node::Kind::kRepeat, {}, {}, least, most};
    repeat.parts.push_back(std::move(part));
    return repeat;
  }

  Status Counts(int& least, int& most) {
    ++at_;
    const auto number = [&]() -> std::optional<int> {
      const size_t begin = at_;
      int value = 0;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && value <= 1000)
        value = value * 10 + (text_[at_++] - '0');
      return at_ == begin ? std::nullopt : std::optional(value);
    };
    const auto first = number();
    if (!first) return At("a { without a number");
    least = most = *first;
    if (Has(',')) {
      ++at_;
      most = number().value_or(-1);
    }
    if (!Has('}') || least > 1000 || most > 1000 || (most >= 0 && most < least))
      return At("counts are {m}, {m,} or {m,n} up to 1000");
    ++at_;
    return Ok();
  }

  Node OfSet(const Set& set) {
    Node node{Node::Kind::kStep, {}, {}, 0, 0};
    node.step.kind = Step::Kind::kSet;
    node.step.set = static_cast<uint32_t>(pattern_.sets_.size());
    pattern_.sets_.push_back(set);
    return node;
  }
  static Node Edge(Step::Kind kind) { return {Node::Kind::kStep, {kind, 0, 0, 0}, {}, 0, 0}; }

  Result<Node> Atom(int depth) {
    const char c = text_[at_++];
    switch (c) {
      case '(': {
        if (Has('?')) {
          if (text_.substr(at_, 2) != "?:") return At("look-around and named groups are not known");
          at_ += 2;
        }
        LFM_TRY(Node group, Alternatives(depth + 1));
        if (!Has(')')) return At("a ( without its )");
        ++at_;
        return group;
      }
      case '[': return Bracket();
      case '\\': return Escape();
      case '.': return OfSet(~(Range('\n', '\n') | Range('\r', '\r')));
      case '^': return Edge(Step::Kind::kBegin);
      case '$': return Edge(Step::Kind::kEnd);
      case '*':
      case '+':
      case '?':
      case '{': --at_; return At("there is nothing to repeat");
      default: return OfSet(Range(c, c));
    }
  }

  Result<Node> Escape() {
    if (at_ == text_.size()) return At("a \\ without what it escapes");
    const char c = text_[at_++];
    if (c == 'b') return Edge(Step::Kind::kWordEdge);
    if (c == 'B') return Edge(Step::Kind::kNoWordEdge);
    if (const auto set = ClassOfLetter(c)) return OfSet(*set);
    if (c >= '1' && c <= '9') return At("back references are not known");
    if (IsWord(c) && Unescaped(c) == c) return At("this escape is not known");
    return OfSet(Range(Unescaped(c), Unescaped(c)));
  }

  Result<Node> Bracket() {
    Set set;
    const bool negated = Has('^');
    if (negated) ++at_;
    for (bool first = true; !Has(']') || first; first = false) {
      if (at_ >= text_.size()) return At("a [ without its ]");
      if (text_.substr(at_, 2) == "[:") {
        const size_t end = text_.find(":]", at_);
        const auto named = ClassOfName(text_.substr(at_ + 2, end == std::string_view::npos ? 0 : end - at_ - 2));
        if (!named) return At("this class is not known");
        set |= *named;
        at_ = end + 2;
        continue;
      }
      char low = text_[at_++];
      if (low == '\\') {
        if (at_ == text_.size()) return At("a [ without its ]");
        const char escaped = text_[at_++];
        if (const auto named = ClassOfLetter(escaped)) {
          set |= *named;
          continue;
        }
        low = Unescaped(escaped);
      }
      char high = low;
      if (Has('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        high = text_[at_++];
        if (high == '\\' && at_ < text_.size()) high = Unescaped(text_[at_++]);
        if (static_cast<unsigned char>(high) < static_cast<unsigned char>(low)) return At("a range that runs backwards");
      }
      set |= Range(low, high);
    }
    ++at_;
    return OfSet(negated ? ~set : set);
  }

  Result<uint32_t> Add(const Step& step) {
    if (pattern_.steps_.size() >= kMaxSteps) return At("with its repetitions it is too long");
    pattern_.steps_.push_back(step);
    return static_cast<uint32_t>(pattern_.steps_.size() - 1);
  }

  // Depth is that of the groups and repetitions, which are bounded.
  Result<uint32_t> Build(const Node& node, uint32_t next) {
    if (++n_built_ > 4 * kMaxSteps) return At("with its repetitions it is too long");  // also where they repeat nothing
    switch (node.kind) {
      case Node::Kind::kStep: {
        Step step = node.step;
        step.next = next;
        return Add(step);
      }
      case Node::Kind::kSequence:
        for (size_t i = node.parts.size(); i-- > 0;) {
          LFM_TRY(next, Build(node.parts[i], next));
        }
        return next;
      case Node::Kind::kChoice: {
        LFM_TRY(uint32_t first, Build(node.parts.back(), next));
        for (size_t i = node.parts.size() - 1; i-- > 0;) {
          LFM_TRY(const uint32_t other, Build(node.parts[i], next));
          LFM_TRY(first, Add({Step::Kind::kSplit, other, first, 0}));
        }
        return first;
      }
      case Node::Kind::kRepeat: return BuildRepeat(node, next);
    }
    return next;
  }

  Result<uint32_t> BuildRepeat(const Node& node, uint32_t next) {
    uint32_t first = next;
    if (node.most < 0) {
      LFM_TRY(first, Add({Step::Kind::kSplit, next, next, 0}));
      LFM_TRY(const uint32_t body, Build(node.parts[0], first));
      pattern_.steps_[first].next = body;
    }
    for (int i = node.least; i < node.most; ++i) {
      LFM_TRY(const uint32_t body, Build(node.parts[0], first));
      LFM_TRY(first, Add({Step::Kind::kSplit, body, next, 0}));
    }
    for (int i = 0; i < node.least; ++i) {
      LFM_TRY(first, Build(node.parts[0], first));
    }
    return first;
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t n_built_ = 0;
  NamePattern pattern_;
};

Result<NamePattern> NamePattern::Parse(std::string_view text) { return NamePatternParser(text).Run(); }

bool NamePattern::Matches(std::string_view name) const {
  std::vector<uint32_t> here, open, later;
  std::vector<size_t> seen(steps_.size(), 0);  // 1 + the position at which a step was last reached
  for (size_t at = 0; at <= name.size(); ++at) {
    const bool before = at > 0 && IsWord(name[at - 1]), behind = at < name.size() && IsWord(name[at]);
    open = std::move(later);
    open.push_back(first_);
    here.clear();
    later.clear();
    while (!open.empty()) {
      const uint32_t i = open.back();
      open.pop_back();
      if (seen[i] == at + 1) continue;
      seen[i] = at + 1;
      const Step& step = steps_[i];
      switch (step.kind) {
        case Step::Kind::kMatch: return true;
        case Step::Kind::kSet: here.push_back(i); break;
        case Step::Kind::kSplit:
          open.push_back(step.next);
          open.push_back(step.other);
          break;
        case Step::Kind::kBegin:
          if (at == 0) open.push_back(step.next);
          break;
        case Step::Kind::kEnd:
          if (at == name.size()) open.push_back(step.next);
          break;
        case Step::Kind::kWordEdge:
        case Step::Kind::kNoWordEdge:
          if ((before != behind) == (step.kind == Step::Kind::kWordEdge)) open.push_back(step.next);
          break;
      }
    }
    if (at == name.size()) break;
    for (const uint32_t i : here) {
      if (sets_[steps_[i].set].test(static_cast<unsigned char>(name[at]))) later.push_back(steps_[i].next);
    }
  }
  return false;
}

}  // namespace lfm::quant
