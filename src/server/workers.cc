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
  bool wakes = false;
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    wakes = WakesOne();
  }
  if (wakes) wake_.notify_one();
}

// Whether somebody is to be woken: not while one is waking up, who will look whether another is needed. A step of the engine
// posts a task for each of its streams, and a system call for each would take a tenth of the engine's time.
bool Workers::WakesOne() {
  if (waking_ || n_idle_ == 0) return false;
  waking_ = true;
  return true;
}

void Workers::Loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    while (!stop_ && tasks_.empty()) {
      ++n_idle_;
      wake_.wait(lock);
      --n_idle_;
      waking_ = false;
    }
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    const bool wakes = !tasks_.empty() && WakesOne();
    lock.unlock();
    if (wakes) wake_.notify_one();
    task();
  }
}

}  // namespace lfm::server
