// The mutable half of a model, one object a sequence: KV pages of the attention layers and the last inputs of the short
// convolutions. Both together are "what was read so far"; copying, cutting and saving always treat them as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/kernels.h"
#include "model/config.h"

namespace lfm::model {

// Operations of a query with one dim of a position's key and value. Products of 16-bit pairs do two in the time of one in f32 and
// count half, since the limit that they are held against is f32's.
constexpr int AttentionOperations(kernels::KvType type) { return type == kernels::KvType::kI16 ? 2 : 4; }

// Sizes of a page and of the convolution state, derived from a Config.
struct StateLayout {
  StateLayout(const Config& config, kernels::KvType kv_type);

  kernels::KvType kv_type;
  int n_attention, n_conv, n_kv_heads, head_dim, d_model, n_history;  // n_history = taps - 1
  size_t head_bytes;                                                  // keys and values of one layer and head in a page
  size_t kv_bytes;                                                    // all layers and heads
  size_t conv_floats;                                                 // [n_conv][n_history][d_model]
  size_t page_bytes;     // kv_bytes + the convolution state after the page's last position
  uint64_t fingerprint;  // of all the above, for saved states

  double kv_bytes_per_token() const { return static_cast<double>(kv_bytes) / kernels::kPagePositions; }
};

class PagePool;

// A page holds 64 positions of every attention layer, and the convolution state after the last of them. So full pages are
// complete: a sequence can be cut behind one, and begun anew from a row of them (State::Adopt).
class Page {
 public:
  Page(PagePool& pool, std::byte* data) : pool_(pool), data_(data) {}
  ~Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  std::byte* data() const { return data_; }
  // How many positions may have been written, and so are to be zeroed before the next taker has the page: all, where the
  // owner does not tell. One writer, its owner.
  int n_written() const { return n_written_; }
  void set_n_written(int n) { n_written_ = n; }

 private:
  PagePool& pool_;
  std::byte* data_;
  int n_written_ = kernels::kPagePositions;
};

// Hands out pages, up to a limit; freed pages are kept for the next taker and are zeroed before he has them. Thread-safe.
// Outlives its pages.
class PagePool {
 public:
  PagePool(const StateLayout& layout, int64_t max_pages);
  ~PagePool();
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  const StateLayout& layout() const { return layout_; }
  // n pages or none: kLimit beyond max_pages, kOutOfMemory where the system has no more.
  Result<std::vector<std::shared_ptr<Page>>> Take(int64_t n);
  int64_t n_used() const;
  int64_t max_pages() const { return max_pages_; }

 private:
  friend class Page;
  struct FreePage {
    std::byte* data;
    int n_written;
  };
  void Return(FreePage page);
  void Zero(const FreePage& page) const;
  bool AddSlab();  // with the mutex held; false: no memory

  const StateLayout layout_;
  const int64_t max_pages_;
  mutable std::mutex mutex_;
  std::vector<FreePage> free_;
  std::vector<std::byte*> slabs_;  // a few neighbouring pages each, on huge pages where the system has them
  int64_t n_made_ = 0, n_used_ = 0;
};

// The convolution state at one position: lets a State be cut back to exactly there.
struct CutPoint {
  int64_t position = 0;
  std::vector<float> conv;  // [n_conv][n_history][d_model]
};

// One sequence. Not thread-safe; distinct States may be used from distinct threads.
class State {
 public:
  explicit State(PagePool& pool);
  State(State&&) = default;
  State& operator=(State&&) = default;

  int64_t n_tokens() const { return n_tokens_; }

  // Makes room for n more positions: pages exist and are this sequence's own. After it Forward() cannot fail. Takes all
  // pages or none.
  Status Reserve(int64_t n);
  // The pages that Reserve(n) would take.
  int64_t PagesToTake(int64_t n) const;
  // Gives back the pages that were reserved and are not begun.
  void Trim();
  // Continues a sequence of full pages (or none) with further ones, in order, that some sequence with the same past had at
  // these places: shared, never written.
  void Adopt(std::span<const std::shared_ptr<Page>> pages);
  // Page i, to be adopted; it must be full.
  const std::shared_ptr<Page>& FullPage(int64_t i) const { return pages_[static_cast<size_t>(i)]; }
  int64_t n_full_pages() const { return n_tokens_ / kernels::kPagePositions; }
  // A second sequence with the same past. Full pages are shared, the last one is copied.
  Result<State> Copy() const;
  // Cuts the sequence back. Any multiple of 64 up to n_tokens() works, as does n_tokens() itself.
  Status Truncate(int64_t position);
  // The largest position <= `position` that Truncate() takes.
  int64_t TruncationPoint(int64_t position) const;
  CutPoint TakeCutPoint() const { return {n_tokens_, conv_}; }
  // Cuts back to a point of this sequence (or of one it was copied from) that lies in its past.
  Status Truncate(const CutPoint& point);
  void Clear();

  // The whole state as bytes, and back (docs/saved-state.md). Restore checks sizes, hash and the model's fingerprint; when
  // it fails the state is empty.
  std::vector<std::byte> Save() const;
  Status Restore(std::span<const std::byte> bytes);

  // For the forward pass.
  std::byte* Kv(int64_t i_page, int i_attention, int kv_head) const;  // of page i
  float* PageConv(int64_t i_page) const;                              // after page i  // [n_conv][n_history][d_model]
  float* Conv(int i_conv) { return conv_.data() + static_cast<size_t>(i_conv) * conv_stride(); }
  void Advance(int64_t n) { n_tokens_ += n; }
  const StateLayout& layout() const { return pool_->layout(); }

 private:
  Status TakePages(int64_t n);
  size_t conv_stride() const { return static_cast<size_t>(layout().n_history) * static_cast<size_t>(layout().d_model); }

  PagePool* pool_;
  std::vector<std::shared_ptr<Page>> pages_;
  std::vector<float> conv_;
  int64_t n_tokens_ = 0;
};

}  // namespace lfm::model
