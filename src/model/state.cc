#include "model/state.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>

#include "base/check.h"
#include "base/hash.h"
#include "base/strings.h"
#include "model/memory_check.h"

namespace lfm::model {
namespace {

constexpr int64_t kPage = kernels::kPagePositions;
constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// Taken from the system at a time. Its end, less than a huge page, lies on small ones: of a slab of two, four tenths did.
constexpr size_t kSlabBytes = 8 * kHugePage;
constexpr char kMagic[8] = {'L', 'F', 'M', 'S', 'T', 'A', 'T', '2'};
constexpr int64_t kMaxPositions = int64_t{1} << 40;  // beyond any memory: sums of positions below it cannot overflow

struct SavedHeader {
  char magic[8];
  uint64_t fingerprint;
  uint64_t n_tokens;
  uint64_t hash;  // of all bytes behind the header
};

int64_t PagesFor(int64_t n_positions) { return (n_positions + kPage - 1) / kPage; }

uint64_t Mix(uint64_t hash, uint64_t value) {  // FNV-1a over 64-bit words
  return (hash ^ value) * 0x100000001B3ull;
}

}  // namespace

StateLayout::StateLayout(const Config& config, kernels::KvType type)
    : kv_type(type), n_attention(config.n_attention_layers()), n_conv(config.n_conv_layers()), n_kv_heads(config.n_kv_heads),
      head_dim(config.head_dim), d_model(config.d_model), n_history(std::max(0, config.n_taps - 1)) {
  head_bytes = n_attention > 0 ? kernels::KvPageBytes(type, head_dim) : 0;
  kv_bytes = static_cast<size_t>(n_attention) * static_cast<size_t>(n_kv_heads) * head_bytes;
  conv_floats = static_cast<size_t>(n_conv) * static_cast<size_t>(n_history) * static_cast<size_t>(d_model);
  page_bytes = (kv_bytes + kAlignment - 1) / kAlignment * kAlignment + conv_floats * sizeof(float);
  fingerprint = 0xCBF29CE484222325ull;
  for (const int value : {static_cast<int>(type), n_attention, n_conv, n_kv_heads, head_dim, d_model, n_history}) {
    fingerprint = Mix(fingerprint, static_cast<uint64_t>(value));
  }
}

Page::~Page() { pool_.Return({data_, n_written_}); }

PagePool::PagePool(const StateLayout& layout, int64_t max_pages) : layout_(layout), max_pages_(max_pages) {}

PagePool::~PagePool() {
  LFM_CHECK(n_used_ == 0);
  for (std::byte* slab : slabs_) ::operator delete (slab, std::align_val_t{kHugePage});
}

bool PagePool::AddSlab() {
  const int64_t wanted = std::max<int64_t>(1, static_cast<int64_t>(kSlabBytes / std::max<size_t>(1, layout_.page_bytes)));
  const int64_t n = std::min(wanted, max_pages_ - n_made_);
  const size_t size = static_cast<size_t>(n) * layout_.page_bytes;
  auto* slab = static_cast<std::byte*>(::operator new (size, std::align_val_t{kHugePage}, std::nothrow));
  if (!slab) return false;
  if (size >= kHugePage) madvise(slab, size / kHugePage * kHugePage, MADV_HUGEPAGE);
  slabs_.push_back(slab);
  n_made_ += n;
  for (int64_t i = n; i-- > 0;) free_.push_back({slab + static_cast<size_t>(i) * layout_.page_bytes, kernels::kPagePositions});
  return true;
}

Result<std::vector<std::shared_ptr<Page>>> PagePool::Take(int64_t n) {
  std::vector<FreePage> taken;
  taken.reserve(static_cast<size_t>(n));
  std::vector<std::shared_ptr<Page>> pages;
  pages.reserve(taken.capacity());
  {
    std::lock_guard lock(mutex_);
    if (n > max_pages_ - n_used_) {
      return Error{ErrorCode::kLimit, StrCat("the cache of keys and values has ", max_pages_, " pages of ", kPage, " positions, ",
                                             n_used_, " in use; ", n, " more are needed")};
    }
    if (const int64_t n_new = n - static_cast<int64_t>(free_.size()); n_new > 0) {
      LFM_RETURN_IF_ERROR(CheckPageMemory(layout_, n_new));
    }
    while (static_cast<int64_t>(free_.size()) < n) {
      if (AddSlab()) continue;
      return Error{ErrorCode::kOutOfMemory, StrCat("no memory for ", n, " KV pages of ", HumanBytes(layout_.page_bytes))};
    }
    n_used_ += n;
    taken.assign(free_.end() - static_cast<std::ptrdiff_t>(n), free_.end());
    free_.resize(free_.size() - static_cast<size_t>(n));
  }
  for (auto page = taken.rbegin(); page != taken.rend(); ++page) {
    Zero(*page);
    pages.push_back(std::make_shared<Page>(*this, page->data));
  }
  return pages;
}

int64_t PagePool::n_used() const {
  std::lock_guard lock(mutex_);
  return n_used_;
}

// Masked lanes are computed too and must be finite; and nobody's text may pass to the next. The convolutions' state is
// written when a page is full.
void PagePool::Zero(const FreePage& page) const {
  if (page.n_written == kernels::kPagePositions) {
    std::memset(page.data, 0, layout_.page_bytes);
    return;
  }
  std::byte* head = page.data;
  for (int i = 0; i < layout_.n_attention * layout_.n_kv_heads; ++i, head += layout_.head_bytes) {
    kernels::KvClear(layout_.kv_type, layout_.head_dim, head, page.n_written);
  }
}

void PagePool::Return(FreePage page) {
  std::lock_guard lock(mutex_);
  --n_used_;
  free_.push_back(page);
}

State::State(PagePool& pool) : pool_(&pool), conv_(pool.layout().conv_floats) {}

int64_t State::PagesToTake(int64_t n) const {
  const auto i_current = static_cast<size_t>(n_tokens_ / kPage);
  const bool copies = n > 0 && i_current < pages_.size() && pages_[i_current].use_count() > 1;
  return std::max<int64_t>(0, PagesFor(n_tokens_ + n) - static_cast<int64_t>(pages_.size())) + (copies ? 1 : 0);
}

Status State::Reserve(int64_t n) {
  if (n < 0 || n > kMaxPositions - n_tokens_) {
    return Error{ErrorCode::kLimit, StrCat("a sequence of ", n_tokens_, " tokens cannot grow by ", n)};
  }
  if (const int64_t n_missing = PagesToTake(n); n_missing > 0) LFM_RETURN_IF_ERROR(TakePages(n_missing));
  for (int64_t i = n_tokens_ / kPage; i < PagesFor(n_tokens_ + n); ++i) {
    Page& page = *pages_[static_cast<size_t>(i)];
    page.set_n_written(std::max(page.n_written(), static_cast<int>(std::min<int64_t>(kPage, n_tokens_ + n - i * kPage))));
  }
  return Ok();
}

Status State::TakePages(int64_t n) {
  LFM_TRY(auto taken, pool_->Take(n));
  // A page that others share too is theirs to read: the one we are about to write becomes our own copy.
  const auto i_current = static_cast<size_t>(n_tokens_ / kPage);
  if (i_current < pages_.size() && pages_[i_current].use_count() > 1) {
    std::memcpy(taken.back()->data(), pages_[i_current]->data(), layout().page_bytes);
    pages_[i_current] = std::move(taken.back());
    taken.pop_back();
  }
  for (const std::shared_ptr<Page>& page : taken) page->set_n_written(0);
  std::move(taken.begin(), taken.end(), std::back_inserter(pages_));
  return Ok();
}

void State::Trim() { pages_.resize(std::min(pages_.size(), static_cast<size_t>(PagesFor(n_tokens_)))); }

void State::Adopt(std::span<const std::shared_ptr<Page>> pages) {
  LFM_CHECK(n_tokens_ % kPage == 0);
  if (pages.empty()) return;
  Trim();
  pages_.insert(pages_.end(), pages.begin(), pages.end());
  n_tokens_ = static_cast<int64_t>(pages_.size()) * kPage;
  const float* saved = PageConv(static_cast<int64_t>(pages_.size()) - 1);
  std::copy(saved, saved + conv_.size(), conv_.begin());
}

Result<State> State::Copy() const {
  State copy(*pool_);
  const auto n_full = static_cast<size_t>(n_tokens_ / kPage);
  if (n_tokens_ % kPage != 0) {
    LFM_TRY(copy.pages_, pool_->Take(1));
    std::memcpy(copy.pages_[0]->data(), pages_[n_full]->data(), layout().page_bytes);
  }
  copy.pages_.insert(copy.pages_.begin(), pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(n_full));
  copy.conv_ = conv_;
  copy.n_tokens_ = n_tokens_;
  return copy;
}

int64_t State::TruncationPoint(int64_t position) const {
  return position >= n_tokens_ ? n_tokens_ : std::max<int64_t>(0, position) / kPage * kPage;
}

Status State::Truncate(int64_t position) {
  if (position == n_tokens_) return Ok();
  if (position < 0 || position > n_tokens_ || position % kPage != 0) {
    return Error{ErrorCode::kInvalidArgument, StrCat("a sequence of ", n_tokens_, " tokens cannot be cut to ", position,
                                                     "; multiples of 64 up to its length can")};
  }
  if (position == 0) {
    Clear();
    return Ok();
  }
  const auto n_pages = static_cast<size_t>(position / kPage);
  const float* saved = PageConv(static_cast<int64_t>(n_pages) - 1);
  std::copy(saved, saved + conv_.size(), conv_.begin());
  pages_.resize(n_pages);
  n_tokens_ = position;
  return Ok();
}

Status State::Truncate(const CutPoint& point) {
  if (point.position < 0 || point.position > n_tokens_ || point.conv.size() != conv_.size()) {
    return Error{ErrorCode::kInvalidArgument, StrCat("the point at position ", point.position,
                                                     " is not in the past of this sequence of ", n_tokens_, " tokens")};
  }
  conv_ = point.conv;
  n_tokens_ = point.position;
  pages_.resize(static_cast<size_t>(PagesFor(n_tokens_)));
  return Ok();
}

void State::Clear() {
  pages_.clear();
  std::fill(conv_.begin(), conv_.end(), 0.0f);
  n_tokens_ = 0;
}

std::vector<std::byte> State::Save() const {
  const auto n_pages = static_cast<size_t>(PagesFor(n_tokens_));
  const size_t conv_bytes = conv_.size() * sizeof(float);
  std::vector<std::byte> bytes(sizeof(SavedHeader) + conv_bytes + n_pages * layout().page_bytes);
  std::byte* out = bytes.data() + sizeof(SavedHeader);
  if (conv_bytes > 0) std::memcpy(out, conv_.data(), conv_bytes);
  out += conv_bytes;
  for (size_t i = 0; i < n_pages; ++i, out += layout().page_bytes) {
    std::memcpy(out, pages_[i]->data(), layout().page_bytes);
  }
  SavedHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.fingerprint = layout().fingerprint;
  header.n_tokens = static_cast<uint64_t>(n_tokens_);
  header.hash = Hash64(std::span(bytes).subspan(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

Status State::Restore(std::span<const std::byte> bytes) {
  Clear();
  SavedHeader header{};
  const size_t conv_bytes = conv_.size() * sizeof(float);
  if (bytes.size() < sizeof header + conv_bytes) {
    return Error{ErrorCode::kCorrupt, StrCat("a saved state of ", bytes.size(), " bytes is too short")};
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    return Error{ErrorCode::kCorrupt, "these bytes are no saved state of this version (wrong magic at byte 0)"};
  }
  if (header.fingerprint != layout().fingerprint) {
    return Error{ErrorCode::kInvalidArgument, "this saved state belongs to another model or KV type"};
  }
  // The counts of the file are compared with what its size allows, never multiplied.
  const size_t n_body = bytes.size() - sizeof header - conv_bytes;
  const auto n_pages = static_cast<int64_t>(n_body / layout().page_bytes);
  if (n_body % layout().page_bytes != 0 || header.n_tokens > static_cast<uint64_t>(kMaxPositions) ||
      PagesFor(static_cast<int64_t>(header.n_tokens)) != n_pages) {
    return Error{ErrorCode::kCorrupt,
                 StrCat("a saved state of ", header.n_tokens, " tokens does not have ", bytes.size(), " bytes")};
  }
  if (header.hash != Hash64(bytes.subspan(sizeof header))) {
    return Error{ErrorCode::kCorrupt, "the saved state is damaged: its hash differs"};
  }
  LFM_RETURN_IF_ERROR(Reserve(static_cast<int64_t>(header.n_tokens)));
  const std::byte* in = bytes.data() + sizeof header;
  if (conv_bytes > 0) std::memcpy(conv_.data(), in, conv_bytes);
  in += conv_bytes;
  for (const std::shared_ptr<Page>& page : pages_) {
    std::memcpy(page->data(), in, layout().page_bytes);
    page->set_n_written(kernels::kPagePositions);
    in += layout().page_bytes;
  }
  n_tokens_ = static_cast<int64_t>(header.n_tokens);
  return Ok();
}

std::byte* State::Kv(int64_t i_page, int i_attention, int kv_head) const {
  const StateLayout& l = layout();
  const auto i_head = static_cast<size_t>(i_attention) * static_cast<size_t>(l.n_kv_heads) + static_cast<size_t>(kv_head);
  return pages_[static_cast<size_t>(i_page)]->data() + i_head * l.head_bytes;
}

float* State::PageConv(int64_t i_page) const {
  std::byte* data = pages_[static_cast<size_t>(i_page)]->data();
  return reinterpret_cast<float*>(data + layout().page_bytes - layout().conv_floats * sizeof(float));
}

}  // namespace lfm::model
