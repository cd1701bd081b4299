// Pulls from a hub that misbehaves, each fault by itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "base/strings.h"
#include "hub/hub_fixture.h"
#include "hub/pull.h"

namespace lfm::hub::test {
namespace {

namespace fs = std::filesystem;
using Site = FakeHub::Site;

class FaultTest : public HubTest {
 protected:
  std::string BlobPath() { return Folders().blobs + "/" + EtagOf({Content()}); }

  // An error that says something, and nothing under the final names.
  void ExpectFailure(const Result<Pulled>& pulled, const std::string& part) {
    ASSERT_FALSE(pulled.ok());
    EXPECT_NE(pulled.error().message.find(part), std::string::npos) << pulled.error().message;
    EXPECT_FALSE(fs::exists(BlobPath()));
    EXPECT_FALSE(fs::exists(Folders().snapshots + "/" + hub_.commit + "/" + kGguf));
  }

  // What the next pull from a healthy hub must do.
  void ExpectCleanPull() {
    hub_.SetFault({});
    options_.download.write = {};
    options_.download.cancel = nullptr;
    const auto pulled = Pull(kQ4, options_);
    ASSERT_TRUE(pulled.ok()) << pulled.error().message;
    EXPECT_TRUE(ReadText(pulled.value().path) == Content());
    EXPECT_TRUE(FilesWith(folder_.path(), "incomplete").empty());
  }

  // Answers with `status` the first n times.
  void FailFirst(Site where, int n, int status, const std::string& header = "", const std::string& value = "") {
    auto count = std::make_shared<int>(0);
    hub_.SetFault([=](Site site, const Query&, Reply& reply) {
      if (site != where || (*count)++ >= n) return;
      reply = Reply();
      reply.status = status;
      if (!header.empty()) reply.Set(header, value);
    });
  }
};

TEST_F(FaultTest, StatusesThatPass) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    for (const Site site : {Site::kHub, Site::kStorage}) {
      FailFirst(site, 3, status);
      const auto pulled = Pull(kQ4, options_);
      ASSERT_TRUE(pulled.ok()) << status << " " << pulled.error().message;
      ASSERT_TRUE(RemoveModel(kRepo, options_.environment, false).ok());
    }
  }
}

TEST_F(FaultTest, StatusesThatStay) {
  for (const int status : {400, 401, 403, 404, 429, 500, 503}) {
    for (const Site site : {Site::kHub, Site::kStorage}) {
      FailFirst(site, 1000000, status);
      ExpectFailure(Pull(kQ4, options_), StrCat("HTTP ", status));
    }
  }
  ExpectCleanPull();
}

TEST_F(FaultTest, SignedAddressThatExpired) {
  FailFirst(Site::kStorage, 2, 403);
  EXPECT_TRUE(Pull(kQ4, options_).ok());
}

TEST_F(FaultTest, RetryAfterIsHonouredWithinBounds) {
  FailFirst(Site::kHub, 1, 429, "Retry-After", "1");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(Pull(kQ4, options_).ok());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(990));
  ASSERT_TRUE(RemoveModel(kRepo, options_.environment, false).ok());
  FailFirst(Site::kStorage, 1, 429, "Retry-After", "3600");
  ExpectFailure(Pull(kQ4, options_), "3600 s");
  ExpectCleanPull();
}

TEST_F(FaultTest, CutConnectionsGoOn) {
  hub_.SetFault([n = 0](Site site, const Query&, Reply& reply) mutable {
    if (site == Site::kStorage && ++n % 2) reply.cut_after = reply.body.size() / 3 + 1;
  });
  const auto pulled = Pull(kQ4, options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_TRUE(ReadText(pulled.value().path) == Content());
}

TEST_F(FaultTest, ServerThatIsGone) {
  options_.environment.endpoint = "http://127.0.0.1:1";
  ExpectFailure(Pull(kQ4, options_), "connect");
}

TEST_F(FaultTest, WrongBytesNeverGetTheName) {
  hub_.SetFault([](Site site, const Query&, Reply& reply) {
    if (site == Site::kStorage && !reply.body.empty()) reply.body[0] ^= 1;
  });
  ExpectFailure(Pull(kQ4, options_), "hash");
  EXPECT_TRUE(FilesWith(folder_.path(), "incomplete").empty());
  ExpectCleanPull();
}

TEST_F(FaultTest, DamagedPartialStartsAgain) {
  hub_.SetFault([n = 0](Site site, const Query&, Reply& reply) mutable {
    if (site == Site::kStorage && ++n > 4) reply = Reply(), reply.status = 404;
  });
  ASSERT_FALSE(Pull(kQ4, options_).ok());
  const auto partial = FilesWith(folder_.path(), ".lfm.incomplete");
  ASSERT_EQ(partial.size(), 2u);
  std::string bytes = ReadText(BlobPath() + ".lfm.incomplete");
  for (char& byte : bytes) byte ^= 1;
  WriteText(BlobPath() + ".lfm.incomplete", bytes);
  ExpectCleanPull();
  EXPECT_NE(messages_.find("starting again"), std::string::npos);
}

TEST_F(FaultTest, RangesIgnored) {
  hub_.SetFault([this](Site site, const Query& query, Reply& reply) {
    if (site == Site::kStorage && query.Has("range")) reply = Reply(), reply.body = Content();
  });
  const auto pulled = Pull(kQ4, options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_TRUE(ReadText(pulled.value().path) == Content());
  EXPECT_NE(messages_.find("ignores ranges"), std::string::npos);
}

TEST_F(FaultTest, WrongRanges) {
  hub_.SetFault([](Site site, const Query& query, Reply& reply) {
    if (site != Site::kStorage || !query.Has("range")) return;
    reply.Set("Content-Range", "bytes 0-9/700001");
    reply.body = reply.body.substr(0, 10);
  });
  ExpectFailure(Pull(kQ4, options_), "asked for");
  hub_.SetFault([](Site site, const Query& query, Reply& reply) {
    if (site == Site::kStorage && query.Has("range")) reply.Set("Content-Range", "nonsense");
  });
  ExpectFailure(Pull(kQ4, options_), "Content-Range");
  hub_.SetFault([](Site site, const Query&, Reply& reply) {
    if (site == Site::kStorage) reply.Set("Content-Encoding", "gzip");
  });
  ExpectFailure(Pull(kQ4, options_), "compressed");
  ExpectCleanPull();
}

TEST_F(FaultTest, MoreOrLessThanPromised) {
  hub_.SetFault([](Site site, const Query&, Reply& reply) {
    if (site == Site::kStorage) reply.body += "more";
  });
  ExpectFailure(Pull(kQ4, options_), "more");
  hub_.SetFault([](Site site, const Query&, Reply& reply) {
    if (site == Site::kStorage) reply.body.clear();
  });
  ExpectFailure(Pull(kQ4, options_), "too early");
  ExpectCleanPull();
}

TEST_F(FaultTest, EtagOfTheHubChanges) {
  hub_.SetFault([n = 0](Site site, const Query& query, Reply& reply) mutable {
    if (site == Site::kHub && query.target.find("/resolve/") != std::string::npos && ++n > 3) {
      reply.Set("X-Linked-Etag", "\"" + std::string(64, 'e') + "\"");
    }
  });
  ExpectFailure(Pull(kQ4, options_), "changed");
  ExpectCleanPull();
}

TEST_F(FaultTest, Redirects) {
  hub_.SetFault([](Site site, const Query& query, Reply& reply) {
    if (site == Site::kHub) reply = Reply(), reply.status = 302, reply.Set("Location", query.target);
  });
  ExpectFailure(Pull(kQ4, options_), "redirects more than");
  for (const std::string target : {"file:///etc/passwd", "ftp://127.0.0.1/x", "https://u:p@127.0.0.1/", "http://", ""}) {
    hub_.SetFault([target](Site site, const Query&, Reply& reply) {
      if (site == Site::kHub) reply = Reply(), reply.status = 302, reply.Set("Location", target);
    });
    ASSERT_FALSE(Pull(kQ4, options_).ok()) << target;
  }
  hub_.SetFault([](Site site, const Query& query, Reply& reply) {  // a relative one within the hub
    if (site == Site::kHub && query.target.find("moved") == std::string::npos && reply.status == 200) {
      reply = Reply(), reply.status = 307,
      reply.Set("Location", query.target + (query.target.find('?') == std::string::npos ? "?moved" : "&moved"));
    }
  });
  EXPECT_TRUE(Pull(kQ4, options_).ok());
}

TEST_F(FaultTest, NonsenseFromTheApi) {
  const auto answer = [&](const std::string& body) {
    hub_.SetFault([body](Site site, const Query& query, Reply& reply) {
      if (site == Site::kHub && query.target.rfind("/api/", 0) == 0) reply.body = body;
    });
    return Pull(kQ4, options_);
  };
  ExpectFailure(answer("<html>login</html>"), "no JSON");
  ExpectFailure(answer("{\"sha\": 5}"), "sha");
  ExpectFailure(answer(std::string(size_t{9} << 20, ' ')), "limit");
  hub_.SetFault([](Site site, const Query&, Reply& reply) {
    if (site == Site::kHub) reply.garbage = true;
  });
  ASSERT_FALSE(Pull(kQ4, options_).ok());
  hub_.SetFault([](Site site, const Query& query, Reply& reply) {  // a list without end
    if (site == Site::kHub && query.target.find("/tree/") != std::string::npos) {
      reply.Set("Link", StrCat("<http://", query.headers.at("host"), query.target, ">; rel=\"next\""));
    }
  });
  ExpectFailure(Pull(kQ4, options_), "pages");
  ExpectCleanPull();
}

// Without an end to its patience the pull would take hours, byte by byte.
TEST_F(FaultTest, SlowLoris) {
  options_.download.http.stall_timeout_s = 1;
  hub_.SetFault([n = 0](Site site, const Query&, Reply& reply) mutable {
    if (site == Site::kStorage && n++ < 2) reply.piece = 1, reply.pause_s = 0.3;
  });
  const auto pulled = Pull(kQ4, options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_TRUE(ReadText(pulled.value().path) == Content());
}

TEST_F(FaultTest, FullDisk) {
  std::atomic<uint64_t> written{0};
  options_.download.write = [&](int fd, const void* data, size_t size, off_t offset) -> ssize_t {
    if ((written += size) > 300000) {
      errno = ENOSPC;
      return -1;
    }
    return pwrite(fd, data, size, offset);
  };
  ExpectFailure(Pull(kQ4, options_), "No space left");
  const uint64_t before = hub_.storage_bytes;
  ExpectCleanPull();
  EXPECT_LT(hub_.storage_bytes - before, Content().size());  // it went on with what had been kept
}

TEST_F(FaultTest, FileThatNoDiskHolds) {
  options_.verify = false;
  hub_.SetFault([](Site site, const Query& query, Reply& reply) {
    const size_t at = reply.body.find("\"size\": 700001");
    if (site == Site::kHub && query.target.find("/tree/") != std::string::npos && at != std::string::npos) {
      for (size_t i; (i = reply.body.find("700001")) != std::string::npos;) reply.body.replace(i, 6, "17000000000000");
    }
  });
  ExpectFailure(Pull(kQ4, options_), "free");
  EXPECT_EQ(hub_.n_storage_requests, 0u);
  EXPECT_TRUE(FilesWith(folder_.path(), "incomplete").empty());
}

}  // namespace
}  // namespace lfm::hub::test
