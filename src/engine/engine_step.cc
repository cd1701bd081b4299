// One step: the parts of all lanes through the model, then a token for every lane that came to its last row.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "engine/engine_impl.h"

namespace lfm::engine {
namespace {

double Seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

}  // namespace

// What a step reads and what is to be made of its rows.
struct Engine::Impl::Work {
  struct Job {  // an answer's next token
    Lane* lane;
    int64_t row;
    std::span<const int32_t> ids;  // of the row; empty: all
    bool shares_row;
    Status status;
  };
  struct EchoRow {  // log probabilities of one prompt token
    Task* task;
    int64_t row;
    int32_t id;
    TokenInfo info;
  };
  struct PointRow {  // logits of a point
    Task* task;
    int64_t row;
    size_t point;
    bool few;  // the row holds what is wanted alone
    Event event;
  };
  std::vector<Lane*> lanes;  // of the items
  std::vector<model::StepItem> items;
  std::vector<int64_t> first_row;  // of each item's logits
  std::vector<Job> jobs;
  std::vector<Lane*> ended;  // that wanted no token
  std::vector<EchoRow> echo_rows;
  std::vector<PointRow> point_rows;
  int64_t n_decode = 0, n_prompt = 0;
};

Engine::Impl::Work Engine::Impl::MakeWork(const std::vector<Lane*>& lanes, const std::vector<Part>& parts) {
  Work work;
  int64_t n_rows = 0;
  int64_t spare_rows = stepper_->sizes().max_logits - static_cast<int64_t>(parts.size());
  for (const Part& part : parts) {
    Lane& lane = *lanes[part.claim];
    const Task& task = lane.task;
    const int64_t at = lane.n_read();
    const bool echoes = task.request.prompt_logprobs && !task.forked;  // then this is the lane that reads the prompt
    int64_t n = std::min(part.n_tokens, lane.n_unread());
    if (echoes) {
      n = std::min(n, 1 + std::max<int64_t>(0, spare_rows));
      spare_rows -= n - 1;
    }
    const bool reaches_end = n == lane.n_unread();
    const auto logits = echoes ? model::Logits::kAll : reaches_end ? model::Logits::kLast : model::Logits::kNone;
    work.lanes.push_back(&lane);
    work.items.push_back({&*lane.sequence, std::span(lane.ids).subspan(static_cast<size_t>(at), static_cast<size_t>(n)), logits});
    work.first_row.push_back(n_rows);
    n_rows += echoes ? n : reaches_end ? 1 : 0;
    if (lane.n_unread() > Scheduler::kMaxAnswerTokens) {
      work.n_prompt += n;
    } else {
      work.n_decode += 1;
    }
  }
  return work;
}

// Where an answer's next token can be one of a few only, their rows of the head are enough. Masks are found on all threads.
void Engine::Impl::ChooseRows(Work& work) {
  threads_.For(static_cast<int64_t>(work.items.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      model::StepItem& item = work.items[static_cast<size_t>(i)];
      const Lane& lane = *work.lanes[static_cast<size_t>(i)];
      if (item.logits != model::Logits::kLast) continue;
      if (lane.answer) {
        item.ids = lane.answer->Wanted();
      } else if (lane.task.forked) {
        const ScorePoint& point = lane.task.request.points[static_cast<size_t>(lane.choice)];
        if (!point.normalizer) item.ids = point.wanted;
      }
    }
  });
}

void Engine::Impl::RunStep(const std::vector<Lane*>& lanes, const std::vector<Part>& parts) {
  Work work = MakeWork(lanes, parts);
  const auto begin = Clock::now();
  const Threads::Step awake(threads_);
  ChooseRows(work);
  const double choosing = Seconds(begin);
  if (const Status stepped = stepper_->Step(work.items); !stepped.ok()) {
    // The system has no memory left, whatever the limit was: fewer sequences need less.
    const size_t victim = scheduler_.Victim(ClaimsOf(lanes));
    cache_.Evict(cache_.n_pages());
    if (victim < lanes.size()) {
      GiveWay(*lanes[victim]);
    } else {
      Fail(work.lanes[0]->task, stepped.error());
    }
    return;
  }
  for (size_t i = 0; i < work.items.size(); ++i) TakeRead(work, i);
  const auto sampling = Clock::now();
  Echo(work);
  Score(work);
  for (Lane* lane : work.ended) EndLane(*lane);
  Sample(work);
  const double seconds = Seconds(begin);
  counts_.sampling_seconds += choosing + Seconds(sampling);
  counts_.n_steps += 1;
  if (HasLimits()) CompareWithLimits();
  counts_.step_seconds += seconds;
  scheduler_.Observe(work.n_decode, work.n_prompt, seconds);
}

// A step reads its weights, keys and values once and makes its operations; neither can be done faster than the limits say.
void Engine::Impl::CompareWithLimits() {
  const MachineLimits& limits = options_.limits;
  const model::Profile &now = profile_, &before = counts_.profile;
  const auto f32 = static_cast<double>(now.f32_operations - before.f32_operations);
  const double int8 = static_cast<double>(now.operations - before.operations) - f32;
  const uint64_t bytes = now.all_read_bytes() - before.all_read_bytes();
  const double reading = bytes <= limits.cache_bytes ? 0 : static_cast<double>(bytes) / limits.read_bytes_per_s;
  const double operations = (limits.int8_operations_per_s > 0 ? int8 / limits.int8_operations_per_s : 0) +
                            (limits.f32_operations_per_s > 0 ? f32 / limits.f32_operations_per_s : 0);
  counts_.least_seconds += std::max(reading, operations);
  counts_.profile = profile_;
}

// Item i has been read: notes what is to be made of its rows.
void Engine::Impl::TakeRead(Work& work, size_t i) {
  Lane& lane = *work.lanes[i];
  Task& task = lane.task;
  if (Status finite = stepper_->ItemStatus(i); !finite.ok()) {
    Fail(task, finite.error());
    return;
  }
  const auto n = static_cast<int64_t>(work.items[i].tokens.size());
  const bool echoes = work.items[i].logits == model::Logits::kAll;
  for (int64_t j = 0; echoes && j < n; ++j) {  // a row tells of the token after it
    const std::vector<int32_t>& prompt = task.request.prompt;
    const int64_t place = lane.n_read() - n + j + 1;
    if (place <= task.n_echoed || place >= static_cast<int64_t>(prompt.size())) continue;
    work.echo_rows.push_back({&task, work.first_row[i] + j, prompt[static_cast<size_t>(place)], {}});
  }
  Account(lane, n);
  KeepPages(lane);
  if (lane.n_unread() > 0) return;
  const bool forks = !task.forked;
  if (forks) Fork(task);
  if (task.failed) return;
  const int64_t row = work.first_row[i] + (echoes ? n - 1 : 0);
  if (task.scores()) {
    const std::vector<ScorePoint>& points = task.request.points;
    for (size_t j = 0; j < points.size(); ++j) {
      if (forks ? points[j].continuation.empty() : static_cast<int>(j) == lane.choice)
        work.point_rows.push_back({&task, row, j, !work.items[i].ids.empty(), {}});
    }
    lane.ended = true;
    if (forks && task.request.more_points) task.kept = std::move(lane.sequence);
    lane.sequence.reset();
    return;
  }
  for (const auto& other : task.lanes) {
    if (!forks && other.get() != &lane) continue;
    if (other->answer->ended()) {  // no token was wanted
      work.ended.push_back(other.get());
    } else {
      work.jobs.push_back({other.get(), row, work.items[i].ids, forks && task.lanes.size() > 1, {}});
    }
  }
}

void Engine::Impl::Account(Lane& lane, int64_t n_tokens) {
  Task& task = lane.task;
  scheduler_.Charge(task.request.client, n_tokens);
  const int64_t n_prompt_read = std::min(lane.n_read(), task.usage.n_prompt);
  counts_.n_prompt_tokens += std::max<int64_t>(0, n_prompt_read - (lane.n_read() - n_tokens));
  if (task.forked || n_prompt_read <= task.n_read) return;
  task.n_read = n_prompt_read;
  if (!task.request.return_progress) return;
  Event event;
  event.kind = Event::Kind::kPromptProgress;
  event.n_done = task.n_read;
  event.usage = task.usage;
  task.events.push_back(std::move(event));
}

// The answers of a request part here: each goes on from the prompt's last row with a sequence of its own. Who has no place
// or no page now gets both later, when it reads the prompt's last tokens again.
void Engine::Impl::Fork(Task& task) {
  task.forked = true;
  task.first_row = Clock::now();
  if (task.request.prompt_logprobs && task.request.prompt.size() == 1) {
    Event event;
    event.kind = Event::Kind::kPromptLogprobs;
    event.prompt_logprobs.push_back({task.request.prompt[0], 0, {}});
    task.events.push_back(std::move(event));
  }
  if (task.scores()) return ForkPoints(task, 0, &*task.lanes[0]->sequence);
  if (task.request.n == 1) return;
  int n_running = CountRunning();
  for (int i = 1; i < task.request.n; ++i) {
    auto made = MakeLane(task, i);
    if (!made.ok()) {
      Fail(task, made.error());
      return;
    }
    AddBranch(task, std::move(*made), &*task.lanes[0]->sequence, n_running);
  }
}

// A lane for each point behind the prompt's end: it reads the continuation, and its last row is what was asked for.
void Engine::Impl::ForkPoints(Task& task, size_t first, const model::Sequence* prompt) {
  int n_running = CountRunning();
  for (size_t i = first; i < task.request.points.size(); ++i) {
    const std::vector<int32_t>& continuation = task.request.points[i].continuation;
    if (continuation.empty()) continue;
    auto lane = std::make_unique<Lane>(task, static_cast<int>(i));
    lane->ids = task.request.prompt;
    lane->ids.insert(lane->ids.end(), continuation.begin(), continuation.end());
    AddBranch(task, std::move(lane), prompt, n_running);
  }
}

int Engine::Impl::CountRunning() const {
  int n_running = 0;
  for (const auto& other : tasks_) {
    n_running += static_cast<int>(
        std::count_if(other->lanes.begin(), other->lanes.end(), [](const auto& lane) { return lane->running(); }));
  }
  return n_running;
}

// With a copy of the prompt's sequence, where it is still there, while there are places and pages.
void Engine::Impl::AddBranch(Task& task, std::unique_ptr<Lane> made, const model::Sequence* prompt, int& n_running) {
  Lane& lane = *made;
  lane.id = ++n_lanes_;
  task.lanes.push_back(std::move(made));
  if (!prompt || n_running >= options_.max_running) return;
  if (pool_.n_used() == pool_.max_pages()) cache_.Evict(1);
  if (auto copy = prompt->Copy(); copy.ok()) {
    lane.sequence.emplace(std::move(*copy));
    lane.n_cached_pages = task.lanes[0]->n_cached_pages;
    ++n_running;
  }
}

// The logits that were asked for, on all threads.
void Engine::Impl::Score(Work& work) {
  threads_.For(static_cast<int64_t>(work.point_rows.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      Work::PointRow& point = work.point_rows[static_cast<size_t>(i)];
      const auto logits = stepper_->logits(point.row);
      point.event.kind = Event::Kind::kScores;
      point.event.first = static_cast<int64_t>(point.point);
      if (point.few) {
        point.event.logits.assign(logits.begin(), logits.end());
        continue;
      }
      const ScorePoint& asked = point.task->request.points[point.point];
      if (asked.normalizer) point.event.log_normalizer = LogNormalizer(logits).log_sum();
      for (const int32_t id : asked.wanted) point.event.logits.push_back(logits[static_cast<size_t>(id)]);
    }
  });
  for (Work::PointRow& point : work.point_rows) {
    Task& task = *point.task;
    if (!task.failed && task.request.more_points) AskForMore(task, point.event);
    if (!task.failed) task.events.push_back(std::move(point.event));
  }
}

// The points that are wanted in the light of this one.
void Engine::Impl::AskForMore(Task& task, const Event& event) {
  std::vector<ScorePoint> more = task.request.more_points(event);
  if (more.empty()) return;
  const size_t first = task.request.points.size();
  for (ScorePoint& point : more) task.request.points.push_back(std::move(point));
  if (const Status checked = CheckPoints(task.request, first); !checked.ok()) return Fail(task, checked.error());
  ForkPoints(task, first, task.kept ? &*task.kept : nullptr);
}

void Engine::Impl::Echo(Work& work) {
  if (work.echo_rows.empty()) return;
  threads_.For(static_cast<int64_t>(work.echo_rows.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      Work::EchoRow& echo = work.echo_rows[static_cast<size_t>(i)];
      const auto logits = stepper_->logits(echo.row);
      const LogNormalizer normalizer(logits);
      const int n_top = echo.task->request.params.n_logprobs;
      echo.info.id = echo.id;
      echo.info.logprob = normalizer.Of(logits[static_cast<size_t>(echo.id)]);
      echo.info.top = TopLogprobs(logits, n_top, normalizer);
    }
  });
  for (Work::EchoRow& echo : work.echo_rows) {
    Task& task = *echo.task;
    if (task.failed) continue;
    if (task.n_echoed == 0 || task.events.empty() || task.events.back().kind != Event::Kind::kPromptLogprobs) {
      Event event;
      event.kind = Event::Kind::kPromptLogprobs;
      event.first = task.n_echoed == 0 ? 0 : task.n_echoed + 1;
      if (task.n_echoed == 0) event.prompt_logprobs.push_back({task.request.prompt[0], 0, {}});
      task.events.push_back(std::move(event));
    }
    task.events.back().prompt_logprobs.push_back(std::move(echo.info));
    task.n_echoed += 1;
  }
}

void Engine::Impl::Sample(Work& work) {
  threads_.For(static_cast<int64_t>(work.jobs.size()), 1, [&](int64_t begin, int64_t end, int i_thread) {
    for (int64_t i = begin; i < end; ++i) {
      Work::Job& job = work.jobs[static_cast<size_t>(i)];
      std::span<float> row = stepper_->logits(job.row);
      std::vector<float>& own = rows_[static_cast<size_t>(i_thread)];
      if (!job.ids.empty()) {
        own.resize(static_cast<size_t>(model_->config().vocab_size));
        SpreadLogits(job.ids, row, own);
        row = own;
      } else if (job.shares_row) {
        own.assign(row.begin(), row.end());
        row = own;
      }
      job.status = job.lane->answer->Take(row);
    }
  });
  for (Work::Job& job : work.jobs) {
    Lane& lane = *job.lane;
    if (lane.task.failed) continue;
    if (!job.status.ok()) {
      Fail(lane.task, job.status.error());
    } else {
      Emit(lane);
    }
  }
}

void Engine::Impl::Emit(Lane& lane) {
  Task& task = lane.task;
  for (const AnswerToken& token : lane.answer->added()) {
    lane.ids.push_back(token.info.id);
    Event event;
    event.kind = Event::Kind::kToken;
    event.choice = lane.choice;
    event.token = token.info;
    event.text = token.text;
    task.events.push_back(std::move(event));
  }
  const auto n = static_cast<int64_t>(lane.answer->added().size());
  task.usage.n_generated += n;
  counts_.n_generated_tokens += n;
  scheduler_.Charge(task.request.client, n);
  if (lane.answer->ended()) EndLane(lane);
}

}  // namespace lfm::engine
