// Listing, checking, resolving and removing, over caches made by hand as huggingface_hub makes them.
#include "hub/cache.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "hub/hub_fixture.h"
#include "hub/posix.h"

namespace lfm::hub::test {
namespace {

namespace fs = std::filesystem;

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() { environment_ = FastOptions("http://127.0.0.1:1", folder_.path()).environment; }

  // A file in a snapshot, with its blob.
  void Add(const std::string& repo, const std::string& commit, const std::string& file, const std::string& content) {
    const RepoFolders folders = FoldersOf(environment_, repo);
    const std::string etag = EtagOf({content});
    WriteText(folders.blobs + "/" + etag, content);
    ASSERT_TRUE(LinkIntoSnapshot(folders, commit, file, etag).ok());
  }
  void Ref(const std::string& repo, const std::string& ref, const std::string& commit) {
    ASSERT_TRUE(WriteRef(FoldersOf(environment_, repo), ref, commit).ok());
  }
  std::string Resolve(const std::string& name) {
    const auto model = ResolveModel(name, environment_, uint64_t{64} << 30);
    return model.ok() ? model.value().name : "error: " + model.error().message;
  }
  std::string Names() {
    std::string names;
    for (const CachedModel& model : ListModels(environment_)) {
      names += model.name + (model.missing.empty() ? "" : " (missing " + model.missing + ")") + "\n";
    }
    return names;
  }

  const std::string one_ = std::string(40, '1'), two_ = std::string(40, '2');
  TemporaryFolder folder_;
  Environment environment_;
};

TEST_F(CacheTest, ListAndResolve) {
  Add("a/b-GGUF", one_, "x-Q4_0.gguf", "old");
  Add("a/b-GGUF", two_, "x-Q4_0.gguf", "four");
  Add("a/b-GGUF", two_, "x-Q8_0.gguf", "eight");
  Add("a/b-GGUF", two_, "README.md", "text");
  Ref("a/b-GGUF", "main", two_);
  Add("a/f", one_, "config.json", "{\"model_type\": \"lfm2_moe\"}");
  Add("a/f", one_, "model.safetensors", "weights");
  Add("a/part", one_, "config.json", "{}");
  Add("a/part", one_, "model.safetensors.index.json", "{\"weight_map\": {\"t\": \"m2.safetensors\"}}");
  Add("a/shards", one_, "s/y-Q6_K-00001-of-00002.gguf", "first");
  Ref("a/shards", "main", one_);
  Ref("a/part", "main", one_);
  Ref("a/f", "refs/pr/1", one_);
  Ref("a/f", "main", one_);
  WriteText(environment_.cache + "/version.txt", "1");
  fs::create_directories(environment_.cache + "/datasets--x--y/snapshots");
  EXPECT_EQ(Names(), StrCat("a/b-GGUF:Q4_0\n", "a/b-GGUF:Q4_0@", one_, "\na/b-GGUF:Q8_0\na/f\n",
                            "a/part (missing m2.safetensors)\na/shards:Q6_K (missing 1 of 2 shards)\n"));
  EXPECT_EQ(Resolve("a/b-GGUF"), "a/b-GGUF:Q8_0");
  EXPECT_EQ(Resolve("a/b-GGUF:q4_0"), "a/b-GGUF:Q4_0");
  EXPECT_EQ(Resolve("a/b-GGUF:Q4_0@" + one_), "a/b-GGUF:Q4_0@" + one_);
  EXPECT_EQ(Resolve("a/b-GGUF/x-Q8_0.gguf"), "a/b-GGUF:Q8_0");
  EXPECT_EQ(Resolve("https://huggingface.co/a/b-GGUF/blob/main/x-Q8_0.gguf"), "a/b-GGUF:Q8_0");
  EXPECT_EQ(Resolve("a/f"), "a/f");
  EXPECT_EQ(Resolve("a/f@refs/pr/1"), "a/f");
  EXPECT_EQ(ResolveModel("a/f", environment_, 0).value().path, FoldersOf(environment_, "a/f").snapshots + "/" + one_);
  EXPECT_NE(Resolve("a/part").find("run: lfm pull a/part"), std::string::npos);
  EXPECT_NE(Resolve("a/shards").find("shards"), std::string::npos);
  EXPECT_NE(Resolve("a/b-GGUF:Q2_K").find("there is: Q4_0, Q8_0"), std::string::npos) << Resolve("a/b-GGUF:Q2_K");
  EXPECT_NE(Resolve("lfm2-8b-a1b").find("run: lfm pull LiquidAI/LFM2-8B-A1B-GGUF"), std::string::npos);
  EXPECT_NE(Resolve("/no/such.gguf").find("no file"), std::string::npos);
  EXPECT_EQ(Resolve(folder_.path()), folder_.path());
}

TEST_F(CacheTest, OneSnapshotWithoutARefIsEnough) {
  Add("a/b", one_, "x-Q4_0.gguf", "x");
  EXPECT_EQ(Resolve("a/b"), "a/b:Q4_0@" + one_);
  Add("a/b", two_, "x-Q4_0.gguf", "y");
  EXPECT_NE(Resolve("a/b").find("error"), std::string::npos);
}

TEST_F(CacheTest, CheckFindsAFlippedByte) {
  Add("a/b", one_, "x-Q4_0.gguf", "content");
  const auto model = ListModels(environment_)[0];
  EXPECT_EQ(CheckModel(model, nullptr).value()[0].verdict, FileCheck::Verdict::kGood);
  WriteText(fs::canonical(model.path), "cOntent");
  const auto checks = CheckModel(model, nullptr);
  EXPECT_EQ(checks.value()[0].verdict, FileCheck::Verdict::kDamaged);
  EXPECT_NE(checks.value()[0].message.find("lfm pull --check"), std::string::npos);
}

TEST_F(CacheTest, RemovesOnlyWhatNobodyNeeds) {
  Add("a/b", one_, "x-Q4_0.gguf", "shared");
  Add("a/b", two_, "x-Q4_0.gguf", "shared");
  Add("a/b", two_, "x-Q8_0.gguf", "eight!");
  Ref("a/b", "main", two_);
  Ref("a/b", "v1", one_);
  const RepoFolders folders = FoldersOf(environment_, "a/b");
  const std::string shared = folders.blobs + "/" + EtagOf({"shared"});

  auto removal = RemoveModel("a/b:Q4_0@v1", environment_, true);
  ASSERT_TRUE(removal.ok()) << removal.error().message;
  EXPECT_EQ(removal.value().bytes, 0u);
  EXPECT_TRUE(fs::exists(folders.snapshots + "/" + one_));
  removal = RemoveModel("a/b:Q4_0@v1", environment_, false);
  EXPECT_TRUE(removal.ok());
  EXPECT_FALSE(fs::exists(folders.snapshots + "/" + one_));
  EXPECT_FALSE(fs::exists(folders.refs + "/v1"));
  EXPECT_TRUE(fs::exists(shared));

  removal = RemoveModel("a/b:Q4_0", environment_, false);
  EXPECT_EQ(removal.value().bytes, 6u);
  EXPECT_FALSE(fs::exists(shared));
  EXPECT_EQ(Names(), "a/b:Q8_0\n");
  EXPECT_FALSE(RemoveModel("a/b:Q4_0", environment_, false).ok());
  EXPECT_TRUE(RemoveModel("a/b:Q8_0", environment_, false).ok());
  EXPECT_FALSE(fs::exists(folders.root));
  EXPECT_FALSE(RemoveModel("a/b", environment_, false).ok());
  EXPECT_FALSE(RemoveModel(folder_.path(), environment_, false).ok());
}

TEST_F(CacheTest, RemovalNeverFollowsLinks) {
  Add("a/b", one_, "x-Q4_0.gguf", "x");
  Ref("a/b", "main", one_);
  WriteText(folder_.path() + "/precious/file", "keep");
  const RepoFolders folders = FoldersOf(environment_, "a/b");
  fs::create_directory_symlink(folder_.path() + "/precious", folders.snapshots + "/" + one_ + "/link");
  fs::create_symlink(folder_.path() + "/precious/file", folders.snapshots + "/" + one_ + "/y-Q8_0.gguf");
  EXPECT_TRUE(RemoveModel("a/b:Q8_0", environment_, false).ok());
  EXPECT_EQ(ReadText(folder_.path() + "/precious/file"), "keep");
  EXPECT_TRUE(RemoveModel("a/b", environment_, false).ok());
  EXPECT_EQ(ReadText(folder_.path() + "/precious/file"), "keep");
}

TEST_F(CacheTest, NotWhileItIsFetched) {
  Add("a/b", one_, "x-Q4_0.gguf", "x");
  const RepoFolders folders = FoldersOf(environment_, "a/b");
  ASSERT_TRUE(MakeFolders(folders.locks).ok());
  const auto lock = FileLock::TryAcquire(folders.locks + "/abc.lock");
  const auto removal = RemoveModel("a/b", environment_, false);
  ASSERT_FALSE(removal.ok());
  EXPECT_NE(removal.error().message.find("another program"), std::string::npos);
  EXPECT_TRUE(fs::exists(folders.root));
}

TEST_F(CacheTest, DamagedRefsAndLoopsAreHarmless) {
  Add("a/b", one_, "x-Q4_0.gguf", "x");
  const RepoFolders folders = FoldersOf(environment_, "a/b");
  WriteText(folders.refs + "/main", "../../../../etc");
  fs::create_directory_symlink("..", folders.snapshots + "/" + one_ + "/loop");
  fs::create_symlink("nowhere", folders.snapshots + "/" + one_ + "/z-Q8_0.gguf");
  EXPECT_EQ(Names(), "a/b:Q4_0@" + one_ + "\n");
}

}  // namespace
}  // namespace lfm::hub::test
