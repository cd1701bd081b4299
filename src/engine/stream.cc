#include "engine/stream.h"

#include <iterator>
#include <utility>

#include "engine/engine_task.h"

namespace lfm::engine {

void Doorbell::Ring() {
  {
    std::lock_guard lock(mutex_);
    rings_ = true;
  }
  rang_.notify_all();
}

void Doorbell::Wait(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  rang_.wait_until(lock, until, [&] { return rings_; });
  rings_ = false;
}

EventQueue::~EventQueue() = default;

void EventQueue::PushLocked(std::vector<Event> events) {
  const Event::Kind last = events.back().kind;
  ended_ = last == Event::Kind::kFinished || last == Event::Kind::kError;
  if (n_waiting() == 0) {
    events_ = std::move(events);
    n_taken_ = 0;
    return;
  }
  if (n_taken_ >= n_waiting()) {  // a reader that never catches up leaves no more behind than is before it
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(n_taken_));
    n_taken_ = 0;
  }
  std::move(events.begin(), events.end(), std::back_inserter(events_));
}

void EventQueue::Push(std::vector<Event> events) {
  if (events.empty()) return;
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = n_waiting() == 0;
    PushLocked(std::move(events));
  }
  came_.notify_all();
  if (was_empty && notify_) notify_();
}

void EventQueue::End(std::vector<Event> events, std::unique_ptr<Task> task) {
  {
    std::lock_guard lock(mutex_);
    task_ = std::move(task);
  }
  Push(std::move(events));
}

bool EventQueue::full() const {
  std::lock_guard lock(mutex_);
  return n_waiting() >= Stream::kCapacity;
}

std::optional<Event> EventQueue::TakeLocked() {
  if (n_waiting() == 0) return std::nullopt;
  was_full_ = was_full_ || n_waiting() >= Stream::kCapacity;
  return std::move(events_[n_taken_++]);
}

std::optional<Event> EventQueue::TryNext() {
  std::unique_lock lock(mutex_);
  std::optional<Event> event = TakeLocked();
  // An answer that rested goes on when its reader has caught up by half, not one event at a time.
  const bool caught_up = was_full_ && n_waiting() <= Stream::kCapacity / 2;
  if (caught_up) was_full_ = false;
  lock.unlock();
  if (caught_up) doorbell_->Ring();
  return event;
}

std::optional<Event> EventQueue::Wait() {
  {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return n_waiting() > 0 || ended_; });
  }
  return TryNext();
}

void EventQueue::Cancel() {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return;
  }
  if (!cancelled_.exchange(true)) doorbell_->Ring();
}

}  // namespace lfm::engine
