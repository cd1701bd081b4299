// The engine's face: what happens on the threads of its callers.
#include "engine/engine.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/hash.h"
#include "base/host.h"
#include "base/log.h"
#include "base/start_thread.h"
#include "base/strings.h"
#include "engine/engine_impl.h"
#include "model/memory_check.h"

namespace lfm::engine {
namespace {

constexpr int64_t kMaxPages = int64_t{1} << 18;  // bounds the tree over them where pages are small
constexpr int64_t kEchoRows = 64;                // rows of logits for prompts whose log probabilities are wanted

int64_t PagesFor(int64_t n_positions) { return (n_positions + kernels::kPagePositions - 1) / kernels::kPagePositions; }

Status CheckOptions(const EngineOptions& options, const model::Config& config) {
  const auto refuse = [](const char* name, auto value, auto range) {
    return Error{ErrorCode::kInvalidArgument, StrCat(name, " is ", value, "; it must be ", range)};
  };
  if (options.n_ctx < 0 || options.n_ctx > config.context_length) {
    return refuse("the context", options.n_ctx, StrCat("1 to ", config.context_length, " positions"));
  }
  if (options.max_running < 1 || options.max_running > 1024) {
    return refuse("the number of sequences that run together", options.max_running, "1 to 1024");
  }
  if (options.max_queued < 1) return refuse("the queue's length", options.max_queued, "1 or more");
  if (options.max_queued_per_client < 0) {
    return refuse("the queue's length for a client", options.max_queued_per_client, "0 (no limit of its own) or more");
  }
  if (options.n_chunk < 1 || options.n_chunk > 65536) return refuse("the chunk", options.n_chunk, "1 to 65536 tokens");
  if (options.step_ms != 0 && !(options.step_ms >= 1 && options.step_ms <= 60000)) {
    return refuse("the step", options.step_ms, "1 to 60000 ms");
  }
  return Ok();
}

// The position at which a token costs twice as much to read as the first: where attention over all keys before it takes
// as many operations as the products with the weights that it meets.
double DoublingPosition(const model::Config& c) {
  const double d = c.d_model, n_attention = c.n_attention_layers();
  double weights = 0;
  for (const model::LayerConfig& layer : c.layers) {
    weights += layer.mixer == model::Mixer::kConv ? 4 * d * d : (2.0 * c.n_heads + 2.0 * c.n_kv_heads) * c.head_dim * d;
    weights += layer.ffn == model::Ffn::kMoe ? 3.0 * d * c.d_ff_expert * c.n_experts_used : 3.0 * d * c.d_ff;
  }
  const double attention = 2.0 * c.n_heads * c.head_dim * n_attention;  // multiply-adds for each earlier position
  return attention > 0 ? std::max(1.0, weights / attention) : 1e12;
}

}  // namespace

Result<std::unique_ptr<Engine::Impl>> Engine::Impl::Create(std::shared_ptr<LoadedModel> model, Threads& threads,
                                                           const EngineOptions& options) {
  LFM_RETURN_IF_ERROR(model->text_status());
  LFM_RETURN_IF_ERROR(CheckOptions(options, model->config()));
  EngineOptions filled = options;
  const MemoryState memory = ReadMemory();
  const model::StateLayout& layout = model->pages().layout();
  if (filled.n_ctx == 0) {
    const int64_t n_max = model->config().context_length;
    filled.n_ctx = model::PositionsThatFit(layout, n_max, memory);
    if (filled.n_ctx < kernels::kPagePositions) return model::CheckContextMemory(layout, n_max, 1, memory).error();
    if (filled.n_ctx < n_max) {
      Log(LogLevel::kWarning,
          StrCat("memory holds ", filled.n_ctx, " positions of context, not the ", n_max, " that the model was made for"));
    }
  } else {
    LFM_RETURN_IF_ERROR(model::CheckContextMemory(layout, filled.n_ctx, 1, memory));
  }
  if (const uint64_t most = model::ObtainableBytes(memory); most > 0 && filled.cache_bytes > most) {
    return Error{ErrorCode::kOutOfMemory,
                 StrCat("a cache of ", HumanBytes(filled.cache_bytes), " needs ", HumanBytes(filled.cache_bytes - most),
                        " more memory than is free; ", HumanBytes(most / 2), " is what it gets by default")};
  }
  filled.n_chunk = std::min(filled.n_chunk, filled.n_ctx);
  if (filled.max_queued_per_client == 0) filled.max_queued_per_client = filled.max_queued;
  const uint64_t page_bytes = layout.page_bytes;
  const int64_t least = PagesFor(filled.n_ctx) + 1;
  const uint64_t least_bytes = static_cast<uint64_t>(least) * page_bytes;
  if (filled.cache_bytes == 0) filled.cache_bytes = std::max(least_bytes, memory.available_bytes / 2);
  if (filled.cache_bytes < least_bytes) {
    return Error{ErrorCode::kLimit, StrCat("a cache of ", HumanBytes(filled.cache_bytes), " does not hold one sequence of ",
                                           filled.n_ctx, " positions, which needs ", HumanBytes(least_bytes))};
  }
  const int64_t n_pages = std::max(
      least, static_cast<int64_t>(std::min<uint64_t>(filled.cache_bytes / page_bytes, static_cast<uint64_t>(kMaxPages))));
  model::StepSizes sizes;
  const int64_t n_places = filled.max_running + Scheduler::SparePlaces(filled.max_running);
  sizes.max_tokens = filled.n_chunk + Scheduler::kMaxAnswerTokens * n_places;
  sizes.max_logits = std::min<int64_t>(sizes.max_tokens, n_places + kEchoRows);
  sizes.max_positions = filled.n_ctx;
  LFM_TRY(auto stepper, model::Stepper::Create(model->network(), threads, sizes));
  std::unique_ptr<Impl> impl(new Impl(std::move(model), threads, filled, n_pages, std::move(stepper)));
  impl->Publish();
  LFM_TRY(impl->thread_, StartThread("the engine", [engine = impl.get()] { engine->Run(); }));
  return impl;
}

Engine::Impl::Impl(std::shared_ptr<LoadedModel> model, Threads& threads, const EngineOptions& options, int64_t max_pages,
                   std::unique_ptr<model::Stepper> stepper)
    : model_(std::move(model)), threads_(threads), options_(options), pool_(model_->pages().layout(), max_pages),
      stepper_(std::move(stepper)), cache_(DoublingPosition(model_->config())),
      scheduler_(options.max_running, options.n_chunk, options.step_ms / 1e3), rows_(static_cast<size_t>(threads.size())) {
  if (HasLimits()) stepper_->set_profile(&profile_);
}

Engine::Impl::~Impl() {
  {
    std::lock_guard lock(mutex_);
    stops_ = true;
  }
  doorbell_->Ring();
  if (thread_.joinable()) thread_.join();
}

Status Engine::Impl::CheckPoints(const Request& request, size_t first) const {
  if (request.points.size() > kMaxScorePoints || request.n != 1 || request.prompt_logprobs) {
    return Error{ErrorCode::kInvalidArgument, StrCat("a request scores at most ", kMaxScorePoints, " points, and nothing else")};
  }
  for (const ScorePoint& point : std::span(request.points).subspan(first)) {
    if (first > 0 && point.continuation.empty()) {
      return Error{ErrorCode::kInvalidArgument, "a point that is asked for later needs a continuation"};
    }
    LFM_RETURN_IF_ERROR(stepper_->CheckIds(point.continuation));
    LFM_RETURN_IF_ERROR(stepper_->CheckIds(point.wanted));
    if (const size_t n = request.prompt.size() + point.continuation.size(); n > static_cast<size_t>(options_.n_ctx)) {
      return Error{ErrorCode::kLimit,
                   StrCat("the prompt of ", n, " tokens exceeds the context of ", options_.n_ctx, "; shorten it")};
    }
  }
  return Ok();
}

Status Engine::Impl::Check(const Request& request) const {
  if (request.prompt.empty()) {
    return Error{ErrorCode::kInvalidArgument, "the prompt is empty: there is nothing to continue"};
  }
  const auto n = static_cast<int64_t>(request.prompt.size());
  const bool fills = n == options_.n_ctx && request.params.max_tokens != 0 && request.points.empty();
  if (n > options_.n_ctx || fills) {
    return Error{ErrorCode::kLimit, StrCat("the prompt of ", n, " tokens ", fills ? "fills" : "exceeds", " the context of ",
                                           options_.n_ctx, "; shorten it")};
  }
  if (request.n < 1 || request.n > kMaxChoices) {
    return Error{ErrorCode::kInvalidArgument, StrCat("n is ", request.n, "; it must be 1 to ", kMaxChoices)};
  }
  if (!request.points.empty()) LFM_RETURN_IF_ERROR(CheckPoints(request, 0));
  if (request.prompt_logprobs && request.params.n_logprobs < 0) {
    return Error{ErrorCode::kInvalidArgument, "log probabilities of the prompt were asked for, but none of the answer"};
  }
  return stepper_->CheckIds(request.prompt);
}

Result<std::unique_ptr<Lane>> Engine::Impl::MakeLane(Task& task, int choice) const {
  const Request& request = task.request;
  const int64_t room = options_.n_ctx - static_cast<int64_t>(request.prompt.size());
  GenerationParams params = request.params;
  params.sampling.seed = ChoiceSeed(params.sampling.seed, choice);
  auto lane = std::make_unique<Lane>(task, choice);
  lane->ids = request.prompt;
  if (task.scores()) return lane;
  LFM_TRY(lane->answer, Answer::Create(model_->text().tokenizer, model_->config().vocab_size, params, request.prompt,
                                       params.max_tokens < 0 ? room : std::min(room, params.max_tokens)));
  return lane;
}

Result<std::unique_ptr<Task>> Engine::Impl::MakeTask(Request request) const {
  auto task = std::make_unique<Task>();
  task->request = std::move(request);
  LFM_TRY(auto lane, MakeLane(*task, 0));
  if (options_.prefix_cache && task->request.cache_prompt) {
    uint64_t hash = Hash64(std::as_bytes(std::span(task->request.tenant)));
    const std::span<const int32_t> ids(lane->ids);
    for (size_t at = 0; at + kernels::kPagePositions <= ids.size(); at += kernels::kPagePositions) {
      hash = Hash64(std::as_bytes(ids.subspan(at, kernels::kPagePositions)), hash);
      lane->hashes.push_back(hash);
    }
  }
  task->lanes.push_back(std::move(lane));
  task->usage.n_prompt = static_cast<int64_t>(task->request.prompt.size());
  return task;
}

Result<std::shared_ptr<Stream>> Engine::Impl::Submit(Request request, std::function<void()> notify) {
  LFM_RETURN_IF_ERROR(Check(request));
  LFM_TRY(auto task, MakeTask(std::move(request)));
  task->queue = std::make_shared<EventQueue>(doorbell_, std::move(notify));
  task->submitted = Clock::now();
  auto stream = std::make_shared<StreamHandle>(task->queue);
  {
    std::lock_guard lock(mutex_);
    const auto of_client = n_queued_of_.find(task->request.client);
    const int n_of_client = of_client == n_queued_of_.end() ? 0 : of_client->second;
    if (drains_ || stops_) {
      stats_.n_refused += 1;
      return Error{ErrorCode::kBusy, "no more requests are taken: the engine is about to end"};
    }
    if (n_queued_ >= options_.max_queued || n_of_client >= options_.max_queued_per_client) {
      stats_.n_refused += 1;
      return Error{ErrorCode::kBusy,
                   StrCat(n_queued_ >= options_.max_queued ? n_queued_ : n_of_client, " requests wait already; try again later")};
    }
    n_queued_ += 1;
    n_queued_of_[task->request.client] += 1;
    n_open_ += 1;
    stats_.n_requests += 1;
    incoming_.push_back(std::move(task));
  }
  doorbell_->Ring();
  return std::shared_ptr<Stream>(std::move(stream));
}

void Engine::Impl::Drain() {
  std::lock_guard lock(mutex_);
  drains_ = true;
}

bool Engine::Impl::draining() const {
  std::lock_guard lock(mutex_);
  return drains_;
}

bool Engine::Impl::WaitIdle(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, until, [&] { return n_open_ == 0; });
}

EngineStats Engine::Impl::Stats() const {
  std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.n_waiting = n_queued_;
  return stats;
}

Status Engine::Impl::OnThread(const std::function<Status()>& work) {
  auto done = std::make_shared<std::promise<Status>>();
  auto result = done->get_future();
  {
    std::lock_guard lock(mutex_);
    commands_.push_back([this, work, done] {
      Status status = work();
      Publish();
      done->set_value(std::move(status));
    });
  }
  doorbell_->Ring();
  return result.get();
}

Status Engine::Impl::SavePrefixCache(const std::string& path) {
  return OnThread([&] { return WriteCache(path); });
}

Status Engine::Impl::LoadPrefixCache(const std::string& path) {
  return OnThread([&] { return ReadCache(path); });
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<LoadedModel> model, Threads& threads,
                                               const EngineOptions& options) {
  LFM_TRY(auto impl, Impl::Create(std::move(model), threads, options));
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

LoadedModel& Engine::model() const { return impl_->model(); }
const EngineOptions& Engine::options() const { return impl_->options(); }
int64_t Engine::n_ctx() const { return impl_->options().n_ctx; }
Result<std::shared_ptr<Stream>> Engine::Submit(Request request, std::function<void()> notify) {
  return impl_->Submit(std::move(request), std::move(notify));
}
void Engine::Drain() { impl_->Drain(); }
bool Engine::draining() const { return impl_->draining(); }
bool Engine::WaitIdle(Clock::time_point until) { return impl_->WaitIdle(until); }
EngineStats Engine::Stats() const { return impl_->Stats(); }
Status Engine::SavePrefixCache(const std::string& path) { return impl_->SavePrefixCache(path); }
Status Engine::LoadPrefixCache(const std::string& path) { return impl_->LoadPrefixCache(path); }

}  // namespace lfm::engine
