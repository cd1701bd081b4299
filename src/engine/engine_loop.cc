// The engine's thread: takes requests, gives places and pages, and lets them go again.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "engine/engine_impl.h"

namespace lfm::engine {
namespace {

constexpr auto kLongest = std::chrono::hours(1);  // that the thread sleeps without being rung

// Pages for all tokens of a lane and the next one.
int64_t PagesOf(const Lane& lane) { return static_cast<int64_t>(lane.ids.size()) / kernels::kPagePositions + 1; }

}  // namespace

void Engine::Impl::Run() {
  while (TakeIncoming()) {
    EndUnwanted();
    const bool worked = Step();
    Settle();
    if (!worked) doorbell_->Wait(NextDeadline());
  }
  for (const auto& task : tasks_) Fail(*task, {ErrorCode::kCancelled, "the engine ends"});
  Settle();
  cache_.Clear();
}

bool Engine::Impl::TakeIncoming() {
  std::vector<std::function<void()>> commands;
  bool stops = false;
  {
    std::lock_guard lock(mutex_);
    for (std::unique_ptr<Task>& task : incoming_) {
      task->lanes[0]->id = ++n_lanes_;
      tasks_.push_back(std::move(task));
    }
    incoming_.clear();
    commands.swap(commands_);
    stops = stops_;
  }
  for (const auto& command : commands) command();
  return !stops;
}

void Engine::Impl::EndUnwanted() {
  bool any = false;
  for (const auto& task : tasks_) {
    if (task->queue->cancelled()) {
      Fail(*task, {ErrorCode::kCancelled, "cancelled"});
      any = true;
    } else if (task->request.deadline && Clock::now() >= *task->request.deadline) {
      Fail(*task, {ErrorCode::kDeadline, "the time for this request is over"});
      any = true;
    }
  }
  if (any) Settle();
}

Clock::time_point Engine::Impl::NextDeadline() const {
  Clock::time_point next = Clock::now() + kLongest;
  for (const auto& task : tasks_) {
    if (task->request.deadline) next = std::min(next, *task->request.deadline);
  }
  return next;
}

std::vector<Lane*> Engine::Impl::LiveLanes() const {
  std::vector<Lane*> lanes;
  for (const auto& task : tasks_) {
    if (task->failed) continue;
    for (const auto& lane : task->lanes) {
      if (!lane->ended) lanes.push_back(lane.get());
    }
  }
  return lanes;
}

std::vector<Claim> Engine::Impl::ClaimsOf(const std::vector<Lane*>& lanes) const {
  // Of several that are about to read the same page, one reads and the others take it from the cache. Who has begun the
  // page goes on; else the first one. Never across clients, nor for one of lower right: nobody waits for those.
  std::unordered_map<uint64_t, const Lane*> reader_of;
  const auto next_page = [](const Lane& lane) -> const uint64_t* {
    const auto i = static_cast<size_t>(lane.n_read() / kernels::kPagePositions);
    return lane.running() && i < lane.hashes.size() && !lane.task.request.prompt_logprobs ? &lane.hashes[i] : nullptr;
  };
  for (const Lane* lane : lanes) {
    const uint64_t* page = next_page(*lane);
    if (page && lane->n_read() % kernels::kPagePositions != 0 && !lane->task.queue->full()) reader_of.emplace(*page, lane);
  }
  std::vector<Claim> claims;
  for (const Lane* lane : lanes) {
    const Request& request = lane->task.request;
    Claim claim;
    claim.id = lane->id;
    claim.client = request.client;
    claim.priority = request.priority;
    claim.running = lane->running();
    claim.n_unread = lane->n_unread();
    claim.n_pages = PagesOf(*lane);
    claim.resting = lane->task.queue->full();
    if (const uint64_t* page = next_page(*lane); page && !claim.resting) {
      const Lane* reader = reader_of.emplace(*page, lane).first->second;
      const Request& other = reader->task.request;
      claim.resting = reader != lane && other.client == request.client && other.priority <= request.priority;
    }
    claims.push_back(claim);
  }
  return claims;
}

int64_t Engine::Impl::FreePages(const std::vector<Lane*>& lanes) const {
  // Pages that running lanes hold or will need, shared ones counted once; the cache's own can be had.
  std::unordered_set<const model::Page*> held;
  int64_t n_more = 0;
  for (const Lane* lane : lanes) {
    if (!lane->running()) continue;
    const model::State& state = lane->sequence->state();
    for (int64_t i = 0; i < state.n_full_pages(); ++i) held.insert(state.FullPage(i).get());
    n_more += PagesOf(*lane) - state.n_full_pages();
  }
  return pool_.max_pages() - static_cast<int64_t>(held.size()) - n_more;
}

void Engine::Impl::Admit(Lane& lane) {
  lane.sequence.emplace(pool_);
  lane.n_cached_pages = 0;
  lane.cache_version = 0;
  AdoptCached(lane);
  Task& task = lane.task;
  if (task.started != Clock::time_point{}) return;
  task.started = Clock::now();
  std::lock_guard lock(mutex_);
  LeaveQueue(task);
}

void Engine::Impl::AdoptCached(Lane& lane) {
  Task& task = lane.task;
  if (!options_.prefix_cache || !task.uses_cache() || task.request.prompt_logprobs) return;
  if (lane.n_read() % kernels::kPagePositions != 0 || lane.n_unread() <= kernels::kPagePositions ||
      lane.cache_version == cache_version_)
    return;
  lane.cache_version = cache_version_;
  const int64_t n_have = lane.n_read();
  const auto pages = cache_.Find(task.request.tenant, lane.ids, n_have, static_cast<int64_t>(lane.ids.size()) - 1);
  if (pages.empty()) return;
  const auto n = static_cast<int64_t>(pages.size()) * kernels::kPagePositions;
  lane.sequence->Adopt(std::span(lane.ids).subspan(static_cast<size_t>(n_have), static_cast<size_t>(n)), pages);
  lane.n_cached_pages = lane.n_read() / kernels::kPagePositions;
  if (task.forked || lane.n_read() <= task.n_read) return;
  const int64_t n_new = lane.n_read() - std::max(task.n_read, n_have);
  task.n_read = lane.n_read();
  task.usage.n_cached += n_new;
  counts_.n_cached_tokens += n_new;
}

void Engine::Impl::KeepPages(Lane& lane) {
  if (!options_.prefix_cache || !lane.task.uses_cache()) return;
  const model::State& state = lane.sequence->state();
  if (state.n_full_pages() <= lane.n_cached_pages) return;
  lane.n_cached_pages = state.n_full_pages();
  std::vector<PrefixCache::PageRef> pages;
  for (int64_t i = 0; i < lane.n_cached_pages; ++i) pages.push_back(state.FullPage(i));
  const int64_t n_before = cache_.n_pages();
  cache_.Insert(lane.task.request.tenant, lane.ids, pages);
  if (cache_.n_pages() != n_before) ++cache_version_;
}

void Engine::Impl::GiveWay(Lane& lane) {
  lane.sequence.reset();
  counts_.n_preemptions += 1;
}

// Prompts that wait for more points can be read again.
void Engine::Impl::DropKept() {
  for (const auto& task : tasks_) task->kept.reset();
}

bool Engine::Impl::MakeRoom(const std::vector<Lane*>& lanes, std::vector<Part>& parts) {
  for (bool dropped = false;;) {
    int64_t n_short = pool_.n_used() - pool_.max_pages();
    for (const Part& part : parts) n_short += lanes[part.claim]->sequence->state().PagesToTake(part.n_tokens);
    if (n_short > 0) n_short -= cache_.Evict(n_short);
    if (n_short <= 0) return true;
    if (!std::exchange(dropped, true)) {
      DropKept();
      continue;
    }
    const std::vector<Claim> claims = ClaimsOf(lanes);
    const size_t victim = scheduler_.Victim(claims);
    if (victim == claims.size()) return false;
    GiveWay(*lanes[victim]);
    std::erase_if(parts, [&](const Part& part) { return part.claim == victim; });
  }
}

bool Engine::Impl::Step() {
  const std::vector<Lane*> lanes = LiveLanes();
  if (lanes.empty()) return false;
  for (Lane* lane : lanes) {
    if (lane->running()) AdoptCached(*lane);
  }
  Plan plan;
  while (true) {
    const std::vector<Claim> claims = ClaimsOf(lanes);
    const bool anyone_waits = std::any_of(claims.begin(), claims.end(), [](const Claim& c) { return !c.running; });
    plan = scheduler_.Next(claims, anyone_waits ? FreePages(lanes) : 0);
    // What they find in the cache changes what they need: the step is planned anew with them.
    for (const size_t i : plan.admitted) Admit(*lanes[i]);
    if (!plan.admitted.empty()) continue;
    // Who waits for its reader makes way for who waits for a place.
    const bool any_can = std::any_of(claims.begin(), claims.end(), [](const Claim& c) { return !c.running && !c.resting; });
    const auto rests =
        std::find_if(lanes.begin(), lanes.end(), [](const Lane* lane) { return lane->running() && lane->task.queue->full(); });
    if (!any_can || rests == lanes.end()) break;
    GiveWay(**rests);
  }
  if (!MakeRoom(lanes, plan.parts)) {
    Fail(lanes[plan.parts.front().claim]->task,
         {ErrorCode::kOutOfMemory, StrCat("all ", pool_.max_pages(), " pages are in use")});
    return true;
  }
  if (plan.parts.empty()) return false;
  RunStep(lanes, plan.parts);
  return true;
}

void Engine::Impl::EndLane(Lane& lane) {
  Task& task = lane.task;
  Event event;
  event.kind = Event::Kind::kChoiceEnd;
  event.choice = lane.choice;
  event.text = lane.answer->Finish();
  event.stop_reason = lane.answer->stop_reason();
  event.stop = std::string(lane.answer->stop());
  task.events.push_back(std::move(event));
  lane.ended = true;
  lane.sequence.reset();
}

void Engine::Impl::Fail(Task& task, Error error) {
  if (task.failed) return;
  task.failed = std::move(error);
  task.kept.reset();
  for (const auto& lane : task.lanes) {
    lane->ended = true;
    lane->sequence.reset();
  }
}

void Engine::Impl::CloseTask(Task& task, Clock::time_point now) {
  Event event;
  event.kind = task.failed ? Event::Kind::kError : Event::Kind::kFinished;
  if (task.failed) event.error = *task.failed;
  const auto ms = [](Clock::time_point from, Clock::time_point to) {
    return from == Clock::time_point{} ? 0 : std::chrono::duration<double, std::milli>(to - from).count();
  };
  task.timings.queued_ms = ms(task.submitted, task.started == Clock::time_point{} ? now : task.started);
  task.timings.prompt_ms = ms(task.started, task.forked ? task.first_row : now);
  task.timings.predicted_ms = ms(task.first_row, now);
  task.timings.n_reused = task.usage.n_cached;
  task.timings.n_prompt = task.n_read - task.usage.n_cached;
  task.timings.n_predicted = task.usage.n_generated;
  event.usage = task.usage;
  event.timings = task.timings;
  task.events.push_back(std::move(event));
  task.kept.reset();  // no page is held by what goes on to the reader
  if (!task.failed) {
    counts_.n_finished += 1;
  } else {
    (task.failed->code == ErrorCode::kCancelled ? counts_.n_cancelled : counts_.n_failed) += 1;
  }
  if (last_end_ != Clock::time_point{} && now - last_end_ < std::chrono::minutes(1)) {
    end_interval_ += (std::chrono::duration<double>(now - last_end_).count() - end_interval_) / 8;
  }
  last_end_ = now;
}

void Engine::Impl::Settle() {
  const auto now = Clock::now();
  std::vector<std::unique_ptr<Task>> closed;
  for (std::unique_ptr<Task>& task : tasks_) {
    const auto& lanes = task->lanes;
    if (!std::all_of(lanes.begin(), lanes.end(), [](const auto& lane) { return lane->ended; })) continue;
    CloseTask(*task, now);
    closed.push_back(std::move(task));
  }
  std::erase(tasks_, nullptr);
  if (!closed.empty()) {
    std::lock_guard lock(mutex_);
    for (const auto& task : closed) {
      if (task->started == Clock::time_point{}) LeaveQueue(*task);
    }
  }
  Publish();  // before the events: who has read the last one finds himself in the figures
  for (const auto& task : tasks_) task->queue->Push(std::exchange(task->events, {}));
  for (std::unique_ptr<Task>& task : closed) {
    const std::shared_ptr<EventQueue> queue = std::move(task->queue);  // which the task must not hold when it holds the task
    std::vector<Event> last = std::move(task->events);
    queue->End(std::move(last), std::move(task));
  }
  if (closed.empty()) return;
  std::lock_guard lock(mutex_);
  n_open_ -= static_cast<int64_t>(closed.size());
  if (n_open_ == 0) idle_.notify_all();
}

void Engine::Impl::LeaveQueue(const Task& task) {
  n_queued_ -= 1;
  if (const auto it = n_queued_of_.find(task.request.client); --it->second == 0) n_queued_of_.erase(it);
}

// Cached pages that running sequences read. Counted a few times a second: it takes a look at every page of theirs.
int64_t Engine::Impl::CachedPagesInUse() {
  if (counts_.n_running == 0) return 0;
  const auto now = Clock::now();
  if (now - counted_at_ < std::chrono::milliseconds(250)) return n_cached_in_use_;
  counted_at_ = now;
  std::unordered_set<const model::Page*> pages;
  for (const Lane* lane : LiveLanes()) {
    for (int64_t i = 0; lane->running() && i < lane->n_cached_pages; ++i) {
      const auto& page = lane->sequence->state().FullPage(i);
      if (page.use_count() > 1) pages.insert(page.get());
    }
  }
  n_cached_in_use_ = static_cast<int64_t>(pages.size());
  return n_cached_in_use_;
}

void Engine::Impl::Publish() {
  counts_.n_running = 0;
  for (const auto& task : tasks_) {
    counts_.n_running += std::count_if(task->lanes.begin(), task->lanes.end(), [](const auto& l) { return l->running(); });
  }
  counts_.n_pages = pool_.max_pages();
  counts_.n_pages_used = pool_.n_used();
  counts_.n_pages_cached = std::max<int64_t>(0, cache_.n_pages() - CachedPagesInUse());  // that can be had
  counts_.page_bytes = pool_.layout().page_bytes;
  counts_.n_evicted_pages = cache_.n_evicted();
  std::lock_guard lock(mutex_);
  const auto n_requests = stats_.n_requests, n_refused = stats_.n_refused;
  stats_ = counts_;
  stats_.n_requests = n_requests;
  stats_.n_refused = n_refused;
  stats_.retry_after_seconds = n_queued_ >= options_.max_queued ? std::max(0.1, end_interval_) : 0;
}

}  // namespace lfm::engine
