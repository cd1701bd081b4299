// What was read so far: the ids and the state that they led to, with places to cut back to.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/state.h"

namespace lfm::model {

// Not thread-safe; distinct Sequences may be used from distinct threads. Only Stepper lets one grow.
class Sequence {
 public:
  explicit Sequence(PagePool& pool) : state_(pool) {}

  std::span<const int32_t> tokens() const { return tokens_; }
  int64_t n_tokens() const { return static_cast<int64_t>(tokens_.size()); }
  State& state() { return state_; }
  const State& state() const { return state_; }

  // The number of tokens that both have in common at their beginning.
  int64_t CommonPrefix(std::span<const int32_t> ids) const;
  // Cuts back to the best point at or below n that the state allows: a mark, a full page, or the beginning.
  Status CutAtOrBelow(int64_t n);
  // Remembers the present position as a point to cut back to. The newest few are kept.
  void Mark();
  void Clear();
  // A second sequence with the same past; full pages are shared.
  Result<Sequence> Copy() const;
  // Continues a sequence of full pages (or none) with those that another had after the same ids.  // [64 * pages.size()]
  void Adopt(std::span<const int32_t> ids, std::span<const std::shared_ptr<Page>> pages);
  // Takes the place of this sequence by a saved state of as many tokens; empty when it fails.
  Status Restore(std::vector<int32_t> ids, std::span<const std::byte> state);

 private:
  friend class Stepper;
  explicit Sequence(State state) : state_(std::move(state)) {}

  State state_;
  std::vector<int32_t> tokens_;
  std::deque<CutPoint> marks_;  // by rising position
};

}  // namespace lfm::model
