// Regular expressions over bytes and their derivatives (Brzozowski; Owens et al., "Regular-expression derivatives
// re-examined"): a node is a language, the derivative by a byte is the language of what may follow, so a node is also a
// state of a lazily built deterministic automaton. Intersection and complement cost no more than alternation.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/hash.h"

namespace lfm::grammar {

using ByteSet = std::bitset<256>;
using CodeRange = std::pair<uint32_t, uint32_t>;  // code points, both ends included

// A language: index of a node in its pool. Equal ids are equal languages (not the other way round).
using Re = uint32_t;

inline constexpr uint32_t kUnbounded = UINT32_MAX;

// Owns the nodes; grows, never shrinks. Not thread-safe. All work is bounded by the budget: past it, every new node is
// the empty language and overflowed() is true, which callers must check before they trust a result.
class RegexPool {
 public:
  static constexpr Re kNone = 0;   // the empty language
  static constexpr Re kEmpty = 1;  // the empty string only

  explicit RegexPool(size_t max_nodes);

  Re Set(const ByteSet& bytes);
  Re Byte(uint8_t byte);
  Re Range(uint8_t first, uint8_t last);
  Re Literal(std::string_view bytes);
  Re Concat(Re first, Re second);
  Re Concat(std::initializer_list<Re> parts);
  Re Or(std::vector<Re> parts);
  Re Or(Re a, Re b) { return Or(std::vector<Re>{a, b}); }
  Re And(std::vector<Re> parts);
  Re And(Re a, Re b) { return And(std::vector<Re>{a, b}); }
  Re Not(Re inner);
  Re Repeat(Re inner, uint32_t min, uint32_t max);
  Re Optional(Re inner) { return Repeat(inner, 0, 1); }
  Re Star(Re inner) { return Repeat(inner, 0, kUnbounded); }

  // Code points as UTF-8; ranges in any order, surrogates are left out.
  Re CodePoints(const std::vector<CodeRange>& ranges);
  Re AnyChar() const { return any_char_; }  // one code point
  Re Text() const { return text_; }         // any valid UTF-8
  Re TextNot(Re inner) { return And(text_, Not(inner)); }

  // Decimal numbers without sign that are multiples of mantissa / 10^scale: digits, maybe a point and digits.
  Re Multiple(uint64_t mantissa, uint32_t scale);

  bool Nullable(Re re) const { return nodes_[re].nullable; }
  // Whether the language has at least one string, by search over derivatives; remembered.
  bool Live(Re re);
  // The derivative.
  Re Next(Re re, uint8_t byte);
  Re Next(Re re, std::string_view bytes);
  bool Matches(Re re, std::string_view bytes) { return Nullable(Next(re, bytes)); }
  // A number n such that after any text of at most n code points the language still goes on; 0 when none is known.
  uint32_t Slack(Re re) const { return nodes_[re].slack; }
  // A language with the same answers for texts of up to `reach` bytes, where counts that are farther away are forgotten.
  Re Saturated(Re re, uint32_t reach);
  // Whether the language is finite, as far as its form shows.
  bool Finite(Re re) const { return nodes_[re].finite; }
  // The class of each byte, [256]: bytes of one class have the same derivative. None for languages without derivatives; the
  // span holds until the next call of any kind.
  std::span<const uint8_t> ByteClasses(Re re);
  // The bytes that lead on, as groups with one target each.
  struct Edge {
    uint8_t byte;  // the first byte of the group
    Re target;
  };
  std::vector<Edge> Edges(Re re);
  // The number of members, or `limit` if there are at least so many.
  uint64_t CountUpTo(Re re, uint64_t limit);
  // The number of different multiples that it speaks of.
  size_t CountMultiples(Re re) const;
  // The number of different languages that it intersects or excludes.
  size_t CountConditions(Re re) const;
  // Looks so many states ahead whether they can end: past `max_work` steps, searches included, the pool has overflowed, as
  // it would in use.
  void LookAhead(Re re, size_t max_states, uint64_t max_work);
  // A shortest member, false when there is none.
  bool Shortest(Re re, std::string& out);

  // Work is counted in steps of some tens of nanoseconds, so that no pattern holds up its caller: past `steps`, or when
  // `stop` (asked now and then) says so, the pool counts as overflowed.
  void AllowWork(uint64_t steps) { work_ = 0, work_limit_ = steps, next_check_ = 0; }
  uint64_t work() const { return work_; }  // since it was allowed
  void Spend(uint64_t steps) {
    if ((work_ += steps) >= next_check_) CheckWork();
  }
  std::function<bool()> stop;

  bool overflowed() const { return overflowed_; }
  bool exhausted() const { return exhausted_; }  // by work, not by size
  size_t n_nodes() const { return nodes_.size(); }

 private:
  enum class Kind : uint8_t { kNone, kEmpty, kSet, kConcat, kOr, kAnd, kNot, kRepeat, kMultiple };
  struct Node {
    Kind kind = Kind::kNone;
    bool nullable = false, finite = false;
    bool wide = false;          // after texts within the slack nearly every text goes on, not just some
    bool plain = false;         // no complement and no intersection in it
    bool counted = false;       // repetitions with bounds in it
    bool text = false;          // all members are valid UTF-8, as far as its form shows
    int8_t live = -1;           // -1: not known
    uint32_t a = 0, b = 0;      // children; the set's index; the first of the list
    uint32_t min = 0, max = 0;  // repetition; the list's length in `max`
    uint32_t slack = 0;
    uint32_t least = 0;   // no member has fewer bytes; of plain ones: the bytes of a shortest one
    uint32_t rest = 0;    // of plain ones: whatever was read, as many bytes end a text that can be ended
    float log_count = 0;  // of finite ones: the number of members is at most 2 to this
    int32_t row = -1;
  };
  struct Row {
    uint32_t classes;      // index into classes_
    std::vector<Re> next;  // by class
  };
  struct MultipleState {
    uint64_t mantissa, remainder;
    uint32_t scale;
    int32_t n_fraction;  // digits after the point so far, -1 before it
    bool any;            // whether a digit was read since the start or the point
    bool operator==(const MultipleState&) const = default;
  };

  // A text that goes on freely for so many code points has 2^160 ends.
  static constexpr uint32_t kFreeCodes = 8;
  static uint32_t Plus(uint32_t a, uint32_t b) { return a >= kUnbounded - b ? kUnbounded : a + b; }

  Re Intern(Node node, const Re* list, size_t n_list);
  Re InternList(Kind kind, const std::vector<Re>& list);
  void Flags(Node& node, const Re* list, size_t n_list) const;
  Re OrAt(std::vector<Re> parts, int depth);
  void DropCovered(std::vector<Re>& parts) const;
  void DropTexts(std::vector<Re>& parts) const;
  bool Covers(Re all, Re some, int& fuel) const;
  Re SaturatedPlain(Re re, uint32_t reach, int depth);
  Re SaturatedAnd(const Node& node, Re re, uint32_t reach);
  bool IsText(Re re) const;
  void CheckWork();
  Re MultipleNode(const MultipleState& state);
  Re Derive(Re re, uint8_t byte);
  Re DerivePart(Re re, uint8_t byte);
  Re DeriveMultiple(const MultipleState& state, uint8_t byte);
  void CollectSets(Re re, std::vector<uint32_t>& sets) const;
  uint32_t ClassesOf(const std::vector<uint32_t>& sets);
  const Row& RowOf(Re re);
  int8_t QuickLive(Re re);
  bool SearchLive(Re re);
  void MarkLive(Re found, std::vector<std::pair<Re, Re>>& edges);
  const Re* List(const Node& node) const { return lists_.data() + node.a; }

  size_t max_nodes_;
  bool overflowed_ = false, exhausted_ = false;
  uint64_t work_ = 0, work_limit_ = UINT64_MAX, next_check_ = 0;
  std::vector<Node> nodes_;
  std::vector<Re> lists_;
  std::vector<ByteSet> sets_;
  std::vector<MultipleState> multiples_;
  std::vector<Row> rows_;
  // Bytes that a list of sets does not tell apart are of one class.
  struct Classes {
    std::array<uint8_t, 256> of;
    std::vector<uint8_t> first;  // a byte of each
  };
  std::vector<Classes> classes_;
  std::vector<std::pair<uint64_t, Re>> index_;  // open addressing; kNone: free
  std::unordered_map<uint64_t, Re> saturated_;  // by language and reach
  std::unordered_multimap<uint64_t, uint32_t> set_index_;
  std::unordered_map<Hash, uint32_t, HashOf> class_index_;  // by the sets
  std::array<Re, 256> bytes_{};
  uint32_t digits_ = 0;  // the first of the sets of each digit and of the point
  Re any_char_ = 0, text_ = 0, all_ = 0;
};

}  // namespace lfm::grammar
