// The engine's side of a Stream: a queue of events between its thread and one reader.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/engine.h"

namespace lfm::engine {

// Wakes the engine's thread. Outlives the engine as long as a stream does.
class Doorbell {
 public:
  void Ring();
  // Waits until somebody rang since the last call, or until then.
  void Wait(std::chrono::steady_clock::time_point until);

 private:
  std::mutex mutex_;
  std::condition_variable rang_;
  bool rings_ = false;
};

struct Task;

// Shared by the engine and the reader's handle. Thread-safe.
class EventQueue {
 public:
  EventQueue(std::shared_ptr<Doorbell> doorbell, std::function<void()> notify)
      : doorbell_(std::move(doorbell)), notify_(std::move(notify)) {}
  ~EventQueue();

  // The engine's side.
  void Push(std::vector<Event> events);  // takes them whatever the capacity; the engine asks full() before it goes on
  // The last events. What is left of the task goes with the queue, on the reader's thread: between two steps of the engine
  // nobody computes, and to take many short answers apart there cost them a twentieth of their time.
  void End(std::vector<Event> events, std::unique_ptr<Task> task);
  bool full() const;
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  // The reader's side.
  std::optional<Event> TryNext();
  std::optional<Event> Wait();
  void Cancel();

 private:
  void PushLocked(std::vector<Event> events);
  std::optional<Event> TakeLocked();
  size_t n_waiting() const { return events_.size() - n_taken_; }

  const std::shared_ptr<Doorbell> doorbell_;
  const std::function<void()> notify_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Event> events_;  // of which the first n_taken_ are taken
  size_t n_taken_ = 0;
  std::unique_ptr<Task> task_;  // once it has ended
  bool was_full_ = false;
  bool ended_ = false;  // the last event is in the queue or was taken
  std::atomic<bool> cancelled_{false};
};

// What Submit gives away: when the last copy goes, the request is cancelled.
class StreamHandle : public Stream {
 public:
  explicit StreamHandle(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}
  ~StreamHandle() override { queue_->Cancel(); }
  std::optional<Event> TryNext() override { return queue_->TryNext(); }
  std::optional<Event> Wait() override { return queue_->Wait(); }
  void Cancel() override { queue_->Cancel(); }

 private:
  const std::shared_ptr<EventQueue> queue_;
};

}  // namespace lfm::engine
