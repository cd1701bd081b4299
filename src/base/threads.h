// A fixed team of threads that runs one parallel loop at a time. Within a step the workers spin between loops, so
// that a loop costs about a microsecond; between steps they sleep.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <type_traits>
#include <vector>

namespace lfm {

// A borrowed callable void(int64_t begin, int64_t end, int i_thread); must outlive the loop it is passed to.
class LoopBody {
 public:
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, LoopBody>) LoopBody(F&& body)  // NOLINT: implicit on purpose
      : object_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* object, int64_t begin, int64_t end, int i_thread) {
          (*static_cast<std::remove_reference_t<F>*>(object))(begin, end, i_thread);
        }) {}
  void operator()(int64_t begin, int64_t end, int i_thread) const { call_(object_, begin, end, i_thread); }

 private:
  void* object_;
  void (*call_)(void*, int64_t, int64_t, int);
};

// The team: the calling thread and n - 1 workers. One thread at a time may use it.
// Results must not depend on who runs which chunk. Each thread owns a run of neighbouring chunks, so that what it reads
// ahead of one is used by the next, and takes over what slower threads have left. A worker joins a loop when it comes;
// nobody waits for one that has not.
class Threads {
 public:
  // A machine that refuses some of them (limits on processes or address space) leaves a smaller team, down to the
  // calling thread alone, and a warning in the log; size() tells.
  explicit Threads(int n);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int size() const { return n_; }

  // Calls body(begin, end, i_thread) over [0, n) in chunks of `grain`, on all threads; returns when all is done.
  // Outside a Step the workers are woken for this one loop. What a body throws on any thread, out of memory above all, is
  // thrown again here when all threads have left the loop; chunks may then have been left out.
  void For(int64_t n, int64_t grain, LoopBody body);

  // From now on the time in which the caller of For() has no work left and waits for the others is added here, in
  // seconds; null: not measured.
  void CountWaiting(double* seconds) { waiting_ = seconds; }

  // While a Step lives, workers spin between loops.
  class Step {
   public:
    explicit Step(Threads& threads) : threads_(threads) { threads_.Wake(); }
    ~Step() { threads_.Sleep(); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Threads& threads_;
  };

 private:
  void StartWorkers() noexcept;
  void StopWorkers();
  void Wake();
  void Sleep();
  static void* Run(void* team);
  void Work(int i_thread);
  void RunChunks(int i_thread);
  void RunChunksSafely(int i_thread) noexcept;
  void CloseLoop();

  int n_;                           // written before the first loop only
  std::vector<pthread_t> workers_;  // not std::thread, which takes the stack that it is given
  std::atomic<int> n_begun_{0};     // each worker takes its number from here

  // The chunks of one thread that nobody has taken yet: [next, end). On a cache line of its own.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  // The loop in flight. Written by the caller while the gate is closed and nobody is inside, read by who passed it.
  const LoopBody* body_ = nullptr;
  int64_t total_ = 0, grain_ = 1;
  std::vector<Share> shares_;
  alignas(64) std::atomic<uint64_t> epoch_{0};  // loops begun
  // Workers inside the loop, plus kClosed while none may come in.
  static constexpr uint32_t kClosed = 1u << 31;
  alignas(64) std::atomic<uint32_t> gate_{kClosed};

  alignas(64) std::atomic<bool> awake_{false};
  std::atomic<bool> stop_{false};
  int depth_ = 0;  // nested Steps
  double* waiting_ = nullptr;
  std::exception_ptr failure_;  // the first of the loop in flight; guarded by mutex_
  std::mutex mutex_;
  std::condition_variable wake_;
};

// The number of threads that decode fastest here: physical performance cores, within affinity and cgroup quota.
int DefaultThreadCount();

}  // namespace lfm
