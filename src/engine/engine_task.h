// What the engine keeps of a request: a task, and for each of its answers a lane.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/answer.h"
#include "engine/engine.h"
#include "engine/stream.h"
#include "model/sequence.h"

namespace lfm::engine {

using Clock = std::chrono::steady_clock;

struct Task;

// One answer: what it has read, and what it still has to. `ids` is the prompt and all that was sampled; the sequence has
// read some of it from the front. Reading a prompt, writing an answer and reading everything again after having given way
// are the same: read what is left of `ids`, and sample from the last row.
struct Lane {
  Lane(Task& owner, int i_choice) : task(owner), choice(i_choice) {}

  int64_t n_read() const { return sequence ? sequence->n_tokens() : 0; }
  int64_t n_unread() const { return static_cast<int64_t>(ids.size()) - n_read(); }

  Task& task;
  const int choice;
  uint64_t id = 0;  // in the order of arrival
  std::vector<int32_t> ids;
  std::unique_ptr<Answer> answer;           // none where points are scored
  std::optional<model::Sequence> sequence;  // while it runs
  bool ended = false;                       // nothing more to do
  bool running() const { return sequence.has_value(); }
  int64_t n_cached_pages = 0;    // of its sequence that are known to be in the prefix cache
  uint64_t cache_version = 0;    // of the prefix cache when it was last asked for more
  std::vector<uint64_t> hashes;  // of ids[0, 64 (i + 1)), of the prompt's full pages
};

struct Task {
  Request request;
  std::shared_ptr<EventQueue> queue;
  std::vector<std::unique_ptr<Lane>> lanes;  // the first reads the prompt; the others come with its last row
  std::vector<Event> events;                 // of this step, not pushed yet
  Usage usage;
  Timings timings;
  int64_t n_read = 0;                   // prompt tokens, for progress: those that were read again do not count
  int64_t n_echoed = 0;                 // prompt tokens whose log probabilities were sent
  bool forked = false;                  // the prompt's last row has come
  std::optional<model::Sequence> kept;  // of the prompt, for points that may come; given up where pages run short
  std::optional<Error> failed;
  Clock::time_point submitted, started, first_row;

  bool scores() const { return !request.points.empty(); }
  bool uses_cache() const { return request.cache_prompt; }
};

}  // namespace lfm::engine
