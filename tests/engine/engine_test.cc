// The engine against a session alone: whatever else is going on, every answer has the same tokens, text and log
// probabilities, by ==; and no page is ever lost.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/file.h"
#include "engine/answer.h"
#include "engine/generate.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace lfm::engine {
namespace {

constexpr int64_t kContext = 512;

struct Choice {
  std::vector<int32_t> ids;
  std::string text;
  std::vector<float> logprobs;
  std::vector<std::vector<int32_t>> top;
  std::optional<StopReason> stop_reason;

  bool operator==(const Choice&) const = default;
};

struct Outcome {
  std::map<int, Choice> choices;
  std::vector<TokenInfo> prompt_logprobs;
  std::map<int64_t, std::pair<std::vector<float>, double>> scores;  // by point
  std::vector<int64_t> progress;
  Usage usage;
  std::optional<Error> error;
  bool finished = false;
};

void Note(const Event& event, Outcome& out) {
  Choice& choice = out.choices[event.choice];
  switch (event.kind) {
    case Event::Kind::kPromptProgress: out.progress.push_back(event.n_done); break;
    case Event::Kind::kPromptLogprobs:
      EXPECT_EQ(event.first, static_cast<int64_t>(out.prompt_logprobs.size()));
      out.prompt_logprobs.insert(out.prompt_logprobs.end(), event.prompt_logprobs.begin(), event.prompt_logprobs.end());
      break;
    case Event::Kind::kToken:
      EXPECT_FALSE(choice.stop_reason);
      choice.ids.push_back(event.token.id);
      choice.text += event.text;
      choice.logprobs.push_back(event.token.logprob);
      choice.top.emplace_back();
      for (const TokenLogprob& top : event.token.top) choice.top.back().push_back(top.id);
      break;
    case Event::Kind::kChoiceEnd:
      choice.text += event.text;
      choice.stop_reason = event.stop_reason;
      break;
    case Event::Kind::kFinished:
      out.finished = true;
      out.usage = event.usage;
      break;
    case Event::Kind::kScores: out.scores[event.first] = {event.logits, event.log_normalizer}; break;
    case Event::Kind::kError: out.error = event.error; break;
  }
}

Outcome Collect(Stream& stream) {
  Outcome out;
  while (const auto event = stream.Wait()) Note(*event, out);
  EXPECT_NE(out.finished, out.error.has_value());
  return out;
}

std::vector<int32_t> Ids(uint32_t seed, size_t n) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < n; ++i) {
    seed = seed * 1664525U + 1013904223U;
    ids.push_back(static_cast<int32_t>((seed >> 8) % 2000));
  }
  return ids;
}

Request Ask(std::vector<int32_t> prompt, int64_t n, uint64_t seed = 1) {
  Request request;
  request.prompt = std::move(prompt);
  request.params.sampling.temperature = 0.8F;
  request.params.sampling.min_p = 0;
  request.params.sampling.seed = seed;
  request.params.max_tokens = n;
  request.params.ignore_eos = true;
  request.params.n_logprobs = 2;
  return request;
}

// Lets everything come, and holds the engine after a few tokens until the test lets it go: what is asked meanwhile waits,
// however slowly it is asked.
class GateMask : public TokenMask {
 public:
  explicit GateMask(std::atomic<bool>& open) : open_(&open) {}
  Status Allowed(std::span<uint32_t> bits) override {
    std::fill(bits.begin(), bits.end(), 0U);
    std::fill_n(bits.begin(), 2000 / 32, ~0U);
    if (n_accepted_ >= 3) open_->wait(false);
    return Ok();
  }
  Status Accept(int32_t) override {
    ++n_accepted_;
    return Ok();
  }
  std::unique_ptr<TokenMask> Fork() const override { return std::make_unique<GateMask>(*this); }

 private:
  std::atomic<bool>* open_;
  int n_accepted_ = 0;
};

void Open(std::atomic<bool>& gate) {
  gate = true;
  gate.notify_all();
}

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    auto loaded = LoadedModel::Load(LFM_TEST_DATA "/models/tiny-lfm25-moe", threads_);
    ASSERT_TRUE(loaded.ok());
    model_ = *loaded;
  }

  // `n_pages` beyond what one sequence needs; few of them make sequences wait, give way and be read again.
  std::unique_ptr<Engine> Start(EngineOptions options = {}, int64_t n_pages = 200) {
    options.n_ctx = kContext;
    options.cache_bytes = static_cast<uint64_t>(kContext / 64 + 1 + n_pages) * model_->pages().layout().page_bytes;
    auto engine = Engine::Create(model_, threads_, options);
    EXPECT_TRUE(engine.ok()) << (engine.ok() ? "" : engine.error().message);
    return engine.ok() ? std::move(*engine) : nullptr;
  }

  std::shared_ptr<Stream> Submit(Engine& engine, const Request& request) {
    auto stream = engine.Submit(request);
    EXPECT_TRUE(stream.ok()) << (stream.ok() ? "" : stream.error().message);
    return stream.ok() ? *stream : nullptr;
  }
  Outcome Answer(Engine& engine, const Request& request) { return Collect(*Submit(engine, request)); }

  // What a session says that is all alone.
  Choice Alone(const Request& request, int choice = 0) {
    Threads one(1);
    auto session = Session::Create(model_, one, {kContext, 64});
    EXPECT_TRUE(session.ok());
    GenerationParams params = request.params;
    params.sampling.seed = ChoiceSeed(params.sampling.seed, choice);
    auto generation = Generate(**session, request.prompt, params);
    EXPECT_TRUE(generation.ok()) << (generation.ok() ? "" : generation.error().message);
    Choice out;
    if (!generation.ok()) return out;
    out.ids = generation->ids;
    out.text = generation->text;
    out.stop_reason = generation->stop_reason;
    for (const TokenInfo& info : generation->logprobs) {
      out.logprobs.push_back(info.logprob);
      out.top.emplace_back();
      for (const TokenLogprob& top : info.top) out.top.back().push_back(top.id);
    }
    return out;
  }

  static void ExpectNoPageLost(Engine& engine) {
    ASSERT_TRUE(engine.WaitIdle(std::chrono::steady_clock::now() + std::chrono::minutes(20)));
    const EngineStats stats = engine.Stats();
    EXPECT_EQ(stats.n_pages_used, stats.n_pages_cached);
    EXPECT_EQ(stats.n_running, 0);
    EXPECT_EQ(stats.n_waiting, 0);
  }

  Threads threads_{2};
  std::shared_ptr<LoadedModel> model_;
};

TEST_F(EngineTest, OneAnswerIsThatOfASession) {
  auto engine = Start();
  for (const size_t n : {1U, 63U, 64U, 65U, 200U}) {
    const Request request = Ask(Ids(static_cast<uint32_t>(n), n), 70, n);
    const Choice wanted = Alone(request);
    for (int i = 0; i < 2; ++i) {  // the second from the cache
      const Outcome outcome = Answer(*engine, request);
      EXPECT_EQ(outcome.choices.at(0), wanted) << n;
      EXPECT_EQ(outcome.usage.n_prompt, static_cast<int64_t>(n));
      EXPECT_EQ(outcome.usage.n_generated, 70);
      EXPECT_EQ(outcome.usage.n_cached, i == 0 ? 0 : static_cast<int64_t>((n - 1) / 64 * 64));
    }
  }
  ExpectNoPageLost(*engine);
}

TEST_F(EngineTest, ManyTogetherWithFewPages) {
  std::vector<Request> requests;
  for (uint32_t i = 0; i < 24; ++i) {
    auto prompt = Ids(i % 3, 40 + 30 * (i % 5));  // beginnings in common
    const auto rest = Ids(100 + i, 10 + 7 * i);
    prompt.insert(prompt.end(), rest.begin(), rest.end());
    Request request = Ask(std::move(prompt), 20 + 10 * (i % 6), i);
    if (i % 4 == 0) request.params.sampling.repetition_penalty = 1.3F;
    if (i % 4 == 1) request.params.sampling.temperature = 0;
    if (i % 7 == 3) request.cache_prompt = false;
    request.client = std::to_string(i % 3);
    request.priority = static_cast<int>(i % 2);
    requests.push_back(std::move(request));
  }
  std::vector<Choice> wanted;
  for (const Request& request : requests) wanted.push_back(Alone(request));
  for (const int64_t n_pages : {200, 6, 0}) {
    EngineOptions options;
    options.n_chunk = n_pages == 0 ? 512 : 48;
    options.max_running = n_pages == 6 ? 5 : 64;
    auto engine = Start(options, n_pages);
    std::vector<std::shared_ptr<Stream>> streams;
    for (const Request& request : requests) streams.push_back(Submit(*engine, request));
    for (size_t i = 0; i < streams.size(); ++i) {
      const Outcome outcome = Collect(*streams[i]);
      EXPECT_EQ(outcome.choices.at(0), wanted[i]) << i << " with " << n_pages << " pages";
    }
    ExpectNoPageLost(*engine);
    if (n_pages == 6) {
      EXPECT_GT(engine->Stats().n_evicted_pages, 0);
    }
  }
}

// Choices begin together, so that they outgrow the pages on a machine of any speed.
TEST_F(EngineTest, WhoGivesWayIsReadAgain) {
  Request request = Ask(Ids(6, 70), 240, 11);
  request.n = 5;
  EngineOptions options;
  options.max_running = 5;
  auto engine = Start(options, 6);
  const Outcome outcome = Answer(*engine, request);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(outcome.choices.at(i), Alone(request, i)) << i;
  ExpectNoPageLost(*engine);
  EXPECT_GT(engine->Stats().n_preemptions, 0);
}

TEST_F(EngineTest, ChoicesDoNotDependOnTheirNumber) {
  Request request = Ask(Ids(5, 150), 30, 99);
  std::vector<Choice> wanted;
  for (int i = 0; i < 5; ++i) wanted.push_back(Alone(request, i));
  EXPECT_NE(wanted[0].ids, wanted[1].ids);
  for (const int64_t n_pages : {200, 1}) {
    EngineOptions options;
    options.max_running = n_pages == 1 ? 3 : 64;
    auto engine = Start(options, n_pages);
    for (const int n : {1, 3, 5}) {
      request.n = n;
      const Outcome outcome = Answer(*engine, request);
      ASSERT_EQ(outcome.choices.size(), static_cast<size_t>(n));
      for (int i = 0; i < n; ++i) EXPECT_EQ(outcome.choices.at(i), wanted[static_cast<size_t>(i)]) << i << " of " << n;
      EXPECT_EQ(outcome.usage.n_prompt, 150);
      EXPECT_EQ(outcome.usage.n_generated, 30 * n);
    }
    ExpectNoPageLost(*engine);
  }
}

TEST_F(EngineTest, PromptLogprobsAreThoseOfTheSameTokensGenerated) {
  auto engine = Start();
  Request request = Ask(Ids(8, 130), 40);
  request.params.sampling.temperature = 0;
  const Outcome generated = Answer(*engine, request);
  Request echo = request;
  const auto& ids = generated.choices.at(0).ids;
  echo.prompt.insert(echo.prompt.end(), ids.begin(), ids.end());
  echo.params.max_tokens = 0;
  echo.prompt_logprobs = true;
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = Answer(*engine, echo);
    ASSERT_EQ(outcome.prompt_logprobs.size(), 170U);
    EXPECT_TRUE(outcome.prompt_logprobs[0].top.empty());
    for (size_t j = 0; j < ids.size(); ++j) {
      EXPECT_EQ(outcome.prompt_logprobs[130 + j].id, ids[j]);
      EXPECT_EQ(outcome.prompt_logprobs[130 + j].logprob, generated.choices.at(0).logprobs[j]);
    }
    EXPECT_EQ(outcome.choices.at(0).stop_reason, StopReason::kLength);
    EXPECT_TRUE(outcome.choices.at(0).ids.empty());
    EXPECT_EQ(outcome.usage.n_generated, 0);
  }
  echo.prompt.resize(1);
  EXPECT_EQ(Answer(*engine, echo).prompt_logprobs.size(), 1U);
  ExpectNoPageLost(*engine);
}

TEST_F(EngineTest, ASharedBeginningIsReadOnce) {
  auto engine = Start();
  std::vector<std::shared_ptr<Stream>> streams;
  for (uint32_t i = 0; i < 10; ++i) {
    auto prompt = Ids(1, 320);
    prompt.push_back(static_cast<int32_t>(i));
    streams.push_back(Submit(*engine, Ask(std::move(prompt), 2, i)));
  }
  int64_t n_cached = 0;
  for (const auto& stream : streams) n_cached += Collect(*stream).usage.n_cached;
  EXPECT_EQ(n_cached, 9 * 320);
  EXPECT_EQ(engine->Stats().n_prompt_tokens, 320 + 10);
  EXPECT_EQ(engine->Stats().n_cached_tokens, 9 * 320);
  // Not for another tenant.
  Request foreign = Ask(Ids(1, 321), 1);
  foreign.tenant = "another";
  EXPECT_EQ(Answer(*engine, foreign).usage.n_cached, 0);
  ExpectNoPageLost(*engine);
}

TEST_F(EngineTest, RunningAnswersGoOnBesideALongPrompt) {
  EngineOptions options;
  options.n_chunk = 32;
  auto engine = Start(options);
  auto running = Submit(*engine, Ask(Ids(1, 10), 200));
  ASSERT_TRUE(running->Wait());
  Request longer = Ask(Ids(2, 480), 1);
  longer.return_progress = true;
  const int64_t before = engine->Stats().n_steps;
  const Outcome outcome = Answer(*engine, longer);
  const int64_t n_steps = engine->Stats().n_steps - before;
  EXPECT_GE(outcome.progress.size(), 15U) << "32 tokens of 480 at most in a step";
  EXPECT_EQ(outcome.progress.back(), 480);
  int64_t n_tokens = 0;
  while (running->TryNext()) ++n_tokens;
  EXPECT_GE(n_tokens + 2, std::min<int64_t>(n_steps, 190)) << "a token in each of these steps";
}

TEST_F(EngineTest, CancelsWhereverTheRequestIs) {
  EngineOptions options;
  options.max_running = 1;
  options.n_chunk = 16;
  std::atomic<bool> gate{false};
  auto engine = Start(options);
  Request gated = Ask(Ids(1, 20), 400);
  gated.params.mask = std::make_shared<GateMask>(gate);
  auto writing = Submit(*engine, gated);
  auto queued = Submit(*engine, Ask(Ids(2, 400), 50));
  auto dropped = Submit(*engine, Ask(Ids(4, 400), 50));
  ASSERT_TRUE(writing->Wait());
  queued->Cancel();
  dropped.reset();
  writing->Cancel();
  Open(gate);
  for (const auto& stream : {queued, writing}) {
    const Outcome outcome = Collect(*stream);
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, ErrorCode::kCancelled);
  }
  // In the middle of its prompt; where this thread rests for long before it says so, another has its turn.
  std::optional<Error> cancelled;
  for (uint32_t seed = 30; seed < 80 && !cancelled; ++seed) {
    Request reading = Ask(Ids(seed, 500), 1);
    reading.return_progress = true;
    auto read = Submit(*engine, reading);
    EXPECT_EQ(read->Wait()->kind, Event::Kind::kPromptProgress);
    read->Cancel();
    cancelled = Collect(*read).error;
  }
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->code, ErrorCode::kCancelled);
  Request late = Ask(Ids(6, 100), 5);
  late.deadline = std::chrono::steady_clock::now();
  EXPECT_EQ(Answer(*engine, late).error->code, ErrorCode::kDeadline);
  ExpectNoPageLost(*engine);
  EXPECT_EQ(engine->Stats().n_cancelled, 4);
  EXPECT_EQ(Answer(*engine, Ask(Ids(1, 20), 10)).choices.at(0), Alone(Ask(Ids(1, 20), 10)));
}

TEST_F(EngineTest, RefusesWhatItCannotServe) {
  EngineOptions options;
  options.max_running = 1;
  options.max_queued = 3;
  options.max_queued_per_client = 2;
  auto engine = Start(options);
  const auto code_of = [&](const Request& request) {
    const auto stream = engine->Submit(request);
    return stream.ok() ? ErrorCode::kInternal : stream.error().code;
  };
  EXPECT_EQ(code_of(Ask({}, 1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(Ask({-1}, 1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(Ask(Ids(1, kContext + 1), 1)), ErrorCode::kLimit);
  EXPECT_EQ(code_of(Ask(Ids(1, kContext), 1)), ErrorCode::kLimit) << "no room for a token";
  Request many = Ask({1}, 1);
  many.n = kMaxChoices + 1;
  EXPECT_EQ(code_of(many), ErrorCode::kInvalidArgument);
  Request hot = Ask({1}, 1);
  hot.params.sampling.temperature = -1;
  EXPECT_EQ(code_of(hot), ErrorCode::kInvalidArgument);

  std::atomic<bool> gate{false};
  Request gated = Ask(Ids(1, 10), 450);
  gated.params.mask = std::make_shared<GateMask>(gate);
  auto running = Submit(*engine, gated);
  ASSERT_TRUE(running->Wait());
  std::vector<std::shared_ptr<Stream>> waiting{Submit(*engine, Ask({1}, 1)), Submit(*engine, Ask({1}, 1))};
  EXPECT_EQ(code_of(Ask({1}, 1)), ErrorCode::kBusy) << "two of one client";
  Request other = Ask({1}, 1);
  other.client = "other";
  waiting.push_back(Submit(*engine, other));
  other.client = "third";
  EXPECT_EQ(code_of(other), ErrorCode::kBusy) << "three of all";
  engine->Drain();
  EXPECT_TRUE(engine->draining());
  running->Cancel();
  Open(gate);
  for (const auto& stream : waiting) EXPECT_TRUE(Collect(*stream).finished);
  EXPECT_EQ(code_of(Ask({1}, 1)), ErrorCode::kBusy) << "drains";
  EXPECT_EQ(engine->Stats().n_refused, 3);

  EngineOptions small;
  small.cache_bytes = 1;
  EXPECT_EQ(Engine::Create(model_, threads_, small).error().code, ErrorCode::kLimit);
}

TEST_F(EngineTest, ASlowReaderHoldsUpNobodyElse) {
  auto engine = Start();
  const Request request = Ask(Ids(1, 10), 490);
  auto slow = Submit(*engine, request);
  const Outcome other = Answer(*engine, Ask(Ids(2, 10), 480));
  EXPECT_EQ(other.usage.n_generated, 480);
  const EngineStats before = engine->Stats();
  EXPECT_EQ(before.n_running, 1) << "rests with its events unread";
  EXPECT_EQ(before.n_generated_tokens, 480 + static_cast<int64_t>(Stream::kCapacity));
  EXPECT_EQ(Collect(*slow).choices.at(0), Alone(request));
}

TEST_F(EngineTest, ASlowReaderGivesItsPlaceAway) {
  EngineOptions options;
  options.max_running = 1;
  auto engine = Start(options);
  const Request request = Ask(Ids(1, 10), 400);
  auto slow = Submit(*engine, request);
  EXPECT_TRUE(Answer(*engine, Ask(Ids(2, 10), 20)).finished);
  EXPECT_EQ(Collect(*slow).choices.at(0), Alone(request));
  ExpectNoPageLost(*engine);
}

TEST_F(EngineTest, EndsWithItsStreamsUnread) {
  auto engine = Start();
  auto stream = Submit(*engine, Ask(Ids(1, 300), 100));
  engine.reset();
  EXPECT_EQ(Collect(*stream).error->code, ErrorCode::kCancelled);
}

TEST_F(EngineTest, ThePrefixCacheOutlivesTheEngine) {
  const test::TempFolder folder;
  const std::string path = folder / "prefix";
  const Request request = Ask(Ids(1, 200), 60);
  const Choice wanted = Alone(request);
  {
    auto engine = Start();
    EXPECT_EQ(Answer(*engine, request).choices.at(0), wanted);
    ASSERT_TRUE(engine->SavePrefixCache(path).ok());
  }
  auto engine = Start();
  ASSERT_TRUE(engine->LoadPrefixCache(path).ok());
  EXPECT_EQ(engine->Stats().n_pages_cached, 4);  // 259 tokens were read
  const Outcome outcome = Answer(*engine, request);
  EXPECT_EQ(outcome.choices.at(0), wanted);
  EXPECT_EQ(outcome.usage.n_cached, 192);
  ExpectNoPageLost(*engine);
  EXPECT_FALSE(engine->LoadPrefixCache(path + ".none").ok());
}

// Lets only the ids of a list come, in this order, and then the end.
class ListMask : public TokenMask {
 public:
  ListMask(std::vector<int32_t> ids, bool forces) : ids_(std::move(ids)), forces_(forces) {}
  Status Allowed(std::span<uint32_t> bits) override {
    std::fill(bits.begin(), bits.end(), 0U);
    if (at_ == ids_.size()) return Ok();
    const auto id = static_cast<uint32_t>(ids_[at_]);
    bits[id / 32] |= 1U << id % 32;
    if (at_ % 5 == 0) bits[(id + 1) / 32] |= 1U << (id + 1) % 32;  // a choice of two now and then
    return Ok();
  }
  Status Accept(int32_t) override {
    ++at_;
    return Ok();
  }
  std::vector<int32_t> Forced() override {
    std::vector<int32_t> forced;
    for (size_t i = at_; forces_ && i < ids_.size() && i % 5 != 0; ++i) forced.push_back(ids_[i]);
    return forced;
  }
  std::unique_ptr<TokenMask> Fork() const override { return std::make_unique<ListMask>(*this); }

 private:
  std::vector<int32_t> ids_;
  bool forces_;
  size_t at_ = 0;
};

TEST_F(EngineTest, MasksLimitAndForcedTokensSaveSteps) {
  auto engine = Start();
  Request request = Ask(Ids(1, 70), 28);
  request.params.n_logprobs = -1;
  request.n = 2;
  request.params.mask = std::make_shared<ListMask>(Ids(7, 30), false);
  const int64_t before = engine->Stats().n_steps;
  const Outcome plain = Answer(*engine, request);
  const int64_t between = engine->Stats().n_steps;
  request.params.mask = std::make_shared<ListMask>(Ids(7, 30), true);
  const Outcome forced = Answer(*engine, request);
  const int64_t after = engine->Stats().n_steps;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(plain.choices.at(i).ids.size(), 28U);
    for (size_t j = 0; j < 28; ++j) {
      const int32_t id = Ids(7, 30)[j];
      EXPECT_TRUE(plain.choices.at(i).ids[j] == id || (j % 5 == 0 && plain.choices.at(i).ids[j] == id + 1)) << j;
    }
    EXPECT_EQ(plain.choices.at(i), forced.choices.at(i));
    EXPECT_EQ(plain.choices.at(i).ids, Alone(request, i).ids);
    EXPECT_EQ(plain.choices.at(i).text, Alone(request, i).text);
  }
  EXPECT_LT(after - between, (between - before) / 2);

  // A mask that leaves nothing fails its own request only.
  request.params.mask = std::make_shared<ListMask>(std::vector<int32_t>{5, 6}, false);
  auto beside = Submit(*engine, Ask(Ids(3, 20), 30));
  EXPECT_EQ(Answer(*engine, request).error->code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Collect(*beside).finished);
  ExpectNoPageLost(*engine);
}

// Allows the same tokens at every place.
class SetMask : public TokenMask {
 public:
  explicit SetMask(std::vector<int32_t> ids) : ids_(std::move(ids)) {}
  Status Allowed(std::span<uint32_t> bits) override {
    std::fill(bits.begin(), bits.end(), 0U);
    for (const int32_t id : ids_) bits[static_cast<size_t>(id) / 32] |= 1U << id % 32;
    return Ok();
  }
  Status Accept(int32_t) override { return Ok(); }
  std::unique_ptr<TokenMask> Fork() const override { return std::make_unique<SetMask>(*this); }

 private:
  std::vector<int32_t> ids_;
};

// With log probabilities every row is whole; without, the few that a mask allows are enough: the same answers, whatever the
// sampler does with them, also beside answers without a mask.
TEST_F(EngineTest, FewAllowedTokensGiveTheSameAnswerFromTheirRowsAlone) {
  const auto engine = Start();
  const std::vector<std::vector<int32_t>> sets = {{2047}, {0, 31, 32, 700, 2047}, Ids(5, 200), Ids(6, 8000)};
  std::vector<Request> requests;
  for (size_t i = 0; i < 2 * sets.size(); ++i) {
    Request request = Ask(Ids(static_cast<uint32_t>(i), 20 + i), 25, i);
    request.params.sampling.repetition_penalty = 1.3F;
    request.params.sampling.frequency_penalty = 0.2F;
    request.params.sampling.logit_bias = {{31, 1.5F}, {40, 3.0F}};
    request.params.sampling.top_k = i % 2 == 0 ? 0 : 3;
    request.params.sampling.temperature = i < 4 ? 2.0F : 0.5F;
    request.params.mask = std::make_shared<SetMask>(sets[i % sets.size()]);
    request.n = i % 3 == 0 ? 2 : 1;
    requests.push_back(std::move(request));
  }
  std::vector<std::shared_ptr<Stream>> streams;
  streams.push_back(Submit(*engine, Ask(Ids(99, 40), 40)));
  std::vector<Outcome> whole, few;
  for (const Request& request : requests) streams.push_back(Submit(*engine, request));
  for (size_t i = 1; i < streams.size(); ++i) whole.push_back(Collect(*streams[i]));
  EXPECT_TRUE(Collect(*streams[0]).finished);
  streams.clear();
  for (Request& request : requests) {
    request.params.n_logprobs = -1;
    streams.push_back(Submit(*engine, request));
  }
  for (const auto& stream : streams) few.push_back(Collect(*stream));
  for (size_t i = 0; i < requests.size(); ++i) {
    for (int choice = 0; choice < requests[i].n; ++choice) {
      EXPECT_EQ(few[i].choices.at(choice).ids, whole[i].choices.at(choice).ids) << i;
      EXPECT_EQ(few[i].choices.at(choice).text, whole[i].choices.at(choice).text) << i;
      EXPECT_EQ(few[i].choices.at(choice).ids, Alone(requests[i], choice).ids) << i;
    }
  }
  ExpectNoPageLost(*engine);
}

TEST_F(EngineTest, RandomRequestsCancelsAndEvictions) {
  EngineOptions options;
  options.max_running = 6;
  options.n_chunk = 40;
  auto engine = Start(options, 8);
  constexpr uint32_t kUsers = 4, kRounds = LFM_SANITIZED ? 8 : 20;
  std::map<uint64_t, Choice> wanted;
  const auto request_of = [](uint32_t kind) {
    auto prompt = Ids(kind % 2, 100);
    const auto rest = Ids(50 + kind, 20 * (kind % 6));
    prompt.insert(prompt.end(), rest.begin(), rest.end());
    Request request = Ask(std::move(prompt), 10 + 5 * (kind % 4), kind);
    request.client = std::to_string(kind % 3);
    return request;
  };
  for (uint32_t kind = 0; kind < 12; ++kind) wanted[kind] = Alone(request_of(kind));
  std::vector<std::thread> users;
  for (uint32_t user = 0; user < kUsers; ++user) {
    users.emplace_back([&, user] {
      uint32_t random = user + 1;
      for (uint32_t round = 0; round < kRounds; ++round) {
        random = random * 1664525U + 1013904223U;
        const uint32_t kind = (random >> 8) % 12;
        auto stream = engine->Submit(request_of(kind));
        ASSERT_TRUE(stream.ok());
        if ((random >> 16) % 3 == 0) {  // leaves in the middle
          for (uint32_t i = 0; i < (random >> 20) % 8; ++i) (*stream)->Wait();
          stream->reset();
          continue;
        }
        const Outcome outcome = Collect(**stream);
        EXPECT_EQ(outcome.choices.at(0), wanted[kind]) << kind;
      }
    });
  }
  for (std::thread& user : users) user.join();
  ExpectNoPageLost(*engine);
  EXPECT_EQ(engine->Stats().n_failed, 0);
}

TEST_F(EngineTest, PointsBehindAPromptAreThoseOfASessionAlone) {
  Request request;
  request.prompt = Ids(7, 150);
  request.points = {{{}, {3, 1, 1999}}, {{5}, {2}}, {{5, 6, 7}, {8, 9}}, {{11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, {1}}};
  for (const int64_t n_pages : {200, 6}) {
    EngineOptions options;
    options.max_running = n_pages == 6 ? 2 : 8;
    const auto engine = Start(options, n_pages);
    const auto beside = Submit(*engine, Ask(Ids(3, 90), 40));
    std::vector<std::shared_ptr<Stream>> streams;
    for (int i = 0; i < 3; ++i) streams.push_back(Submit(*engine, request));
    for (const auto& stream : streams) {
      const Outcome out = Collect(*stream);
      EXPECT_TRUE(out.finished);
      EXPECT_EQ(out.usage.n_prompt, 150);
      EXPECT_EQ(out.usage.n_generated, 0);
      ASSERT_EQ(out.scores.size(), request.points.size());
      for (size_t i = 0; i < request.points.size(); ++i) {
        Threads one(1);
        auto session = Session::Create(model_, one, {kContext, 64});
        ASSERT_TRUE(session.ok());
        std::vector<int32_t> ids = request.prompt;
        ids.insert(ids.end(), request.points[i].continuation.begin(), request.points[i].continuation.end());
        ASSERT_TRUE((*session)->Read(ids).ok());
        const auto& [logits, log_normalizer] = out.scores.at(static_cast<int64_t>(i));
        std::vector<float> expected;
        for (const int32_t id : request.points[i].wanted) expected.push_back((*session)->logits()[static_cast<size_t>(id)]);
        EXPECT_EQ(logits, expected) << i;
        EXPECT_EQ(log_normalizer, LogNormalizer((*session)->logits()).log_sum());
      }
    }
    EXPECT_TRUE(Collect(*beside).finished);
  }
}

// What is asked in the light of what came has the bits of what is asked at once; without the sum over the vocabulary too.
TEST_F(EngineTest, PointsAreAskedForOneAfterTheOther) {
  Request all;
  all.prompt = Ids(7, 150);
  all.points = {{{}, {3, 1, 1999}}, {{5}, {2, 2047, 0, 2}}, {{5, 6, 7}, {8, 9}}, {Ids(4, 70), {1}}};
  for (const int64_t n_pages : {200, 6}) {
    EngineOptions options;
    options.max_running = n_pages == 6 ? 2 : 8;
    const auto engine = Start(options, n_pages);
    const Outcome expected = Answer(*engine, all);
    ASSERT_EQ(expected.scores.size(), 4U);
    const auto beside = Submit(*engine, Ask(Ids(3, 90), 40));
    std::vector<std::shared_ptr<Stream>> streams;
    for (int i = 0; i < 3; ++i) {
      Request request = all;
      request.points.resize(1);
      request.more_points = [&all](const Event& event) -> std::vector<ScorePoint> {
        const auto next = static_cast<size_t>(event.first) + 1;
        if (next >= all.points.size()) return {};
        ScorePoint point = all.points[next];
        point.normalizer = false;
        return {point};
      };
      streams.push_back(Submit(*engine, request));
    }
    for (const auto& stream : streams) {
      const Outcome out = Collect(*stream);
      EXPECT_TRUE(out.finished);
      ASSERT_EQ(out.scores.size(), 4U);
      EXPECT_EQ(out.scores.at(0), expected.scores.at(0));
      for (int64_t i = 1; i < 4; ++i) {
        EXPECT_EQ(out.scores.at(i).first, expected.scores.at(i).first) << i;
        EXPECT_EQ(out.scores.at(i).second, 0);
      }
    }
    EXPECT_TRUE(Collect(*beside).finished);
    ExpectNoPageLost(*engine);
  }
}

TEST_F(EngineTest, PointsThatCannotBeScoredAreRefused) {
  const auto engine = Start();
  Request later;
  later.prompt = Ids(7, 10);
  later.points = {{{}, {1}}};
  const std::vector<ScorePoint> wrong = {{{}, {1}}, {{1 << 30}, {1}}};
  for (const ScorePoint& point : wrong) {
    later.more_points = [&point](const Event&) { return std::vector<ScorePoint>{point}; };
    EXPECT_EQ(Answer(*engine, later).error->code, ErrorCode::kInvalidArgument);
  }
  Request request;
  request.prompt = Ids(7, 10);
  request.points = {{{1 << 30}, {1}}};
  EXPECT_EQ(engine->Submit(request).error().code, ErrorCode::kInvalidArgument);
  request.points = {{{1}, {-1}}};
  EXPECT_EQ(engine->Submit(request).error().code, ErrorCode::kInvalidArgument);
  request.points = {{Ids(1, kContext), {1}}};
  EXPECT_EQ(engine->Submit(request).error().code, ErrorCode::kLimit);
  request.points = {{{}, {1}}};
  request.n = 2;
  EXPECT_EQ(engine->Submit(request).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace lfm::engine
