// The tree over pages: what is found, what is shared, what goes first; and its file.
#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "engine/prefix_file.h"
#include "support/temp_folder.h"

namespace lfm::engine {
namespace {

model::Config SmallConfig() {
  model::Config config;
  config.layers = {{model::Mixer::kConv, model::Ffn::kDense}, {model::Mixer::kAttention, model::Ffn::kDense}};
  config.n_layers = 2;
  config.d_model = 32;
  config.n_heads = config.n_kv_heads = 1;
  config.head_dim = 32;
  config.n_taps = 3;
  return config;
}

std::vector<int32_t> PageIds(int32_t first, size_t n) {
  std::vector<int32_t> ids(n);
  for (size_t i = 0; i < n; ++i) ids[i] = first + static_cast<int32_t>(i);
  return ids;
}

class PrefixCacheTest : public testing::Test {
 protected:
  std::vector<PrefixCache::PageRef> Take(int64_t n) { return pool_.Take(n).value(); }

  model::PagePool pool_{model::StateLayout(SmallConfig(), kernels::KvType::kF16), 64};
  PrefixCache cache_{1000};
};

TEST_F(PrefixCacheTest, FindsTheLongestBeginning) {
  const auto ids = PageIds(0, 300);
  auto pages = Take(4);
  cache_.Insert("", ids, pages);
  EXPECT_EQ(cache_.Find("", ids, 0, 300), pages);
  EXPECT_EQ(cache_.Find("", ids, 0, 256).size(), 4U);
  EXPECT_EQ(cache_.Find("", ids, 0, 255).size(), 3U);
  EXPECT_EQ(cache_.Find("", ids, 128, 300), (std::vector<PrefixCache::PageRef>{pages[2], pages[3]}));
  auto other = ids;
  other[130] += 1;
  EXPECT_EQ(cache_.Find("", other, 0, 300).size(), 2U);
  EXPECT_TRUE(cache_.Find("another tenant", ids, 0, 300).empty());
  EXPECT_TRUE(cache_.Find("", std::span(ids).subspan(1), 0, 300).empty());
}

TEST_F(PrefixCacheTest, BranchesShareTheirStem) {
  const auto ids = PageIds(0, 192);
  auto other = ids;
  other[150] = 7;
  const auto pages = Take(3), others = Take(3);
  cache_.Insert("", ids, pages);
  cache_.Insert("", other, others);
  EXPECT_EQ(cache_.n_pages(), 4);
  const auto found = cache_.Find("", other, 0, 192);
  EXPECT_EQ(found[0], pages[0]) << "the first one stays";
  EXPECT_EQ(found[2], others[2]);
}

TEST_F(PrefixCacheTest, EvictsLeavesThatNobodyUses) {
  const auto ids = PageIds(0, 256), cold = PageIds(1000, 128);
  cache_.Insert("a", cold, Take(2));
  cache_.Insert("b", ids, Take(4));
  EXPECT_EQ(pool_.n_used(), 6);
  auto in_use = cache_.Find("b", ids, 0, 128);  // the first two pages
  EXPECT_EQ(cache_.Evict(1), 1);
  EXPECT_EQ(cache_.Find("a", cold, 0, 128).size(), 1U) << "the coldest leaf, its parent after it";
  EXPECT_EQ(cache_.Evict(100), 3) << "all that is not in use";
  EXPECT_EQ(cache_.Find("b", ids, 0, 256).size(), 2U);
  EXPECT_EQ(cache_.Evict(1), 0);
  in_use.clear();
  EXPECT_EQ(cache_.Evict(100), 2);
  EXPECT_EQ(pool_.n_used(), 0);
  EXPECT_EQ(cache_.n_evicted(), 6);
}

TEST_F(PrefixCacheTest, KeepsWhatCostsMoreAndWhatIsAskedFor) {
  const auto deep = PageIds(0, 64 * 20), shallow = PageIds(5000, 64);
  cache_.Insert("", deep, Take(20));
  cache_.Insert("", shallow, Take(1));  // newer, but read again at once
  EXPECT_EQ(cache_.Evict(1), 1);
  EXPECT_TRUE(cache_.Find("", shallow, 0, 64).empty());
  EXPECT_EQ(cache_.Find("", deep, 0, 64 * 20).size(), 20U);
  // But nothing is kept for ever: what is asked for again and again outlives it.
  const auto asked = PageIds(9000, 64);
  cache_.Insert("", asked, Take(1));
  for (int i = 0; i < 30; ++i) {
    cache_.Find("", asked, 0, 64);
    if (cache_.n_pages() > 1) {
      EXPECT_EQ(cache_.Evict(1), 1);
    }
  }
  EXPECT_EQ(cache_.n_pages(), 1);
}

class PrefixFileTest : public PrefixCacheTest {
 protected:
  void SetUp() override {
    const std::string path = folder_ / "prefix.bin";
    key_.page_bytes = pool_.layout().page_bytes;
    key_.layout = pool_.layout().fingerprint;
    key_.model = 42;
    key_.vocab_size = 100;
    auto pages = Take(3);
    std::fill_n(pages[2]->data(), key_.page_bytes, std::byte{5});
    cache_.Insert("one", PageIds(0, 192), pages);
    cache_.Insert("two", PageIds(0, 64), Take(1));
    ASSERT_TRUE(WritePrefixFile(path, key_, cache_).ok());
    auto bytes = ReadWholeFile(path);
    ASSERT_TRUE(bytes.ok());
    bytes_ = std::move(*bytes);
  }

  Status Read(const PrefixFileKey& key, std::string_view bytes) {
    n_pages_ = 0;
    return ReadPrefixFile(std::as_bytes(std::span(bytes.data(), bytes.size())), key, [&](const PrefixFilePage& page) {
      if (n_pages_ == 2) {
        EXPECT_EQ(page.tenant, "one");
        EXPECT_EQ(page.parent, 1);
        EXPECT_EQ(page.data[0], std::byte{5});
        EXPECT_EQ(page.ids[0], 128);
      }
      ++n_pages_;
      return true;
    });
  }

  test::TempFolder folder_;
  std::string bytes_;
  PrefixFileKey key_;
  int n_pages_ = 0;
};

TEST_F(PrefixFileTest, GivesBackWhatWasWritten) {
  EXPECT_TRUE(Read(key_, bytes_).ok());
  EXPECT_EQ(n_pages_, 4);
}

TEST_F(PrefixFileTest, RefusesStaleAndDamagedFilesAsAWhole) {
  PrefixFileKey other = key_;
  other.model += 1;
  EXPECT_EQ(Read(other, bytes_).error().code, ErrorCode::kInvalidArgument);
  other = key_;
  other.layout += 1;
  EXPECT_EQ(Read(other, bytes_).error().code, ErrorCode::kInvalidArgument);
  for (const size_t at : {size_t{1}, size_t{70}, bytes_.size() / 2, bytes_.size() - 1}) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(Read(key_, damaged).ok()) << at;
    EXPECT_EQ(n_pages_, 0);
  }
  for (const size_t n : {size_t{0}, size_t{8}, size_t{60}, bytes_.size() - 1}) {
    EXPECT_EQ(Read(key_, std::string_view(bytes_).substr(0, n)).error().code, ErrorCode::kCorrupt) << n;
  }
  EXPECT_EQ(Read(key_, std::string_view()).error().code, ErrorCode::kCorrupt);  // no bytes have no address either
  EXPECT_FALSE(Read(key_, bytes_ + "x").ok());
  for (const std::string_view text :
       {"k", "my notes", "# notes\nthat are longer than the header of a prefix cache is, which has 56 bytes\n"}) {
    EXPECT_EQ(Read(key_, text).error().code, ErrorCode::kUnsupported) << text;
  }
}

}  // namespace
}  // namespace lfm::engine
