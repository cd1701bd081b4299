// Pulls from a hub that behaves: names, layout, updates, offline, addresses.
#include "hub/pull.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "base/file.h"
#include "base/strings.h"
#include "hub/hub_fixture.h"

namespace lfm::hub::test {
namespace {

namespace fs = std::filesystem;

TEST_F(HubTest, GgufFileInTheCacheLayout) {
  uint64_t last = 0;
  options_.on_progress = [&](const PullProgress& progress) {
    EXPECT_EQ(progress.n_files, 1u);
    EXPECT_EQ(progress.total, Content().size());
    EXPECT_LE(progress.done, progress.total);
    last = progress.done;
  };
  const auto pulled = Pull(kQ4, options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_EQ(last, Content().size());
  EXPECT_EQ(pulled.value().received_bytes, Content().size());
  EXPECT_EQ(pulled.value().name, kQ4);
  EXPECT_EQ(ReadText(pulled.value().path), Content());

  const std::string etag = EtagOf({Content()});
  const std::string root = options_.environment.cache + "/models--LiquidAI--LFM2-Test-GGUF";
  EXPECT_EQ(ReadText(root + "/blobs/" + etag), Content());
  EXPECT_EQ(ReadText(root + "/refs/main"), hub_.commit);
  EXPECT_EQ(fs::read_symlink(root + "/snapshots/" + hub_.commit + "/" + kGguf), "../../blobs/" + etag);
  EXPECT_TRUE(fs::exists(options_.environment.cache + "/.locks/models--LiquidAI--LFM2-Test-GGUF/" + etag + ".lock"));
  EXPECT_TRUE(FilesWith(folder_.path(), "incomplete").empty());

  const uint64_t before = hub_.n_storage_requests;
  const auto plan = PlanPull(kQ4, options_);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan.value().is_here);
  EXPECT_EQ(plan.value().missing_bytes, 0u);
  EXPECT_EQ(RunPull(plan.value(), options_).value().received_bytes, 0u);
  EXPECT_EQ(hub_.n_storage_requests, before);
}

TEST_F(HubTest, WhatCannotRunIsSaidBeforeAByteIsFetched) {
  hub_.repos[kRepo] = {{"LFM2-Test-Q4_0_4_4.gguf", {RandomBytes(70001, 1)}}, {"LFM2-Test-Q4_K_M.gguf", {RandomBytes(90001, 2)}}};
  const auto refused = Pull(std::string(kRepo) + ":Q4_0_4_4", options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("Q4_K_M"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(Pull(std::string(kRepo) + "/LFM2-Test-Q4_0_4_4.gguf", options_).ok());
  options_.free_memory = 1;  // the smallest file would be chosen, if it ran
  EXPECT_EQ(PlanPull(kRepo, options_).value().files[0].path, "LFM2-Test-Q4_K_M.gguf");
  hub_.repos[kRepo].erase("LFM2-Test-Q4_K_M.gguf");
  EXPECT_EQ(Pull(kRepo, options_).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(hub_.storage_bytes, 0u);
}

TEST_F(HubTest, ForeignFamiliesAndTypesByTheHubsAnswer) {
  const auto answer = [&](const std::string& about) {
    hub_.SetFault([about](FakeHub::Site site, const Query& query, Reply& reply) {
      if (site != FakeHub::Site::kHub || query.target.find("/revision/") == std::string::npos) return;
      reply.body = reply.body.substr(0, reply.body.size() - 1) + ", " + about + "}";
    });
  };
  answer(R"("config": {"model_type": "llama"})");
  EXPECT_EQ(Pull("LiquidAI/LFM2-Test", options_).error().code, ErrorCode::kUnsupported);
  answer(R"("config": {"model_type": "lfm2"}, "safetensors": {"parameters": {"BF16": 10, "U8": 1000}})");
  EXPECT_EQ(Pull("LiquidAI/LFM2-Test", options_).error().code, ErrorCode::kUnsupported);
  answer(R"("gguf": {"architecture": "qwen3"})");
  EXPECT_EQ(Pull(kQ4, options_).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(hub_.storage_bytes, 0u);
  answer(R"("config": {"model_type": "lfm2"}, "safetensors": {"parameters": {"BF16": 1000, "I64": 10}})");
  EXPECT_TRUE(Pull("LiquidAI/LFM2-Test", options_).ok());
}

TEST_F(HubTest, AFolderIsCheckedBeforeItsWeights) {
  options_.check_folder = [&](const std::string& folder) -> Status {
    EXPECT_TRUE(fs::exists(folder + "/config.json"));
    EXPECT_FALSE(fs::exists(folder + "/model-00001-of-00002.safetensors"));
    return Error{ErrorCode::kUnsupported, "it is not wanted"};
  };
  const auto refused = Pull("LiquidAI/LFM2-Test", options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("it is not wanted"), std::string::npos);
  EXPECT_LT(hub_.storage_bytes, 10000u);  // the tokenizer
}

TEST_F(HubTest, TheBeginningOfAGgufFileIsCheckedBeforeTheRest) {
  const std::string content = RandomBytes(9 << 20, 3);
  hub_.repos[kRepo] = {{kGguf, {content}}};
  std::vector<size_t> asked;
  bool runs = false;
  options_.check_beginning = [&](std::string_view, std::span<const std::byte> beginning, uint64_t n_file) -> Result<bool> {
    EXPECT_EQ(n_file, content.size());
    EXPECT_EQ(std::memcmp(beginning.data(), content.data(), beginning.size()), 0);
    asked.push_back(beginning.size());
    if (asked.size() == 1) return false;
    return runs ? Result<bool>(true) : Error{ErrorCode::kUnsupported, "it is not wanted"};
  };
  const auto refused = Pull(kQ4, options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("it is not wanted; its weights were not fetched"), std::string::npos);
  EXPECT_EQ(asked, (std::vector<size_t>{1 << 20, 8 << 20}));
  EXPECT_EQ(hub_.storage_bytes, 8u << 20);
  EXPECT_TRUE(FilesWith(folder_.path(), "incomplete").empty());
  asked.clear();
  runs = true;
  EXPECT_TRUE(Pull(kQ4, options_).ok());
  EXPECT_EQ(asked.size(), 2u);
  // A server without ranges sends the whole file; it is not taken.
  asked.clear();
  runs = false;
  fs::remove_all(options_.environment.cache);
  hub_.SetFault([content](FakeHub::Site site, const Query& query, Reply& reply) {
    if (site == FakeHub::Site::kStorage && query.Has("range")) reply = Reply(), reply.body = content;
  });
  const auto whole = Pull(kQ4, options_);
  ASSERT_FALSE(whole.ok());
  EXPECT_NE(whole.error().message.find("it is not wanted; its weights were not fetched"), std::string::npos);
  EXPECT_EQ(asked, (std::vector<size_t>{1 << 20, 8 << 20}));
  // What the server does not tell stops nothing.
  asked.clear();
  fs::remove_all(options_.environment.cache);
  hub_.SetFault([](FakeHub::Site site, const Query& query, Reply& reply) {
    if (site == FakeHub::Site::kStorage && query.Has("range")) reply.status = 404;
  });
  static_cast<void>(Pull(kQ4, options_));
  EXPECT_TRUE(asked.empty());
}

TEST_F(HubTest, NothingForeignIsWrittenThroughOrReplaced) {
  const std::string victim = folder_.path() + "/victim", etag = EtagOf({Content()});
  WriteText(victim, "untouched");
  const std::string root = options_.environment.cache + "/models--LiquidAI--LFM2-Test-GGUF";
  const std::string lock = options_.environment.cache + "/.locks/models--LiquidAI--LFM2-Test-GGUF/" + etag + ".lock";
  for (const std::string& path :
       {lock, root + "/blobs/" + etag, root + "/refs/main.new", root + "/blobs/" + etag + ".lfm.incomplete.json.new"}) {
    fs::create_directories(fs::path(path).parent_path());
    fs::create_symlink(victim, path);
    static_cast<void>(Pull(kQ4, options_));
    EXPECT_EQ(ReadText(victim), "untouched") << path;
    EXPECT_TRUE(fs::is_symlink(path)) << path;
    fs::remove(path);
  }
  EXPECT_TRUE(Pull(kQ4, options_).ok());
}

TEST_F(HubTest, FolderWithItsTokenizer) {
  const auto pulled = Pull("LiquidAI/LFM2-Test", options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  for (const char* name : {"config.json", "tokenizer.json", "model-00001-of-00002.safetensors",
                           "model-00002-of-00002.safetensors", "model.safetensors.index.json"}) {
    EXPECT_EQ(ReadText(pulled.value().path + "/" + name), Content(name, "LiquidAI/LFM2-Test")) << name;
  }
  EXPECT_FALSE(fs::exists(pulled.value().path + "/onnx"));
  EXPECT_FALSE(fs::exists(pulled.value().path + "/README.md"));
}

TEST_F(HubTest, ChoosesATypeAndSaysWhy) {
  const auto plan = PlanPull(kRepo, options_);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_EQ(plan.value().full_name, std::string(kRepo) + ":Q8_0");
  EXPECT_NE(plan.value().reason.find("Q8_0"), std::string::npos);
}

TEST_F(HubTest, TypesAndFilesThatAreNotThere) {
  for (const std::string& name : {std::string(kRepo) + ":Q2_K", std::string(kRepo) + "/none.gguf"}) {
    const auto plan = PlanPull(name, options_);
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.error().code, ErrorCode::kNotFound);
    EXPECT_NE(plan.error().message.find("Q4_K_M, Q8_0"), std::string::npos) << plan.error().message;
  }
  hub_.repos["a/empty"] = {{"README.md", {"x", false}}};
  EXPECT_EQ(PlanPull("a/empty", options_).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(PlanPull("a/none", options_).error().code, ErrorCode::kNotFound);
}

TEST_F(HubTest, PagesOfTheTreeAndShards) {
  auto& files = hub_.repos["a/shards"];
  for (int i = 0; i < 25; ++i) files[StrCat("file-", i, ".txt")] = {StrCat(i), false};
  files["sub/x-Q4_0-00001-of-00002.gguf"] = {RandomBytes(1000, 7)};
  files["sub/x-Q4_0-00002-of-00002.gguf"] = {RandomBytes(2000, 8)};
  files["x-Q8_0-00001-of-00003.gguf"] = {"incomplete"};
  hub_.page_size = 4;
  const auto pulled = Pull("a/shards:q4_0", options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_EQ(ReadText(pulled.value().path), files["sub/x-Q4_0-00001-of-00002.gguf"].content);
  EXPECT_EQ(ReadText(fs::path(pulled.value().path).parent_path() / "x-Q4_0-00002-of-00002.gguf").size(), 2000u);
  EXPECT_FALSE(Pull("a/shards:q8_0", options_).ok());
}

TEST_F(HubTest, EmptyFileAndListingWithoutHashes) {
  hub_.list_hashes = false;
  hub_.repos["LiquidAI/LFM2-Test"]["empty.json"] = {"", false};
  const auto pulled = Pull("LiquidAI/LFM2-Test", options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_EQ(fs::file_size(pulled.value().path + "/empty.json"), 0u);
  EXPECT_TRUE(fs::exists(Folders("LiquidAI/LFM2-Test").blobs + "/" + EtagOf({Content("tokenizer.json", "LiquidAI/LFM2-Test")})));
}

TEST_F(HubTest, UpdateKeepsTheOldUntilTheNewIsWhole) {
  ASSERT_TRUE(Pull(kQ4, options_).ok());
  const std::string old = hub_.commit, old_content = Content();
  hub_.commit = std::string(40, 'f');
  hub_.repos[kRepo][kGguf].content = RandomBytes(650000, 99);
  hub_.SetFault([](FakeHub::Site site, const Query&, Reply& reply) {
    if (site == FakeHub::Site::kStorage) reply = Reply(), reply.status = 403;
  });
  EXPECT_FALSE(Pull(kQ4, options_).ok());
  EXPECT_EQ(ReadText(Folders().refs + "/main"), old);
  EXPECT_EQ(ReadText(ResolveModel(kQ4, options_.environment, 0).value().path), old_content);
  hub_.SetFault({});
  ASSERT_TRUE(Pull(kQ4, options_).ok());
  EXPECT_EQ(ReadText(Folders().refs + "/main"), hub_.commit);
  EXPECT_EQ(ReadText(ResolveModel(kQ4, options_.environment, 0).value().path), Content());
}

TEST_F(HubTest, TokenStaysAtTheHub) {
  hub_.token = "hf_secret";
  const auto refused = Pull(kQ4, options_);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("HF_TOKEN"), std::string::npos) << refused.error().message;
  options_.environment.token = "hf_secret";
  ASSERT_TRUE(Pull(kQ4, options_).ok());
  EXPECT_FALSE(hub_.token_leaked);
  EXPECT_GT(hub_.n_storage_requests, 0u);
}

TEST_F(HubTest, Offline) {
  options_.environment.offline = true;
  const auto none = Pull(kQ4, options_);
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().message.find("HF_HUB_OFFLINE"), std::string::npos);
  EXPECT_EQ(hub_.n_requests, 0u);
  options_.environment.offline = false;
  ASSERT_TRUE(Pull(kQ4, options_).ok());
  options_.environment.offline = true;
  const uint64_t before = hub_.n_requests;
  EXPECT_EQ(ReadText(Pull(kQ4, options_).value().path), Content());
  EXPECT_EQ(hub_.n_requests, before);
}

TEST_F(HubTest, UnsafeNamesAreRefused) {
  hub_.repos["a/evil"] = {{"../../../escape.gguf", {"x"}}};
  const auto pulled = Pull("a/evil", options_);
  ASSERT_FALSE(pulled.ok());
  EXPECT_NE(pulled.error().message.find("unsafe"), std::string::npos);
  EXPECT_TRUE(FilesWith(folder_.path(), "escape").empty());
}

TEST_F(HubTest, VerifyRepairsADamagedFile) {
  const auto pulled = Pull(kQ4, options_);
  ASSERT_TRUE(pulled.ok());
  std::string damaged = Content();
  damaged[12345] ^= 1;
  WriteText(Folders().blobs + "/" + EtagOf({Content()}), damaged);
  EXPECT_EQ(Pull(kQ4, options_).value().received_bytes, 0u);  // the size is right, so nobody looks
  options_.verify = true;
  const auto again = Pull(kQ4, options_);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again.value().received_bytes, Content().size());
  EXPECT_EQ(ReadText(pulled.value().path), Content());
  EXPECT_EQ(Pull(kQ4, options_).value().received_bytes, 0u);
}

TEST_F(HubTest, TwoAtOnceFetchOnce) {
  const auto second_waits = std::make_shared<Gate>(false);
  hub_.SetFault([second_waits](FakeHub::Site site, const Query&, Reply& reply) {
    if (site == FakeHub::Site::kStorage) reply.gate = second_waits;
  });
  PullOptions other = options_;
  std::string told;
  other.download.on_message = [&](std::string_view text) {
    told += text;
    *second_waits = true;
  };
  std::thread first([&] { EXPECT_TRUE(Pull(kQ4, options_).ok()); });
  while (hub_.n_storage_requests == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto second = Pull(kQ4, other);
  first.join();
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(second.value().received_bytes, 0u);
  EXPECT_NE(told.find("waiting"), std::string::npos) << told;
  EXPECT_EQ(hub_.storage_bytes, Content().size());
}

// The rest of the file never comes, so that the pull ends by nothing but its being cancelled.
TEST_F(HubTest, CancelAndResume) {
  std::atomic<bool> cancel{false};
  hub_.SetFault([n = 0, never = std::make_shared<Gate>(false)](FakeHub::Site site, const Query&, Reply& reply) mutable {
    if (site == FakeHub::Site::kStorage && ++n > 5) reply.gate = never;
  });
  options_.download.cancel = &cancel;
  options_.on_progress = [&](const PullProgress& progress) {
    if (progress.done > 200000) cancel = true;
  };
  const auto cancelled = Pull(kQ4, options_);
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kCancelled) << cancelled.error().message;
  EXPECT_FALSE(FilesWith(folder_.path(), ".lfm.incomplete").empty());
  hub_.SetFault({});
  cancel = false;
  options_.on_progress = {};
  const auto resumed = Pull(kQ4, options_);
  ASSERT_TRUE(resumed.ok()) << resumed.error().message;
  EXPECT_LT(resumed.value().received_bytes, Content().size() - 100000);
  EXPECT_EQ(ReadText(resumed.value().path), Content());
}

TEST_F(HubTest, CancelWhileNothingArrives) {
  std::atomic<bool> cancel{false};
  hub_.SetFault([never = std::make_shared<Gate>(false)](FakeHub::Site site, const Query&, Reply& reply) {
    if (site == FakeHub::Site::kStorage) reply.gate = never;
  });
  options_.download.cancel = &cancel;
  options_.download.http.stall_timeout_s = 600;
  std::thread canceller([&] {
    while (hub_.n_storage_requests == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // into the middle of the waiting, mostly
    cancel = true;
  });
  const auto pulled = Pull(kQ4, options_);
  canceller.join();
  ASSERT_FALSE(pulled.ok());
  EXPECT_EQ(pulled.error().code, ErrorCode::kCancelled);
}

// A plain server, no hub.
class AddressTest : public ::testing::Test {
 protected:
  AddressTest() : content_(RandomBytes(500000, 11)), etag_("\"v1\""), server_([this](const Query& q) { return Answer(q); }) {
    options_ = FastOptions("http://127.0.0.1:1", folder_.path());
  }
  Reply Answer(const Query& query) {
    const std::lock_guard lock(mutex_);
    Reply reply = RangeReply(query, content_);
    if (!etag_.empty()) reply.Set("ETag", etag_);
    if (change_) change_(query, reply);
    return reply;
  }
  std::string Url() const { return server_.Origin() + "/models/x-Q4_0.gguf"; }

  std::mutex mutex_;
  std::string content_, etag_;
  std::function<void(const Query&, Reply&)> change_;
  TemporaryFolder folder_;
  FaultServer server_;
  PullOptions options_;
};

TEST_F(AddressTest, FetchListResolveRemove) {
  const auto pulled = Pull(Url(), options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_EQ(ReadText(pulled.value().path), content_);
  EXPECT_EQ(Pull(Url(), options_).value().received_bytes, 0u);
  EXPECT_EQ(ResolveModel(Url(), options_.environment, 0).value().path, pulled.value().path);
  const auto models = ListModels(options_.environment);
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].name, Url());
  EXPECT_EQ(models[0].type, "Q4_0");
  EXPECT_EQ(CheckModel(models[0], nullptr).value()[0].verdict, FileCheck::Verdict::kGood);
  EXPECT_EQ(RemoveModel(Url(), options_.environment, false).value().bytes / 1000, content_.size() / 1000);
  EXPECT_TRUE(ListModels(options_.environment).empty());
  EXPECT_FALSE(ResolveModel(Url(), options_.environment, 0).ok());
}

TEST_F(AddressTest, HashInTheAddress) {
  const std::string right = EtagOf({content_});
  ASSERT_TRUE(Pull(Url() + "#sha256=" + right, options_).ok());
  const auto wrong = Pull(Url() + "#sha256=" + std::string(64, '0'), options_);
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message.find("hash"), std::string::npos);
}

TEST_F(AddressTest, ChangeBetweenTwoRangesStartsAgain) {
  const std::string other = RandomBytes(500000, 12);
  change_ = [this, other, n = 0](const Query& query, Reply& reply) mutable {
    if (++n == 4) etag_ = "\"v2\"", content_ = other;
    if (n >= 4) reply = RangeReply(query, content_), reply.Set("ETag", etag_);
  };
  const auto pulled = Pull(Url(), options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_EQ(ReadText(pulled.value().path), other);
}

TEST_F(AddressTest, ContentThatNeverRests) {
  change_ = [n = 0](const Query&, Reply& reply) mutable { reply.Set("ETag", StrCat("\"", ++n, "\"")); };
  const auto pulled = Pull(Url(), options_);
  ASSERT_FALSE(pulled.ok());
  EXPECT_NE(pulled.error().message.find("changed"), std::string::npos);
  EXPECT_TRUE(FilesWith(folder_.path(), "x-Q4_0").empty());
}

TEST_F(AddressTest, ServersWithoutRangesHeadOrLength) {
  change_ = [this](const Query& query, Reply& reply) {
    if (query.Has("range")) reply = Reply(), reply.body = content_, reply.Set("ETag", etag_);
  };
  EXPECT_EQ(ReadText(Pull(Url(), options_).value().path), content_);
  ASSERT_TRUE(RemoveModel(Url(), options_.environment, false).ok());
  change_ = [](const Query& query, Reply& reply) {
    if (query.method == "HEAD") reply = Reply(), reply.status = 403;
  };
  const auto pulled = Pull(Url(), options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_EQ(ReadText(pulled.value().path), content_);
}

TEST_F(AddressTest, FilePaths) {
  WriteText(folder_.path() + "/here.gguf", "x");
  EXPECT_EQ(Pull("file://" + folder_.path() + "/here.gguf", options_).value().path, folder_.path() + "/here.gguf");
  EXPECT_EQ(Pull("file://" + folder_.path() + "/none.gguf", options_).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace lfm::hub::test
