// The small parts: hashes, partial states, headers, API answers, locks.
#include <gtest/gtest.h>

#include "hub/hash.h"
#include "hub/hub_fixture.h"
#include "hub/partial.h"
#include "hub/posix.h"
#include "hub/repo.h"

namespace lfm::hub {
namespace {

TEST(Hash, KnownValues) {
  test::TemporaryFolder folder;
  const std::string path = folder.path() + "/x";
  test::WriteText(path, "hello\n");
  EXPECT_EQ(HashFile(path, HashKind::kGitBlob).value(), "ce013625030ba8dba906f756967f9e9ca394464a");
  EXPECT_EQ(HashFile(path, HashKind::kSha256).value(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  test::WriteText(path, "");
  EXPECT_EQ(HashFile(path, HashKind::kGitBlob).value(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_FALSE(HashFile(folder.path() + "/none", HashKind::kSha256).ok());
  EXPECT_FALSE(HashFile(path, HashKind::kNone).ok());
  std::atomic<bool> cancel{true};
  EXPECT_EQ(HashFile(path, HashKind::kSha256, &cancel).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(HashKindOf(std::string(64, 'a')), HashKind::kSha256);
  EXPECT_EQ(HashKindOf(std::string(40, '1')), HashKind::kGitBlob);
  EXPECT_EQ(HashKindOf(std::string(40, 'g')), HashKind::kNone);
  EXPECT_EQ(HashKindOf(""), HashKind::kNone);
}

TEST(Partial, RoundTripAndDamage) {
  PartialState state = PartialState::Fresh({1000, "etag", "date"}, 300);
  ASSERT_EQ(state.done.size(), 4u);
  EXPECT_EQ(state.PartSize(3), 100u);
  state.done = {300, 5, 0, 100};
  const auto again = PartialState::Parse(state.Serialize());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value().done, state.done);
  EXPECT_EQ(again.value().TotalDone(), 405u);
  EXPECT_EQ(again.value().identity.etag, "etag");
  for (const char* bad :
       {"", "{}", "[]", "{\"version\":1,\"size\":10,\"part_bytes\":0,\"done\":[]}",
        "{\"version\":1,\"size\":10,\"part_bytes\":10,\"done\":[11]}",
        "{\"version\":1,\"size\":10,\"part_bytes\":5,\"done\":[1]}", "{\"version\":1,\"size\":-1,\"part_bytes\":5,\"done\":[]}",
        "{\"version\":1,\"size\":10,\"part_bytes\":10,\"done\":[-1]}",
        "{\"version\":1,\"size\":9e18,\"part_bytes\":1,\"done\":[1]}"}) {
    EXPECT_FALSE(PartialState::Parse(bad).ok()) << bad;
  }
  EXPECT_TRUE(PartialState::Fresh({0, "e", ""}, 300).Complete());
}

TEST(Partial, OnlyForTheSameContent) {
  test::TemporaryFolder folder;
  const std::string data = folder.path() + "/d", meta = folder.path() + "/d.json";
  test::WriteText(data, std::string(10, 'x'));
  test::WriteText(meta, PartialState::Fresh({10, "e", "d"}, 4).Serialize());
  EXPECT_TRUE(LoadPartial(data, meta, {10, "e", "d"}));
  EXPECT_FALSE(LoadPartial(data, meta, {10, "f", "d"}));
  EXPECT_FALSE(LoadPartial(data, meta, {10, "e", "x"}));
  EXPECT_FALSE(LoadPartial(data, meta, {11, "e", "d"}));
  EXPECT_FALSE(LoadPartial(data + "x", meta, {10, "e", "d"}));
  test::WriteText(meta, PartialState::Fresh({10, "", ""}, 4).Serialize());
  EXPECT_FALSE(LoadPartial(data, meta, {10, "", ""}));  // nothing tells that it is the same
}

TEST(Headers, ContentRange) {
  const auto range = ParseContentRange("bytes 5-9/100");
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range.value().first, 5u);
  EXPECT_EQ(range.value().last, 9u);
  EXPECT_EQ(range.value().total, 100u);
  for (const char* bad : {"", "bytes", "bytes 5-9", "bytes 9-5/100", "bytes 5-100/100", "bytes a-b/c", "items 5-9/100",
                          "bytes 5-9/*", "bytes */100", "bytes 5-9/99999999999999999999999", "bytes -5-9/100"}) {
    EXPECT_FALSE(ParseContentRange(bad).ok()) << bad;
  }
}

TEST(Headers, LinkAndEtag) {
  EXPECT_EQ(NextLink("<https://h/a?cursor=x,y>; rel=\"next\""), "https://h/a?cursor=x,y");
  EXPECT_EQ(NextLink("<https://h/0>; rel=\"prev\", <https://h/2>; rel=\"next\""), "https://h/2");
  EXPECT_EQ(NextLink("<https://h/0>; rel=\"last\""), "");
  EXPECT_EQ(NextLink("<<<>>;;,,"), "");
  EXPECT_EQ(NextLink(""), "");
  EXPECT_EQ(NormalizeEtag("W/\"abc\""), "abc");
  EXPECT_EQ(NormalizeEtag("\"abc\""), "abc");
  EXPECT_EQ(NormalizeEtag("\"../../x\""), "");
  EXPECT_EQ(NormalizeEtag("\"..\""), "");
  EXPECT_EQ(NormalizeEtag(""), "");
}

TEST(Headers, RetryAfter) {
  const auto seconds = [](const std::string& text) { return RetryAfter({"", 429, {{"retry-after", text}}}); };
  EXPECT_EQ(seconds("7"), 7.0);
  EXPECT_EQ(seconds("0.5"), 0.5);
  EXPECT_EQ(seconds("-3"), 0.0);
  EXPECT_EQ(seconds("Wed, 21 Oct 2015 07:28:00 GMT"), 0.0);
  EXPECT_GT(seconds("Wed, 21 Oct 2099 07:28:00 GMT").value_or(0), 1e6);
  EXPECT_FALSE(seconds("soon"));
  EXPECT_FALSE(seconds("inf"));
}

TEST(Api, Answers) {
  const std::string sha(40, '1'), hash(64, '2');
  EXPECT_EQ(ParseRevisionAnswer("{\"sha\": \"" + sha + "\"}").value().commit, sha);
  EXPECT_FALSE(ParseRevisionAnswer("{\"sha\": \"../x\"}").ok());
  EXPECT_FALSE(ParseRevisionAnswer("<html>").ok());
  const auto files = ParseTree(
      "[{\"type\":\"directory\",\"path\":\"d\"},"
      "{\"type\":\"file\",\"path\":\"a.json\",\"size\":3,\"oid\":\"" +
      sha +
      "\"},"
      "{\"type\":\"file\",\"path\":\"b.gguf\",\"size\":9,\"oid\":\"" +
      sha + "\",\"lfs\":{\"oid\":\"" + hash + "\",\"size\":9,\"pointerSize\":1},\"xetHash\":\"x\"}]");
  ASSERT_TRUE(files.ok()) << files.error().message;
  ASSERT_EQ(files.value().size(), 2u);
  EXPECT_EQ(files.value()[0].etag, sha);
  EXPECT_EQ(files.value()[1].etag, hash);
  EXPECT_EQ(files.value()[1].size, 9u);
  for (const char* bad :
       {"{}", "[", "[{\"type\":\"file\"}]", "[{\"type\":\"file\",\"path\":\"../x\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"/x\",\"size\":1}]", "[{\"type\":\"file\",\"path\":\"x\",\"size\":-1}]",
        "[{\"type\":\"file\",\"path\":\"a\\\\b\",\"size\":1}]", "[{\"type\":\"file\",\"path\":\"a\\u0000b\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"x\",\"size\":1e30}]"}) {
    EXPECT_FALSE(ParseTree(bad).ok()) << bad;
  }
}

TEST(Locks, OneAtATime) {
  test::TemporaryFolder folder;
  const std::string path = folder.path() + "/l";
  {
    const auto first = FileLock::TryAcquire(path);
    ASSERT_TRUE(first.ok() && first.value());
    EXPECT_FALSE(FileLock::TryAcquire(path).value());
    std::atomic<bool> cancel{true};
    bool waited = false;
    EXPECT_EQ(FileLock::Acquire(path, &cancel, [&] { waited = true; }).error().code, ErrorCode::kCancelled);
    EXPECT_TRUE(waited);
  }
  EXPECT_TRUE(FileLock::TryAcquire(path).value());
  EXPECT_FALSE(FileLock::TryAcquire(folder.path() + "/no/such/folder/l").ok());
}

}  // namespace
}  // namespace lfm::hub
