// Many answers at once from one model: requests in, streams of events out.
// One thread of its own runs the steps. An answer depends on model, prompt, parameters and seed alone: not on who else is
// served, on what the prefix cache holds, on how the prompt was cut into steps, or on being interrupted for others.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "engine/generation.h"
#include "engine/loaded_model.h"
#include "model/profile.h"

namespace lfm::engine {

// A place behind a prompt, and the tokens whose logits there are asked for.
struct ScorePoint {
  std::vector<int32_t> continuation;  // read behind the prompt; empty: the prompt's own end
  std::vector<int32_t> wanted;
  bool normalizer = true;  // false: Event::log_normalizer is 0, and only the rows of the head that are wanted are computed
};
constexpr size_t kMaxScorePoints = 16384;

struct Event;

// One prompt and n answers to it.
struct Request {
  std::vector<int32_t> prompt;     // at least one token
  GenerationParams params;         // max_tokens beyond the room in the context (or -1) is what the room allows
  int n = 1;                       // answers (choices). Choice i is the same for every n > i; choice 0 that of n = 1
  bool prompt_logprobs = false;    // of every prompt token; needs params.n_logprobs >= 0. The prompt is read whole for it
  std::vector<ScorePoint> points;  // not empty: no answer is written; a kScores event comes for each of them, in any order
  // With points, where set: called with each kScores event on the engine's thread, before it is pushed. What it gives is
  // scored next, behind the same prompt, and numbered on; each has a continuation. Must be quick; no more than kMaxScorePoints in all.
  std::function<std::vector<ScorePoint>(const Event& scores)> more_points;
  bool return_progress = false;  // kPromptProgress events
  bool cache_prompt = true;      // false: neither uses the prefix cache nor leaves anything in it
  std::string tenant;            // requests share cached prefixes within a tenant only: key and cache_salt
  std::string client;            // whom the scheduler is fair to: the key
  int priority = 0;              // lower goes first, as in vLLM
  std::optional<std::chrono::steady_clock::time_point> deadline;  // after it the request ends with kDeadline
};
constexpr int kMaxChoices = 128;

struct Usage {
  int64_t n_prompt = 0;     // the prompt once, however many answers
  int64_t n_cached = 0;     // of these, found in the prefix cache
  int64_t n_generated = 0;  // all answers, end tokens included
};

struct Event {
  enum class Kind {
    kPromptProgress,  // n_done of usage.n_prompt tokens are read; usage.n_cached of them came from the cache
    kPromptLogprobs,  // prompt_logprobs of the prompt's tokens from place `first` on
    kToken,           // one sampled token of `choice`
    kChoiceEnd,       // `choice` is complete
    kScores,          // logits of the tokens that Request::points[first] wants
    kFinished,        // all choices are; usage and timings are final. The last event
    kError,           // the request failed or was cancelled. The last event
  };
  Kind kind = Kind::kError;
  int choice = 0;
  TokenInfo token;   // kToken; logprob and top where asked for
  std::string text;  // kToken: what is certain now, often empty; kChoiceEnd: what was held back until the end
  StopReason stop_reason = StopReason::kLength;  // kChoiceEnd
  std::string stop;                              // kChoiceEnd: the stop string that was found
  int64_t first = 0;
  std::vector<TokenInfo> prompt_logprobs;  // that of the prompt's first token has no figures: logprob 0, top empty
  std::vector<float> logits;               // kScores: in the order of `wanted`
  double log_normalizer = 0;               // kScores: log of the sum of exp over the whole vocabulary
  int64_t n_done = 0;
  Usage usage;      // kPromptProgress, kFinished, kError (as far as it came)
  Timings timings;  // kFinished; predicted_ms from the first token to the last of all choices
  Error error;      // kError: kCancelled, kDeadline, kLimit, kOutOfMemory, kInternal ...
};

// The events of one request, pulled by its reader. Thread-safe. Bounded: while kCapacity events wait, the answer rests, and
// gives its place and its memory to whoever waits for them. Dropping the last reference cancels.
class Stream {
 public:
  static constexpr size_t kCapacity = 256;

  virtual ~Stream() = default;
  // The next event where one is there. After the last event there is none.
  virtual std::optional<Event> TryNext() = 0;
  // Waits for it; absent after the last event.
  virtual std::optional<Event> Wait() = 0;
  // Ends the request within one step, wherever it is; the last event is then kError with kCancelled. No effect on an
  // ended one.
  virtual void Cancel() = 0;
};

// What a machine reaches at most with the engine's threads; 0: not known. See report::MeasureRoofline.
struct MachineLimits {
  double read_bytes_per_s = 0;
  double int8_operations_per_s = 0, f32_operations_per_s = 0;
  uint64_t cache_bytes = 0;  // what is smaller is not read from memory at every step
};

struct EngineOptions {
  int64_t n_ctx = 0;              // positions of one sequence at most; 0: the model's context length
  int max_running = 64;           // sequences that make tokens together; clients with none have an eighth more places
  int max_queued = 256;           // requests that wait; more are refused with kBusy
  int max_queued_per_client = 0;  // 0: as max_queued
  int64_t n_chunk = 512;          // prompt tokens of a step at most
  double step_ms = 0;             // of a step in which running answers wait for somebody's prompt, at least; it may always
                                  // take 2.75 times what it takes without prompts
  uint64_t cache_bytes = 0;       // for the state of all sequences, running or cached. 0: half of the memory that is free
                                  // now (a container's limit counts), at least what one sequence of n_ctx needs
  bool prefix_cache = true;
  MachineLimits limits = {};  // set: steps are profiled, and compared with them
};

// Figures since Create, for metrics. Seconds are wall time.
struct EngineStats {
  int64_t n_running = 0;                                      // sequences with a place in the steps
  int64_t n_waiting = 0;                                      // requests in the queue
  int64_t n_pages = 0, n_pages_used = 0, n_pages_cached = 0;  // of 64 positions; cached ones are among the used
  uint64_t page_bytes = 0;

  int64_t n_requests = 0, n_finished = 0, n_failed = 0, n_cancelled = 0, n_refused = 0;
  int64_t n_prompt_tokens = 0;  // that were read by steps
  int64_t n_cached_tokens = 0;  // that were found in the prefix cache instead
  int64_t n_generated_tokens = 0;
  int64_t n_preemptions = 0;  // a sequence gave its pages back and was read again later
  int64_t n_evicted_pages = 0;

  int64_t n_steps = 0;
  double step_seconds = 0;         // of all steps: the rest of the time the engine had nothing to do
  double sampling_seconds = 0;     // of these, for sampling
  double least_seconds = 0;        // that no machine with the options' limits could go below for these steps; 0: none given
  model::Profile profile;          // of these steps, where limits were given
  double retry_after_seconds = 0;  // when a place in the queue should be free, from the measured rate; 0: now
};

class Engine {
 public:
  // `threads` must outlive the engine and is used by nobody else meanwhile. An error where the memory does not hold one
  // sequence of n_ctx, or the model has no text.
  static Result<std::unique_ptr<Engine>> Create(std::shared_ptr<LoadedModel> model, Threads& threads,
                                                const EngineOptions& options = {});
  // Cancels everything and waits for the engine's thread.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  LoadedModel& model() const;
  const EngineOptions& options() const;  // with the zeros filled in
  int64_t n_ctx() const;

  // Checks all of the request before any work: kInvalidArgument, kLimit (the prompt exceeds the context), kBusy (the queue
  // is full, see retry_after_seconds, or the engine drains). `notify` is called from the engine's thread, without locks
  // held, when events came where none were waiting: perhaps before Submit has returned, never after the last event was
  // taken. It must be quick and may call TryNext. Thread-safe.
  Result<std::shared_ptr<Stream>> Submit(Request request, std::function<void()> notify = {});

  // Takes no more requests; those taken go on. Thread-safe, as is what follows.
  void Drain();
  bool draining() const;
  // True when nothing runs and nothing waits any more; waits for it at most until `until`.
  bool WaitIdle(std::chrono::steady_clock::time_point until);
  EngineStats Stats() const;

  // The prefix cache as a file, and back. Loading refuses what another model, numerics version or KV type wrote, or what
  // is damaged, as a whole; it takes no more than fits. Both wait for the step in flight.
  Status SavePrefixCache(const std::string& path);
  Status LoadPrefixCache(const std::string& path);

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lfm::engine
