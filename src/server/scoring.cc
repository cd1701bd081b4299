#include "server/scoring.h"

#include <utility>

#include "server/parameters.h"

namespace lfm::server {
namespace {

constexpr size_t kMostScored = 32;  // requests of one document that the engine has at a time

// Lives as long as the engine or the client may still need it. All but Leave runs on the reply's workers, one at a time.
class ScoringJob : public std::enable_shared_from_this<ScoringJob> {
 public:
  ScoringJob(ScoringWork work, const ServedModel& model, Backend& backend, std::shared_ptr<Reply> reply)
      : work_(std::move(work)), model_(model), backend_(backend), reply_(std::move(reply)), streams_(work_.requests.size()),
        results_(work_.requests.size()) {
    for (size_t i = 0; i < results_.size(); ++i) results_[i].resize(work_.requests[i].points.size());
  }

  void Start() {
    for (const engine::Request& request : work_.requests) totals_.n_prompt += static_cast<int64_t>(request.prompt.size());
    SubmitMore();
    if (over_) return;
    reply_->OnClosed([job = weak_from_this()] {
      if (const auto alive = job.lock()) alive->Leave();
    });
    Pump();
  }

 private:
  void Leave() {
    reply_->Run([job = shared_from_this()] {
      for (const auto& stream : job->streams_) {
        if (stream) stream->Cancel();
      }
      job->Pump();
    });
  }

  void SubmitMore() {
    while (next_ < work_.requests.size() && n_running_ < kMostScored) {
      engine::Request request = work_.requests[next_];
      auto stream = backend_.Submit(std::move(request), [job = shared_from_this()] { job->reply_->Run([job] { job->Pump(); }); });
      if (!stream.ok()) {
        if (stream.error().code == ErrorCode::kBusy && n_running_ > 0) return;  // again when one is done
        return Fail(stream.error());
      }
      streams_[next_++] = std::move(stream).value();
      ++n_running_;
    }
  }

  void Pump() {
    for (size_t i = 0; i < streams_.size() && !over_; ++i) {
      while (!over_ && streams_[i]) {
        std::optional<engine::Event> event = streams_[i]->TryNext();
        if (!event) break;
        Take(i, *event);
      }
    }
    if (over_ || next_ < work_.requests.size() || n_running_ > 0) return;
    over_ = true;
    SetUsage("stop");
    reply_->Send(200, "application/json", work_.document(results_, totals_));
  }

  void Take(size_t i, engine::Event& event) {
    using Kind = engine::Event::Kind;
    if (event.kind == Kind::kScores) {
      const auto point = static_cast<size_t>(event.first);
      if (point >= results_[i].size()) results_[i].resize(point + 1);
      results_[i][point] = {std::move(event.logits), event.log_normalizer};
    } else if (event.kind == Kind::kFinished) {
      AddUsage(event);
      streams_[i].reset();
      --n_running_;
      SubmitMore();
    } else if (event.kind == Kind::kError) {
      AddUsage(event);
      Fail(event.error);
    }
  }

  void AddUsage(const engine::Event& event) {
    totals_.n_cached += event.usage.n_cached;
    totals_.timings.queued_ms += event.timings.queued_ms;
    totals_.timings.prompt_ms += event.timings.prompt_ms;
    totals_.timings.n_prompt += event.timings.n_prompt;
    totals_.timings.n_reused += event.timings.n_reused;
  }

  void SetUsage(const std::string& finish) {
    totals_.priced = model_.pricing.prices.has_value();
    totals_.cost = model_.pricing.Of(totals_.n_prompt, totals_.n_cached, 0);
    Usage usage;
    usage.model = work_.model;
    usage.prompt_tokens = totals_.n_prompt;
    usage.cached_tokens = totals_.n_cached;
    usage.cost_pico_dollars = totals_.cost.total();
    usage.finish_reason = finish;
    usage.queue_s = totals_.timings.queued_ms / 1e3;
    usage.prefill_s = totals_.timings.prompt_ms / 1e3;
    reply_->SetUsage(std::move(usage));
  }

  void Fail(const Error& error) {
    over_ = true;
    for (auto& stream : streams_) {
      if (stream) stream->Cancel();
      stream.reset();
    }
    if (next_ > 0) SetUsage(error.code == ErrorCode::kCancelled ? "abort" : "error");
    reply_->Fail(FromEngine(error, backend_.RetryAfterSeconds()));
  }

  const ScoringWork work_;
  const ServedModel& model_;
  Backend& backend_;
  const std::shared_ptr<Reply> reply_;
  std::vector<std::shared_ptr<engine::Stream>> streams_;  // null before and after
  std::vector<std::vector<PointLogits>> results_;
  size_t next_ = 0, n_running_ = 0;
  Totals totals_;
  bool over_ = false;
};

}  // namespace

void StartScoring(ScoringWork work, const ServedModel& model, Backend& backend, std::shared_ptr<Reply> reply) {
  const auto job = std::make_shared<ScoringJob>(std::move(work), model, backend, reply);
  reply->Run([job] { job->Start(); });
}

}  // namespace lfm::server
