// Pulls from a hub that misbehaves at random, by seeds. However a run ends, the bytes under the final name
// are right or not there, and the next clean pull succeeds.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/strings.h"
#include "hub/hub_fixture.h"
#include "hub/pull.h"

namespace lfm::hub::test {
namespace {

namespace fs = std::filesystem;
using Site = FakeHub::Site;

// One seeded run: a file of random size, faults of random kinds at a random rate, then a clean pull.
class SeededRun {
 public:
  SeededRun(FakeHub& hub, PullOptions& options, uint64_t seed) : hub_(hub), options_(options), random_(seed) {
    hub_.repos[kRepo][kGguf].content = RandomBytes(Below(1500000), seed);
    rate_ = static_cast<double>(Below(60)) / 100;
    options_.download.n_connections = 1 + static_cast<int>(Below(5));
    options_.download.part_bytes = 10000 + Below(200000);
    options_.download.min_parallel_bytes = Below(400000);
    hub_.SetFault([this](Site site, const Query& query, Reply& reply) { Misbehave(site, query, reply); });
    if (Below(8) == 0) {
      const uint64_t room = Below(1000000);
      options_.download.write = [this, room](int fd, const void* data, size_t size, off_t offset) -> ssize_t {
        if ((written_ += size) <= room) return pwrite(fd, data, size, offset);
        errno = ENOSPC;
        return -1;
      };
    }
    options_.download.cancel = &cancel_;
    if (Below(8) == 0) {
      const uint64_t bytes = Below(1000000);
      options_.on_progress = [this, bytes](const PullProgress& progress) { cancel_ = progress.done > bytes; };
    }
  }
  ~SeededRun() { hub_.SetFault({}); }

  uint64_t n_faults() const { return n_faults_; }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }

  void Misbehave(Site site, const Query& query, Reply& reply) {
    if (static_cast<double>(Below(1000)) / 1000 >= rate_) return;
    ++n_faults_;
    const bool ranged = query.Has("range");
    switch (Below(100)) {
      case 0: reply.status = 404; break;
      case 1: reply.status = 401; break;
      case 2: reply.Set("X-Linked-Etag", "\"" + std::string(64, 'd') + "\""); break;
      case 3: reply.Set("Content-Range", "bytes 1-2/3"); break;
      case 4: reply.pause_s = 3; break;
      case 5: reply.piece = 20, reply.pause_s = 0.05; break;
      case 6: reply.garbage = true; break;
      case 7: reply = Reply(), reply.status = 302, reply.Set("Location", "/loop"); break;
      case 8:
        if (ranged) reply = Reply(), reply.body = hub_.repos[kRepo][kGguf].content;
        break;
      case 9:
        if (!reply.body.empty()) reply.body[Below(reply.body.size())] ^= 4;
        break;
      case 10: reply.body += "x"; break;
      default: Pass(site, reply); break;
    }
  }

  // Faults that another try overcomes.
  void Pass(Site site, Reply& reply) {
    const uint64_t kind = Below(10);
    const int statuses[] = {429, 500, 502, 503, 504};
    if (kind == 0) reply.cut_head = true;
    if (kind >= 1 && kind <= 3) {
      reply = Reply();
      reply.status = site == Site::kStorage && kind == 3 ? 403 : statuses[Below(5)];
      if (reply.status == 429) reply.Set("Retry-After", "0");
    }
    if (kind >= 4) reply.cut_after = Below(reply.body.size() + 1);
  }

  FakeHub& hub_;
  PullOptions& options_;
  std::mt19937_64 random_;  // used under the hub's lock once requests run
  double rate_ = 0;
  uint64_t n_faults_ = 0;
  std::atomic<uint64_t> written_{0};
  std::atomic<bool> cancel_{false};
};

// LFM_LONG=1: 200 runs; LFM_SEED moves the seeds.
TEST(FaultRuns, RightBytesOrAClearError) {
  const char* const is_long = std::getenv("LFM_LONG");
  const char* const seed_text = std::getenv("LFM_SEED");
  const uint64_t n_runs = is_long && *is_long == '1' ? 200 : 20;
  const uint64_t first = seed_text ? std::strtoull(seed_text, nullptr, 10) : 1;
  uint64_t n_good = 0, n_faults = 0;
  for (uint64_t seed = first; seed < first + n_runs; ++seed) {
    SCOPED_TRACE(StrCat("LFM_SEED=", seed));
    TemporaryFolder folder;
    FakeHub hub;
    hub.repos[kRepo][kGguf] = {};
    hub.token = "hf_secret";
    PullOptions options = FastOptions(hub.endpoint(), folder.path());
    options.environment.token = "hf_secret";
    const RepoFolders folders = FoldersOf(options.environment, kRepo);
    PullOptions clean = options;
    options.download.http.stall_timeout_s = 1;
    {
      SeededRun run(hub, options, seed);
      const std::string blob = folders.blobs + "/" + EtagOf(hub.repos[kRepo][kGguf]);
      const std::string& content = hub.repos[kRepo][kGguf].content;
      for (int i_try = 0; i_try < 2; ++i_try) {  // the second goes on from what the first left
        const auto pulled = Pull(kQ4, options);
        n_good += pulled.ok() ? 1 : 0;
        if (pulled.ok()) {
          EXPECT_TRUE(ReadText(pulled.value().path) == content);
        } else {
          EXPECT_GT(pulled.error().message.size(), 20u);
          EXPECT_FALSE(fs::exists(folders.snapshots + "/" + hub.commit + "/" + kGguf) && !fs::exists(blob));
        }
        if (fs::exists(blob)) {
          EXPECT_TRUE(ReadText(blob) == content);
        }
      }
      n_faults += run.n_faults();
    }
    const auto pulled = Pull(kQ4, clean);
    ASSERT_TRUE(pulled.ok()) << pulled.error().message;
    EXPECT_TRUE(ReadText(pulled.value().path) == hub.repos[kRepo][kGguf].content);
    EXPECT_TRUE(FilesWith(folder.path(), "incomplete").empty());
    EXPECT_TRUE(FilesWith(folder.path(), ".new").empty());
    EXPECT_FALSE(hub.token_leaked);
  }
  std::printf("[ runs     ] %d runs, %d of %d faulty pulls succeeded, %d faults\n", static_cast<int>(n_runs),
              static_cast<int>(n_good), static_cast<int>(2 * n_runs), static_cast<int>(n_faults));
  EXPECT_GT(n_good, n_runs / 4);
  EXPECT_GT(n_faults, n_runs);
}

}  // namespace
}  // namespace lfm::hub::test
