// Pulls in a process of their own: killed in the middle, held under a limit of the file size, two at a time.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "base/strings.h"
#include "hub/hub_fixture.h"
#include "hub/partial.h"
#include "hub/pull.h"

extern char** environ;

namespace lfm::hub::test {
namespace {

namespace fs = std::filesystem;

// The child of the tests below. It is a test only in the process that they start, which these variables tell.
class Child : public testing::Test {
  void TestBody() override {
    PullOptions options = FastOptions(std::getenv("LFM_HUB_CHILD"), std::getenv("LFM_HUB_FOLDER"));
    options.download.save_interval_s = 0.01;
    if (const char* const limit = std::getenv("LFM_HUB_FSIZE")) {
      signal(SIGXFSZ, SIG_IGN);
      const rlim_t bytes = std::strtoull(limit, nullptr, 10);
      const rlimit both{bytes, bytes};
      ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &both), 0);
    }
    const auto pulled = Pull(kQ4, options);
    const std::string message = pulled.ok() ? "ok" : pulled.error().message;
    const int fd = open(std::getenv("LFM_HUB_REPORT"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ASSERT_EQ(write(fd, message.data(), message.size()), static_cast<ssize_t>(message.size()));
    close(fd);
  }
};

[[maybe_unused]] const bool kChildIsRegistered = [] {
  if (!std::getenv("LFM_HUB_CHILD")) return false;
  testing::RegisterTest("PullProcess", "Child", nullptr, nullptr, __FILE__, __LINE__,
                        []() -> testing::Test* { return new Child; });
  return true;
}();

class ProcessTest : public HubTest {
 protected:
  std::string report() const { return folder_.path() + "/report"; }

  pid_t Start(const std::string& limit = "") {
    std::vector<std::string> variables{"LFM_HUB_CHILD=" + hub_.endpoint(), "LFM_HUB_FOLDER=" + folder_.path(),
                                       "LFM_HUB_REPORT=" + report()};
    if (!limit.empty()) variables.push_back("LFM_HUB_FSIZE=" + limit);
    for (char** variable = environ; *variable; ++variable) variables.emplace_back(*variable);
    std::vector<char*> pointers;
    for (std::string& variable : variables) pointers.push_back(variable.data());
    pointers.push_back(nullptr);
    std::string program = fs::read_symlink("/proc/self/exe"), filter = "--gtest_filter=PullProcess.Child";
    char* arguments[] = {program.data(), filter.data(), nullptr};
    hub_.Publish();
    const pid_t child = fork();
    if (child == 0) {
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      execve(program.c_str(), arguments, pointers.data());
      _exit(127);
    }
    return child;
  }

  static int Wait(pid_t child) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
  }

  void SlowStorage() {
    hub_.SetFault([](FakeHub::Site site, const Query&, Reply& reply) {
      if (site == FakeHub::Site::kStorage) reply.piece = 4096, reply.pause_s = 0.01;
    });
  }
};

TEST_F(ProcessTest, KilledInTheMiddle) {
  std::mt19937 random(5);
  uint64_t kept = 0;
  int n_killed = 0;
  const int n_rounds = std::getenv("LFM_LONG") ? 30 : 6;
  const std::string blob = Folders().blobs + "/" + EtagOf({Content()});
  const std::string state_path = blob + ".lfm.incomplete.json";
  for (int i_round = 0; i_round < n_rounds; ++i_round) {
    SlowStorage();
    const pid_t child = Start();
    // Odd rounds: once some progress was made durable. Even ones: at any moment.
    bool has_ended = false;
    if (i_round % 2) {
      while (!fs::exists(state_path) && !has_ended) {
        has_ended = waitpid(child, nullptr, WNOHANG) == child;
        usleep(1000);
      }
    } else {
      usleep(random() % 500000);
    }
    if (!has_ended) {
      n_killed += kill(child, SIGKILL) == 0 ? 1 : 0;
      waitpid(child, nullptr, 0);
    }
    const bool whole = fs::exists(blob);
    if (whole) {
      EXPECT_TRUE(ReadText(blob) == Content());
    }
    const auto state = PartialState::Parse(ReadText(state_path));
    const uint64_t there = whole ? Content().size() : state.ok() ? state.value().TotalDone() : 0;
    kept += there;
    hub_.SetFault({});
    const auto resumed = Pull(kQ4, options_);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
    EXPECT_TRUE(ReadText(resumed.value().path) == Content());
    EXPECT_EQ(resumed.value().received_bytes, Content().size() - there);
    EXPECT_TRUE(FilesWith(folder_.path(), "incomplete").empty());
    ASSERT_TRUE(RemoveModel(kRepo, options_.environment, false).ok());
  }
  EXPECT_GT(n_killed, 0);
  EXPECT_GT(kept, 0u);
}

TEST_F(ProcessTest, LimitOfTheFileSize) {
  for (const char* limit : {"0", "300000"}) {
    fs::remove(report());
    const int status = Wait(Start(limit));
    const std::string message = ReadText(report());
    if (std::string(limit) != "0") {
      EXPECT_EQ(status, 0);
      EXPECT_NE(message.find("File too large"), std::string::npos) << message;
    }
    EXPECT_FALSE(fs::exists(Folders().blobs + "/" + EtagOf({Content()})));
    EXPECT_FALSE(fs::exists(Folders().snapshots + "/" + hub_.commit + "/" + kGguf));
  }
  const auto pulled = Pull(kQ4, options_);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message;
  EXPECT_TRUE(ReadText(pulled.value().path) == Content());
}

TEST_F(ProcessTest, TwoProcesses) {
  SlowStorage();
  const pid_t first = Start(), second = Start();
  EXPECT_EQ(Wait(first), 0);
  EXPECT_EQ(Wait(second), 0);
  EXPECT_EQ(ReadText(report()), "ok");
  EXPECT_EQ(hub_.storage_bytes, Content().size());  // once
}

}  // namespace
}  // namespace lfm::hub::test
