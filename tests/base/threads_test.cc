// Parallel loops: every index once, whatever the number of threads, inside and outside of a step.
#include "base/threads.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/host.h"

namespace lfm {
namespace {

void ExpectEachIndexOnce(Threads& threads, int64_t n, int64_t grain) {
  std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
  std::atomic<bool> sane{true};
  threads.For(n, grain, [&](int64_t begin, int64_t end, int i_thread) {
    if (begin >= end || end > n || i_thread < 0 || i_thread >= threads.size()) sane = false;
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  EXPECT_TRUE(sane);
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

TEST(Threads, EveryIndexOnce) {
  for (const int n_threads : {1, 2, 3, 8}) {
    Threads threads(n_threads);
    EXPECT_EQ(threads.size(), n_threads);
    for (const int64_t n : {0, 1, 2, 7, 64, 1000}) {
      for (const int64_t grain : {1, 3, 64, 5000}) ExpectEachIndexOnce(threads, n, grain);
    }
  }
}

TEST(Threads, StepsNest) {
  Threads threads(3);
  for (int round = 0; round < 20; ++round) {
    Threads::Step outer(threads);
    Threads::Step inner(threads);
    for (int i = 0; i < 10; ++i) ExpectEachIndexOnce(threads, 50, 4);
  }
  ExpectEachIndexOnce(threads, 50, 4);
}

TEST(Threads, LoopsSeeEachOthersWrites) {
  Threads threads(2);
  std::vector<int> values(1000, 0);
  Threads::Step step(threads);
  for (int round = 0; round < 100; ++round) {
    threads.For(1000, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(999 - i)] += 1;
    });
    threads.For(1000, 7, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] *= 1;
    });
  }
  for (const int value : values) ASSERT_EQ(value, 100);
}

TEST(Threads, ManyTeamsComeAndGo) {
  for (int i = 0; i < 30; ++i) {
    auto threads = std::make_unique<Threads>(1 + i % 4);
    if (i % 2 == 0) ExpectEachIndexOnce(*threads, 20, 1);
  }
}

TEST(Threads, CountsHowLongTheCallerWaits) {
  Threads threads(2);
  double waiting = 0;
  threads.CountWaiting(&waiting);
  // The chunk that the caller did not take goes on until the caller has been idle for a while: on a busy machine not in
  // every loop, for there the caller may be back late, or have taken both.
  const auto last_one_sleeps = [](int64_t, int64_t, int i_thread) {
    if (i_thread != 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (i_thread == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  for (int round = 0; round < 1000 && waiting == 0; ++round) threads.For(2, 1, last_one_sleeps);
  EXPECT_GT(waiting, 0);
  const double until_now = waiting;
  threads.CountWaiting(nullptr);
  threads.For(2, 1, last_one_sleeps);
  EXPECT_EQ(waiting, until_now);
}

// Runs `body` in a child process with a limit; true where it returned true.
template <typename Body>
bool UnderLimit(int resource, rlim_t limit, Body body) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit value{limit, limit};
    if (setrlimit(resource, &value) != 0) _exit(3);
    alarm(300);  // a hang is a failure
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool SumsUp(Threads& threads) {
  std::atomic<int64_t> sum{0};
  threads.For(1000, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) sum += i;
  });
  return sum == 499500;
}

#if !LFM_SANITIZED  // sanitizers need address space without end
TEST(Threads, GoesOnWithThoseThatCanBeStarted) {
  for (const rlim_t mib : {40, 64, 100, 400, 2000}) {
    EXPECT_TRUE(UnderLimit(RLIMIT_AS, mib << 20, [] {
      Threads threads(512);
      return threads.size() < 512 && SumsUp(threads);
    })) << mib;
  }
}

TEST(Host, TheProcessesOwnLimitIsALimit) {
  EXPECT_TRUE(UnderLimit(RLIMIT_AS, rlim_t{300} << 20, [] {
    const MemoryState memory = ReadMemory();
    return memory.limit_bytes <= uint64_t{300} << 20 && memory.available_bytes < memory.limit_bytes;
  }));
}

TEST(Threads, LeavesAddressSpaceToTheRest) {
  EXPECT_TRUE(UnderLimit(RLIMIT_AS, rlim_t{1} << 30, [] {
    Threads threads(512);
    const std::vector<char> rest(size_t{200} << 20);
    return SumsUp(threads) && rest.back() == 0;
  }));
}
#endif

TEST(Threads, GoesOnAloneWhereNoProcessMayBeStarted) {
  EXPECT_TRUE(UnderLimit(RLIMIT_NPROC, 1, [] {
    if (geteuid() == 0 && setuid(65534) != 0) return true;  // root has no such limit
    Threads threads(8);
    return threads.size() == 1 && SumsUp(threads);
  }));
}

TEST(Threads, ThrowsWhatALoopThrewAndGoesOn) {
  Threads threads(3);
  for (int round = 0; round < 50; ++round) {
    const auto fails = [&](int64_t begin, int64_t, int) {
      if (begin == round % 40) throw std::bad_alloc();
    };
    EXPECT_THROW(threads.For(40, 1, fails), std::bad_alloc);
    EXPECT_TRUE(SumsUp(threads));
  }
}

TEST(Threads, DefaultCountIsPositive) { EXPECT_GE(DefaultThreadCount(), 1); }

}  // namespace
}  // namespace lfm
