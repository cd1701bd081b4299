// The inside of Engine. What requests and readers touch stands under mutex_; all else belongs to the engine's thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/engine_task.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"
#include "model/stepper.h"

namespace lfm::engine {

class Engine::Impl {
 public:
  static Result<std::unique_ptr<Impl>> Create(std::shared_ptr<LoadedModel> model, Threads& threads, const EngineOptions& options);
  ~Impl();

  LoadedModel& model() const { return *model_; }
  const EngineOptions& options() const { return options_; }
  Result<std::shared_ptr<Stream>> Submit(Request request, std::function<void()> notify);
  void Drain();
  bool draining() const;
  bool WaitIdle(Clock::time_point until);
  EngineStats Stats() const;
  Status SavePrefixCache(const std::string& path);
  Status LoadPrefixCache(const std::string& path);

 private:
  Impl(std::shared_ptr<LoadedModel> model, Threads& threads, const EngineOptions& options, int64_t max_pages,
       std::unique_ptr<model::Stepper> stepper);

  // engine.cc: on the callers' threads
  Status Check(const Request& request) const;
  Status CheckPoints(const Request& request, size_t first) const;  // from this one on
  Result<std::unique_ptr<Lane>> MakeLane(Task& task, int choice) const;
  Result<std::unique_ptr<Task>> MakeTask(Request request) const;
  // Runs `work` on the engine's thread, between two steps.
  Status OnThread(const std::function<Status()>& work);

  // engine_loop.cc
  void Run();
  bool TakeIncoming();  // false: the engine ends
  void EndUnwanted();
  bool Step();  // false: nothing can be done now
  std::vector<Lane*> LiveLanes() const;
  std::vector<Claim> ClaimsOf(const std::vector<Lane*>& lanes) const;
  int64_t FreePages(const std::vector<Lane*>& lanes) const;
  void Admit(Lane& lane);
  void AdoptCached(Lane& lane);
  void KeepPages(Lane& lane);
  void GiveWay(Lane& lane);
  void DropKept();
  bool MakeRoom(const std::vector<Lane*>& lanes, std::vector<Part>& parts);
  void EndLane(Lane& lane);
  void Fail(Task& task, Error error);
  void CloseTask(Task& task, Clock::time_point now);
  void Settle();
  void LeaveQueue(const Task& task);  // with mutex_ held
  int64_t CachedPagesInUse();
  void Publish();
  Clock::time_point NextDeadline() const;

  // engine_step.cc
  struct Work;
  Work MakeWork(const std::vector<Lane*>& lanes, const std::vector<Part>& parts);
  void ChooseRows(Work& work);
  void RunStep(const std::vector<Lane*>& lanes, const std::vector<Part>& parts);
  bool HasLimits() const { return options_.limits.read_bytes_per_s > 0; }
  void CompareWithLimits();
  void TakeRead(Work& work, size_t i);
  void Account(Lane& lane, int64_t n_tokens);
  void Echo(Work& work);
  void Fork(Task& task);
  void ForkPoints(Task& task, size_t first, const model::Sequence* prompt);
  void AskForMore(Task& task, const Event& event);
  void AddBranch(Task& task, std::unique_ptr<Lane> lane, const model::Sequence* prompt, int& n_running);
  int CountRunning() const;
  void Score(Work& work);
  void Sample(Work& work);
  void Emit(Lane& lane);

  // prefix_file.cc
  Status WriteCache(const std::string& path) const;
  Status ReadCache(const std::string& path);

  const std::shared_ptr<LoadedModel> model_;
  Threads& threads_;
  const EngineOptions options_;
  const std::shared_ptr<Doorbell> doorbell_ = std::make_shared<Doorbell>();

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<std::unique_ptr<Task>> incoming_;
  std::vector<std::function<void()>> commands_;
  std::map<std::string, int> n_queued_of_;  // requests of each client that have not begun
  int n_queued_ = 0;
  int64_t n_open_ = 0;  // requests whose last event has not been pushed
  bool drains_ = false, stops_ = false;
  EngineStats stats_;  // as of the last step

  // The engine's thread alone.
  model::PagePool pool_;
  std::unique_ptr<model::Stepper> stepper_;
  PrefixCache cache_;
  uint64_t cache_version_ = 1;  // counts what was added
  Scheduler scheduler_;
  std::vector<std::unique_ptr<Task>> tasks_;
  EngineStats counts_;
  model::Profile profile_;  // written by steps where limits are known
  Clock::time_point last_end_{};
  Clock::time_point counted_at_{};  // when the next was counted
  int64_t n_cached_in_use_ = 0;
  double end_interval_ = 0;               // seconds between the ends of requests while others wait, smoothed
  std::vector<std::vector<float>> rows_;  // [threads][vocab_size], for rows that several answers sample from
  uint64_t n_lanes_ = 0;

  std::thread thread_;  // last: all else is there when it starts
};

}  // namespace lfm::engine
