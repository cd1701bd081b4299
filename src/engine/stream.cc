#include "engine/stream.h"

#include <utility>

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

void EventQueue::Push(std::vector<Event> events) {
  if (events.empty()) return;
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = events_.empty();
    for (Event& event : events) {
      ended_ = event.kind == Event::Kind::kFinished || event.kind == Event::Kind::kError;
      events_.push_back(std::move(event));
    }
  }
  came_.notify_all();
  if (was_empty && notify_) notify_();
}

bool EventQueue::full() const {
  std::lock_guard lock(mutex_);
  return events_.size() >= Stream::kCapacity;
}

std::optional<Event> EventQueue::TakeLocked() {
  if (events_.empty()) return std::nullopt;
  was_full_ = was_full_ || events_.size() >= Stream::kCapacity;
  std::optional<Event> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

std::optional<Event> EventQueue::TryNext() {
  std::unique_lock lock(mutex_);
  std::optional<Event> event = TakeLocked();
  // An answer that rested goes on when its reader has caught up by half, not one event at a time.
  const bool caught_up = was_full_ && events_.size() <= Stream::kCapacity / 2;
  if (caught_up) was_full_ = false;
  lock.unlock();
  if (caught_up) doorbell_->Ring();
  return event;
}

std::optional<Event> EventQueue::Wait() {
  {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return !events_.empty() || ended_; });
  }
  return TryNext();
}

void EventQueue::Cancel() {
  if (!cancelled_.exchange(true)) doorbell_->Ring();
}

}  // namespace lfm::engine
