#include "server/job.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "server/parameters.h"

namespace lfm::server {
namespace {

constexpr size_t kMaxTogether = 16;       // prompts of one request that the engine has at a time
constexpr size_t kFlushBytes = 16 << 10;  // of a stream, while events keep coming

// Lives as long as the engine or the client may still need it. All but Cancel runs on the reply's workers, one at a time.
class Job : public std::enable_shared_from_this<Job> {
 public:
  Job(Translated translated, const ServedModel& model, Backend& backend, std::shared_ptr<Reply> reply)
      : work_(std::move(translated)), model_(model), backend_(backend), reply_(std::move(reply)) {
    n_choices_ = work_.requests.front().n;
    for (size_t i = 0; i < work_.requests.size() * static_cast<size_t>(n_choices_); ++i) {
      readers_.emplace_back(model.text->tokenizer, work_.reader);
    }
    streams_.resize(work_.requests.size());
    usages_.resize(work_.requests.size());
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
  // The client is gone. Streams are cancelled where they are owned: on the workers.
  void Leave() {
    left_ = true;
    reply_->Run([job = shared_from_this()] {
      for (const auto& stream : job->streams_) {
        if (stream) stream->Cancel();
      }
      job->Pump();
    });
  }

  // Gives the engine as many of the prompts as it takes now.
  void SubmitMore() {
    while (next_ < work_.requests.size() && n_running_ < kMaxTogether) {
      engine::Request request = work_.requests[next_];
      // The stream keeps the job until the last event is taken, and the job the stream.
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
    if (over_) return;
    if (work_.stream && !begun_ && !left_) {
      begun_ = true;
      reply_->BeginStream("text/event-stream");
      work_.writer->Begin(totals_.n_prompt, out_);
    }
    for (size_t i = 0; i < streams_.size() && !over_; ++i) {
      while (!over_ && streams_[i]) {
        std::optional<engine::Event> event = streams_[i]->TryNext();
        if (!event) break;
        Take(i, *event);
        if (out_.size() >= kFlushBytes) Flush();
      }
    }
    if (over_) return;
    Flush();
    if (next_ == work_.requests.size() && n_running_ == 0) Finish();
  }

  void Take(size_t prompt, const engine::Event& event) {
    using Kind = engine::Event::Kind;
    const size_t choice = prompt * static_cast<size_t>(n_choices_) + static_cast<size_t>(event.choice);
    switch (event.kind) {
      case Kind::kPromptProgress:
        if (work_.requests[prompt].return_progress) {
          work_.writer->Progress(event.usage.n_prompt, event.usage.n_cached, event.n_done, event.timings.prompt_ms, out_);
        }
        break;
      case Kind::kPromptLogprobs: TakePromptFigures(prompt, event); break;
      case Kind::kScores: break;  // asked for by no job of this kind
      case Kind::kToken:
      case Kind::kChoiceEnd: TakeToken(choice, event); break;
      case Kind::kFinished:
        AddUsage(prompt, event);
        streams_[prompt].reset();
        --n_running_;
        SubmitMore();
        break;
      case Kind::kError:
        AddUsage(prompt, event);
        Fail(event.error);
        break;
    }
  }

  void TakeToken(size_t choice, const engine::Event& event) {
    parts_.clear();
    AnswerReader& reader = readers_[choice];
    reader.Take(event, parts_);
    if (event.kind == engine::Event::Kind::kToken) ++n_visible_;
    if (!work_.stream || left_) return;
    const int index = static_cast<int>(choice);
    for (const Part& part : parts_) work_.writer->Write(index, reader.answer(), part, out_);
    if (event.kind == engine::Event::Kind::kChoiceEnd) {
      work_.writer->EndChoice(index, reader.answer(), reader.TakeFigures(), out_);
    }
  }

  // Figures of the prompt without the tokens that the client did not send; the first that it did has none.
  void TakePromptFigures(size_t prompt, const engine::Event& event) {
    const int64_t hidden = prompt < work_.hidden_prefix.size() ? work_.hidden_prefix[prompt] : 0;
    std::vector<TokenFigure> figures;
    int64_t at = event.first;
    for (const engine::TokenInfo& token : event.prompt_logprobs) {
      if (at >= hidden) {
        figures.push_back(MakeFigure(model_.text->tokenizer, token, work_.reader.n_top));
        figures.back().known = at > hidden;
      }
      ++at;
    }
    work_.writer->TakePrompt(static_cast<int>(prompt), std::move(figures));
  }

  void AddUsage(size_t prompt, const engine::Event& event) {
    usages_[prompt] = event.usage;
    engine::Timings& t = totals_.timings;
    t.n_prompt += event.timings.n_prompt;
    t.n_reused += event.timings.n_reused;
    t.queued_ms += event.timings.queued_ms;
    t.prompt_ms += event.timings.prompt_ms;
    t.n_predicted += event.timings.n_predicted;
    t.predicted_ms += event.timings.predicted_ms;
  }

  // `finish`: of the first choice, or why there is no answer.
  void SetUsage(const std::string& finish) {
    totals_.n_cached = totals_.n_completion = 0;
    for (const engine::Usage& usage : usages_) {
      totals_.n_cached += usage.n_cached;
      totals_.n_completion += usage.n_generated;
    }
    for (const AnswerReader& reader : readers_) totals_.n_reasoning += reader.answer().n_reasoning;
    totals_.priced = model_.pricing.prices.has_value();
    totals_.cost = model_.pricing.Of(totals_.n_prompt, totals_.n_cached, totals_.n_completion);
    Usage usage;
    usage.model = work_.model;
    usage.prompt_tokens = totals_.n_prompt;
    usage.cached_tokens = totals_.n_cached;
    usage.completion_tokens = totals_.n_completion;
    usage.reasoning_tokens = totals_.n_reasoning;
    usage.cost_pico_dollars = totals_.cost.total();
    usage.finish_reason = finish;
    usage.queue_s = totals_.timings.queued_ms / 1e3;
    usage.prefill_s = totals_.timings.prompt_ms / 1e3;
    usage.decode_s = totals_.timings.predicted_ms / 1e3;
    reply_->SetUsage(std::move(usage));
  }

  void Flush() {
    if (n_visible_ > 0) reply_->CountTokens(std::exchange(n_visible_, 0));
    if (out_.empty()) return;
    const bool taken = reply_->Write(out_);
    out_.clear();
    if (taken || left_) return;
    left_ = true;
    for (const auto& stream : streams_) {
      if (stream) stream->Cancel();
    }
  }

  void Finish() {
    std::vector<const Answer*> answers;
    for (const AnswerReader& reader : readers_) answers.push_back(&reader.answer());
    SetUsage(answers.front()->finish);
    if (work_.stream) {
      work_.writer->End(answers, totals_, out_);
      if (work_.finished) work_.finished(answers);
      reply_->End(out_);
    } else {
      std::string document = work_.writer->Document(answers, totals_);
      if (work_.finished) work_.finished(answers);
      reply_->Send(200, "application/json", std::move(document));
    }
    over_ = true;
  }

  void Fail(const Error& error) {
    over_ = true;
    for (auto& stream : streams_) {
      if (stream) stream->Cancel();
      stream.reset();
    }
    if (next_ > 0) {  // else nothing was begun, and nothing is accounted
      totals_.n_prompt = 0;
      for (const engine::Usage& usage : usages_) totals_.n_prompt += usage.n_prompt;
      SetUsage(left_ ? "abort" : "error");
    }
    if (begun_ && !out_.empty()) reply_->Write(out_);
    reply_->Fail(FromEngine(error, backend_.RetryAfterSeconds()));
  }

  Translated work_;
  const ServedModel& model_;
  Backend& backend_;
  const std::shared_ptr<Reply> reply_;
  int n_choices_ = 1;
  std::vector<AnswerReader> readers_;                     // by choice, prompt-major
  std::vector<std::shared_ptr<engine::Stream>> streams_;  // by prompt; null before and after
  std::vector<engine::Usage> usages_;
  size_t next_ = 0;  // the first prompt that the engine does not have yet
  size_t n_running_ = 0;
  Totals totals_;
  std::vector<Part> parts_;
  std::string out_;
  int n_visible_ = 0;
  bool begun_ = false, over_ = false;
  std::atomic<bool> left_ = false;
};

}  // namespace

void StartJob(Translated translated, const ServedModel& model, Backend& backend, std::shared_ptr<Reply> reply) {
  const auto job = std::make_shared<Job>(std::move(translated), model, backend, reply);
  reply->Run([job] { job->Start(); });
}

}  // namespace lfm::server
