#include "model/sequence.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/strings.h"

namespace lfm::model {
namespace {

constexpr size_t kMaxMarks = 8;

}  // namespace

int64_t Sequence::CommonPrefix(std::span<const int32_t> ids) const {
  return std::mismatch(tokens_.begin(), tokens_.end(), ids.begin(), ids.end()).first - tokens_.begin();
}

Status Sequence::CutAtOrBelow(int64_t n) {
  if (n >= n_tokens()) return Ok();
  while (!marks_.empty() && marks_.back().position > n) marks_.pop_back();
  const int64_t boundary = state_.TruncationPoint(n);
  const bool by_mark = !marks_.empty() && marks_.back().position > boundary;
  LFM_RETURN_IF_ERROR(by_mark ? state_.Truncate(marks_.back()) : state_.Truncate(boundary));
  tokens_.resize(static_cast<size_t>(state_.n_tokens()));
  return Ok();
}

void Sequence::Mark() {
  if (!marks_.empty() && marks_.back().position == n_tokens()) return;
  marks_.push_back(state_.TakeCutPoint());
  if (marks_.size() > kMaxMarks) marks_.pop_front();
}

void Sequence::Clear() {
  state_.Clear();
  tokens_.clear();
  marks_.clear();
}

Result<Sequence> Sequence::Copy() const {
  LFM_TRY(State state, state_.Copy());
  Sequence copy(std::move(state));
  copy.tokens_ = tokens_;
  copy.marks_ = marks_;
  return copy;
}

void Sequence::Adopt(std::span<const int32_t> ids, std::span<const std::shared_ptr<Page>> pages) {
  LFM_CHECK(ids.size() == pages.size() * static_cast<size_t>(kernels::kPagePositions));
  state_.Adopt(pages);
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
}

Status Sequence::Restore(std::vector<int32_t> ids, std::span<const std::byte> state) {
  Clear();
  LFM_RETURN_IF_ERROR(state_.Restore(state));
  if (state_.n_tokens() != static_cast<int64_t>(ids.size())) {
    const int64_t n = state_.n_tokens();
    state_.Clear();
    return Error{ErrorCode::kCorrupt, StrCat("the saved sequence names ", ids.size(), " tokens, but its state holds ", n)};
  }
  tokens_ = std::move(ids);
  return Ok();
}

}  // namespace lfm::model
