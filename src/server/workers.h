// A small pool of threads for work that must not hold up an I/O thread: rendering, tokenising, schemas.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lfm::server {

// Thread-safe. Tasks must not throw. The destructor finishes what was posted.
class Workers {
 public:
  explicit Workers(int n_threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void Post(std::function<void()> task);

 private:
  void Loop();
  bool WakesOne();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  int n_idle_ = 0;
  bool waking_ = false;  // somebody was notified and is not awake yet
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lfm::server
