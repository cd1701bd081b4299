#include "text/tool_call_list.h"

#include <algorithm>
#include <optional>

#include "text/tool_call_reader.h"

namespace lfm::text {
namespace {

using Ends = StringReader::Ends;

constexpr size_t kMaxChoices = 20'000;  // open at once; each takes some hundred bytes
constexpr size_t kChoiceSteps = 8;      // what keeping a state costs, in bytes read

// Looks for a reading of the block, depth first: wherever a quote may end its string, it does, until that leads
// nowhere. The steps are counted: beyond some for each byte the block counts as unreadable.
class Search {
 public:
  Search(std::string_view block, const std::vector<std::string>& declared)
      : block_(block), steps_left_(block.size() * 32 + 1024), declared_(&declared), reader_(declared_) {}

  bool Whole(size_t from, bool bracketed, bool cut);
  // One call; the byte behind it.
  std::optional<size_t> One(size_t from, bool bracketed, bool cut);
  const ToolCallReader& reader() const { return reader_; }

 private:
  enum class Strict { kNo, kNext, kDone };

  Strict StrictElement(bool cut);
  std::optional<size_t> CallEnd(size_t n_calls, bool cut);
  bool QuoteMayEnd(size_t at) const;
  bool FeedAsked();
  bool Back();
  bool Spend(size_t steps = 1) {
    steps_left_ -= std::min(steps, steps_left_);
    return steps_left_ > 0;
  }

  std::string_view block_;
  size_t steps_left_;
  const std::vector<std::string>* declared_;
  ToolCallReader reader_;
  std::vector<ToolCallReader::Mark> choices_;  // each before a quote that was taken as an end
};

bool Search::QuoteMayEnd(size_t at) const {
  for (++at; at < block_.size(); ++at) {
    if (!IsCallBlank(block_[at])) return MayFollowString(block_[at]);
  }
  return true;
}

// Takes the next byte; false where no choice is left.
bool Search::FeedAsked() {
  const char c = block_[reader_.pos()];
  const bool may_end = reader_.could_end_string(c) && (reader_.in_json_name() || QuoteMayEnd(reader_.pos()));
  if (may_end && !reader_.in_json_name()) choices_.push_back(reader_.Keep());
  return choices_.size() <= kMaxChoices && Spend(may_end ? kChoiceSteps : 1) && (reader_.Feed(c, may_end) || Back());
}

bool Search::Back() {
  while (!choices_.empty() && Spend()) {
    reader_.TakeUp(choices_.back());
    choices_.pop_back();
    if (reader_.Feed(block_[reader_.pos()], false)) return true;
  }
  return false;
}

// Reads the element that begins here as Python would. kNext: the reader stands before the next one.
Search::Strict Search::StrictElement(bool cut) {
  const ToolCallReader::Mark begin = reader_.Keep();
  const size_t n_calls = reader_.calls().size();
  ToolCallReader::Mark next;
  reader_.set_ends(Ends::kFirst);
  Strict result = Strict::kNo;
  bool next_known = false;
  while (result == Strict::kNo && Spend()) {
    if (reader_.pos() == block_.size()) {
      if (reader_.End(cut)) result = Strict::kDone;
      break;
    }
    if (!reader_.Feed(block_[reader_.pos()])) break;
    if (!next_known && reader_.at() == ToolCallReader::At::kElement && reader_.calls().size() == n_calls + 1) {
      next = reader_.Keep();
      next_known = true;
    }
    if (reader_.n_confirmed() > n_calls) result = Strict::kNext;
  }
  reader_.set_ends(Ends::kAsked);
  if (result == Strict::kNo) reader_.TakeUp(begin);
  if (result == Strict::kNext) reader_.TakeUp(next);
  return result;
}

bool Search::Whole(size_t from, bool bracketed, bool cut) {
  reader_ = ToolCallReader(declared_);
  choices_.clear();
  reader_.set_ends(Ends::kAsked);
  reader_.BeginElement(bracketed, from);
  size_t tried_at = block_.size() + 1;  // the last element that could not be read strictly
  for (;;) {
    if (reader_.at_element_begin() && tried_at != reader_.pos()) {
      const Strict strict = StrictElement(cut);
      if (strict == Strict::kDone) return true;
      if (strict == Strict::kNo) tried_at = reader_.pos();
    } else if (reader_.pos() == block_.size()) {
      if (reader_.End(cut)) return true;
      if (!Back()) return false;
    } else if (!FeedAsked()) {
      return false;
    }
  }
}

// Where the one call that was read ends, if something may stand there that may follow a call.
std::optional<size_t> Search::CallEnd(size_t n_calls, bool cut) {
  using At = ToolCallReader::At;
  if (reader_.pos() == block_.size() && (reader_.at() == At::kName || reader_.at() == At::kAfterName)) {
    return !cut && !reader_.failed() ? std::optional(reader_.pos()) : std::nullopt;
  }
  if (reader_.failed() || reader_.calls().size() != n_calls + 1) return std::nullopt;
  size_t at = reader_.pos();
  if (reader_.at() != At::kAfterCall) return at - 1;  // a name alone: its comma or bracket has been read
  while (at < block_.size() && IsCallBlank(block_[at])) ++at;
  const bool fits = at == block_.size() || block_[at] == ',' || (block_[at] == ']' && reader_.bracketed());
  return fits ? std::optional(at) : std::nullopt;
}

std::optional<size_t> Search::One(size_t from, bool bracketed, bool cut) {
  const size_t n_calls = reader_.calls().size();
  for (const Ends ends : {Ends::kFirst, Ends::kAsked}) {
    const ToolCallReader::Mark begin = reader_.Keep();
    choices_.clear();
    reader_.set_ends(ends);
    reader_.BeginElement(bracketed, from);
    while (Spend()) {
      if (const auto end = CallEnd(n_calls, cut)) {
        if (reader_.calls().size() == n_calls) static_cast<void>(reader_.End(cut));
        return end;
      }
      const bool over = reader_.pos() == block_.size() || reader_.calls().size() > n_calls;
      if (ends == Ends::kFirst ? over || !reader_.Feed(block_[reader_.pos()]) : over ? !Back() : !FeedAsked()) break;
    }
    reader_.TakeUp(begin);
  }
  return std::nullopt;
}

// The comma or bracket behind an element that cannot be read; quotes and brackets inside it are passed over.
size_t SkipElement(std::string_view block, size_t at) {
  size_t depth = 0;
  char quote = 0;
  for (; at < block.size(); ++at) {
    const char c = block[at];
    if (quote) {
      if (c == '\\') ++at;
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if (depth == 0 && (c == ',' || c == ']')) {
      return at;
    } else if ((c == ')' || c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return block.size();
}

std::vector<ToolCall> CallsOf(const ToolCallReader& reader) {
  std::vector<ToolCall> calls;
  for (size_t i = 0; i < reader.calls().size(); ++i) calls.push_back(reader.Call(i));
  return calls;
}

// A whole list with text behind it.
bool ReadPrefix(std::string_view block, size_t from, const std::vector<std::string>& declared, BlockCalls& result) {
  ToolCallReader reader(&declared);
  reader.BeginElement(true, from);
  while (reader.pos() < block.size() && reader.Feed(block[reader.pos()])) {
    if (reader.at() != ToolCallReader::At::kListEnd) continue;
    static_cast<void>(reader.End(true));
    result = {CallsOf(reader), true, reader.pos()};
    return true;
  }
  return false;
}

}  // namespace

bool ReadWholeBlock(std::string_view block, size_t from, bool bracketed, bool cut, const std::vector<std::string>& declared,
                    std::vector<ToolCall>& calls) {
  Search search(block, declared);
  if (!search.Whole(from, bracketed, cut)) return false;
  calls = CallsOf(search.reader());
  return true;
}

BlockCalls ReadBlock(std::string_view block, size_t from, bool bracketed, bool cut, const std::vector<std::string>& declared) {
  BlockCalls result;
  result.end = block.size();
  if (ReadWholeBlock(block, from, bracketed, cut, declared, result.calls)) {
    result.complete = true;
    return result;
  }
  if (cut && bracketed && ReadPrefix(block, from, declared, result)) return result;
  Search search(block, declared);
  for (size_t at = from; at < block.size();) {
    if (IsCallBlank(block[at])) {
      ++at;
      continue;
    }
    const auto end = search.One(at, bracketed, cut);
    at = end ? *end : SkipElement(block, at);
    if (at >= block.size() || block[at] != ',') break;
    ++at;
  }
  result.calls = CallsOf(search.reader());
  return result;
}

}  // namespace lfm::text
