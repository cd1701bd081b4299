#include "server/workers.h"

#include <exception>
#include <utility>

#include "base/log.h"
#include "base/strings.h"

namespace lfm::server {

// Fewer where the system refuses some. Nothing may be thrown once one waits on members of this object.
Workers::Workers(int n_threads) {
  threads_.reserve(static_cast<size_t>(n_threads));
  for (int i = 0; i < n_threads; ++i) {
    try {
      threads_.emplace_back([this] { Loop(); });
    } catch (const std::exception&) {
      Log(LogLevel::kWarning, StrCat("only ", i, " of ", n_threads, " worker threads can be had here (see ulimit -a)"));
      return;
    }
  }
}

Workers::~Workers() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::Post(std::function<void()> task) {
  if (threads_.empty()) return task();  // there is no other thread that could
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Workers::Loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
  }
}

}  // namespace lfm::server
