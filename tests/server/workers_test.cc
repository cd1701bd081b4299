// Workers: everything that is posted runs, and several at once where several threads are there.
#include "server/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace lfm::server {
namespace {

// One thread is woken by a post and the next one by the one before: nobody may be forgotten.
TEST(Workers, TasksThatWaitForEachOtherRunTogether) {
  for (int round = 0; round < 200; ++round) {
    std::latch together(4), over(4);
    Workers workers(4);
    if (round % 2 == 1) std::this_thread::yield();
    for (int i = 0; i < 4; ++i) {
      workers.Post([&] {
        together.arrive_and_wait();
        over.count_down();
      });
    }
    over.wait();
  }
}

TEST(Workers, NothingPostedIsLost) {
  std::atomic<int> n{0};
  {
    Workers workers(3);
    for (int i = 0; i < 20'000; ++i) {
      workers.Post([&] { n.fetch_add(1); });
      if (i % 500 == 0) std::this_thread::yield();
    }
  }
  EXPECT_EQ(n, 20'000);
}

}  // namespace
}  // namespace lfm::server
