// Sessions and answers on the reference models: greedy texts, reuse of a common past, saved states, limits.
#include "engine/session.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "base/file.h"
#include "engine/generate.h"
#include "support/golden.h"

namespace lfm::engine {
namespace {

constexpr float kDecided = 1e-3F;  // smaller margins are chance

std::shared_ptr<LoadedModel> Load(const std::string& path, model::Compute compute, Threads& threads) {
  LoadOptions options;
  options.compute = compute;
  auto model = LoadedModel::Load(path, threads, options);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message);
  return model.ok() ? *model : nullptr;
}

GenerationParams Greedy(int64_t n, float repetition_penalty = 1) {
  GenerationParams params;
  params.sampling.temperature = 0;
  params.sampling.min_p = 0;
  params.sampling.repetition_penalty = repetition_penalty;
  params.max_tokens = n;
  params.ignore_eos = true;
  return params;
}

std::vector<int32_t> IdsOf(const Json& list) {
  std::vector<int32_t> ids;
  for (const Json& id : list.items()) ids.push_back(static_cast<int32_t>(id.AsInt()));
  return ids;
}

Json ReadJson(const std::string& path) {
  auto text = ReadWholeFile(path);
  EXPECT_TRUE(text.ok()) << path;
  auto json = text.ok() ? ParseJson(*text) : Result<Json>(Json());
  EXPECT_TRUE(json.ok()) << path;
  return json.ok() ? *json : Json();
}

// The first model of the repository's own test data, in f32.
class SessionTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = Load(LFM_TEST_DATA "/models/tiny-lfm25-moe", model::Compute::kF32, threads_);
    ASSERT_TRUE(model_);
    for (int32_t i = 0; i < 200; ++i) prompt_.push_back((i * 37 + i * i) % 2000);
  }

  std::unique_ptr<Session> NewSession(const SessionOptions& options = {}) {
    auto session = Session::Create(model_, threads_, options);
    EXPECT_TRUE(session.ok()) << (session.ok() ? "" : session.error().message);
    return session.ok() ? std::move(*session) : nullptr;
  }

  std::vector<int32_t> Answer(Session& session, std::span<const int32_t> prompt, int64_t n = 12) {
    auto generation = Generate(session, prompt, Greedy(n));
    EXPECT_TRUE(generation.ok()) << (generation.ok() ? "" : generation.error().message);
    return generation.ok() ? generation->ids : std::vector<int32_t>{};
  }

  Threads threads_{2};
  std::shared_ptr<LoadedModel> model_;
  std::vector<int32_t> prompt_;
};

TEST(GoldenGreedy, TextsOfAllModels) {
  Threads threads(2);
  int n_texts = 0;
  for (const std::string& path : test::GoldenEntries("models")) {
    if (!FileExists(path + "/reference/greedy.json")) continue;
    const auto model = Load(path, model::Compute::kF32, threads);
    ASSERT_TRUE(model);
    const Json prompts = ReadJson(path + "/reference/prompts.json");
    const Json texts = ReadJson(path + "/reference/greedy.json");
    for (const Json& text : texts.items()) {
      const std::vector<int32_t> prompt = IdsOf(prompts[text["prompt"].AsString()]["ids"]);
      const std::vector<int32_t> wanted = IdsOf(text["ids"]);
      size_t n = 0;
      while (n < wanted.size() && text["margins"].items()[n].AsDouble() >= double{kDecided}) ++n;
      SessionOptions options;
      options.n_chunk = 16;
      auto session = Session::Create(model, threads, options);
      ASSERT_TRUE(session.ok());
      const auto penalty = static_cast<float>(text["repetition_penalty"].AsDouble());
      auto generation = Generate(**session, prompt, Greedy(static_cast<int64_t>(n), penalty));
      ASSERT_TRUE(generation.ok()) << generation.error().message;
      EXPECT_EQ(generation->ids, std::vector<int32_t>(wanted.begin(), wanted.begin() + static_cast<int64_t>(n)))
          << path << " " << text["prompt"].AsString() << " penalty " << penalty;
      ++n_texts;
    }
  }
  EXPECT_GT(n_texts, 0);
}

TEST_F(SessionTest, ChunksDoNotMatter) {
  std::map<int64_t, std::vector<float>> logits;
  for (const int64_t n_chunk : {1, 7, 64, 100, 512}) {
    SessionOptions options;
    options.n_chunk = n_chunk;
    auto session = NewSession(options);
    ASSERT_TRUE(session->Read(prompt_).ok());
    logits[n_chunk].assign(session->logits().begin(), session->logits().end());
    EXPECT_EQ(logits[n_chunk], logits[1]) << n_chunk;
  }
}

TEST_F(SessionTest, ReusedPastGivesTheSameAnswer) {
  auto session = NewSession();
  auto shorter = prompt_;
  shorter.resize(150);
  std::vector<int32_t> other = shorter;
  other.push_back(5);
  other.push_back(6);
  Answer(*session, prompt_);
  for (const auto& prompt : {prompt_, shorter, other, prompt_, std::vector<int32_t>{7}, prompt_}) {
    auto fresh = NewSession();
    const auto wanted = Answer(*fresh, prompt);
    EXPECT_EQ(Answer(*session, prompt), wanted);
  }
  // The turn after an answer reads only what is new.
  auto ids = prompt_;
  const auto answer = Answer(*session, prompt_);
  ids.insert(ids.end(), answer.begin(), answer.end());
  ids.push_back(3);
  auto generation = Generate(*session, ids, Greedy(1));
  ASSERT_TRUE(generation.ok());
  EXPECT_EQ(generation->timings.n_prompt, 2);  // the last token of the answer was sampled, but never read
  EXPECT_EQ(generation->timings.n_reused, static_cast<int64_t>(ids.size()) - 2);
}

TEST_F(SessionTest, MarksAreCutBackToForFree) {
  auto session = NewSession();
  Answer(*session, prompt_);  // marks the end of the prompt, which is no multiple of a page
  auto other = prompt_;
  other.push_back(9);
  auto generation = Generate(*session, other, Greedy(1));
  ASSERT_TRUE(generation.ok());
  EXPECT_EQ(generation->timings.n_reused, static_cast<int64_t>(prompt_.size()));
}

TEST_F(SessionTest, SavesAndRestores) {
  auto session = NewSession();
  ASSERT_TRUE(session->Read(prompt_).ok());
  const auto bytes = session->Save();
  auto other = NewSession();
  ASSERT_TRUE(other->Restore(bytes).ok());
  EXPECT_TRUE(std::equal(session->logits().begin(), session->logits().end(), other->logits().begin(), other->logits().end()));
  EXPECT_EQ(Answer(*other, prompt_), Answer(*session, prompt_));

  for (size_t n : {size_t{0}, size_t{7}, size_t{40}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_FALSE(other->Restore(std::span(bytes).first(n)).ok()) << n;
    EXPECT_EQ(other->n_tokens(), 0);
  }
  auto flipped = bytes;
  flipped[9] = std::byte{0xFF};  // the count of tokens
  EXPECT_FALSE(other->Restore(flipped).ok());
  for (size_t at = 32; at < bytes.size(); at += 997) {  // tokens and logits have a hash, as the state has
    flipped = bytes;
    flipped[at] ^= std::byte{0x10};
    EXPECT_FALSE(other->Restore(flipped).ok()) << at;
  }
  flipped = bytes;
  flipped.push_back(std::byte{0});
  EXPECT_FALSE(other->Restore(flipped).ok());
  EXPECT_EQ(Answer(*other, prompt_), Answer(*session, prompt_));  // still of use
}

TEST_F(SessionTest, CopiesAndTruncates) {
  auto session = NewSession();
  ASSERT_TRUE(session->Read(prompt_).ok());
  auto copy = session->Copy(threads_);
  ASSERT_TRUE(copy.ok());
  const int32_t next = 11;
  ASSERT_TRUE(session->Read(std::span(&next, 1)).ok());
  const std::vector<float> wanted(session->logits().begin(), session->logits().end());
  for (const int64_t cut : {200, 199, 130, 128, 1, 0}) {
    ASSERT_TRUE((*copy)->Truncate(cut).ok());
    EXPECT_EQ((*copy)->n_tokens(), cut);
    ASSERT_TRUE((*copy)->Read(std::span(prompt_).subspan(static_cast<size_t>(cut))).ok());
    ASSERT_TRUE((*copy)->Read(std::span(&next, 1)).ok());
    EXPECT_EQ(std::vector<float>((*copy)->logits().begin(), (*copy)->logits().end()), wanted) << cut;
  }
  EXPECT_FALSE((*copy)->Truncate(-1).ok());
  EXPECT_FALSE((*copy)->Truncate(202).ok());
}

TEST_F(SessionTest, LimitsAreErrorsBeforeAnyWork) {
  SessionOptions options;
  options.n_ctx = 100;
  auto session = NewSession(options);
  auto generation = Generate(*session, prompt_, Greedy(1));
  ASSERT_FALSE(generation.ok());
  EXPECT_EQ(generation.error().code, ErrorCode::kLimit);
  EXPECT_NE(generation.error().message.find("200 tokens"), std::string::npos) << generation.error().message;
  EXPECT_NE(generation.error().message.find("100"), std::string::npos);
  EXPECT_EQ(session->n_tokens(), 0);

  const auto start = std::span(prompt_).first(90);
  EXPECT_EQ(Generate(*session, start, Greedy(11)).error().code, ErrorCode::kLimit);
  EXPECT_EQ(Answer(*session, start, 10).size(), 10U);
  GenerationParams open_end = Greedy(-1);
  auto to_the_end = Generate(*session, start, open_end);
  ASSERT_TRUE(to_the_end.ok());
  EXPECT_EQ(to_the_end->ids.size(), 10U);
  EXPECT_EQ(to_the_end->stop_reason, StopReason::kLength);

  const int32_t outside = model_->config().vocab_size;
  EXPECT_EQ(session->Read(std::span(&outside, 1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(Generate(*session, {}, Greedy(1)).ok());
  options.n_ctx = model_->config().context_length + 1;
  EXPECT_FALSE(Session::Create(model_, threads_, options).ok());
}

TEST_F(SessionTest, StopsCancelsAndCounts) {
  auto session = NewSession();
  GenerationParams params = Greedy(20);
  params.n_logprobs = 3;
  auto whole = Generate(*session, prompt_, params);
  ASSERT_TRUE(whole.ok());
  ASSERT_EQ(whole->logprobs.size(), 20U);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(whole->logprobs[i].id, whole->ids[i]);
    EXPECT_EQ(whole->logprobs[i].top.front().id, whole->ids[i]);  // greedy without penalties
    EXPECT_EQ(whole->logprobs[i].top.size(), 3U);
  }

  // A stop string that is in the text ends it before its first occurrence.
  ASSERT_GT(whole->text.size(), 6U);
  size_t at = whole->text.size() / 2;
  while ((static_cast<unsigned char>(whole->text[at]) & 0xC0) == 0x80) --at;
  size_t end = at + 3;
  while (end < whole->text.size() && (static_cast<unsigned char>(whole->text[end]) & 0xC0) == 0x80) ++end;
  params.stops = {whole->text.substr(at, end - at)};
  std::string streamed;
  auto stopped = Generate(*session, prompt_, params, [&](const TokenInfo&, std::string_view text) {
    streamed += text;
    return true;
  });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->stop_reason, StopReason::kStop);
  EXPECT_EQ(stopped->text, whole->text.substr(0, whole->text.find(params.stops[0])));
  EXPECT_EQ(stopped->text.substr(0, streamed.size()), streamed);

  params.stops.clear();
  int n = 0;
  auto cancelled = Generate(*session, prompt_, params, [&](const TokenInfo&, std::string_view) { return ++n < 4; });
  ASSERT_TRUE(cancelled.ok());
  EXPECT_EQ(cancelled->stop_reason, StopReason::kCancelled);
  EXPECT_EQ(cancelled->ids.size(), 4U);

  const std::atomic<bool> now{true};
  auto fresh = NewSession();
  fresh->cancel = &now;
  EXPECT_EQ(Generate(*fresh, prompt_, params).error().code, ErrorCode::kCancelled);
}

TEST_F(SessionTest, EndTokensEndUnlessIgnored) {
  auto session = NewSession();
  const int32_t eos = *model_->text().tokenizer.eos();
  GenerationParams params = Greedy(5);
  params.sampling.logit_bias = {{eos, 1000.0F}};
  auto ignored = Generate(*session, prompt_, params);
  ASSERT_TRUE(ignored.ok());
  EXPECT_EQ(ignored->ids, std::vector<int32_t>(5, eos));
  EXPECT_EQ(ignored->text, "");
  params.special = text::StreamDecoder::Special::kAll;
  params.ignore_eos = false;
  auto ended = Generate(*session, prompt_, params);
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->ids, std::vector<int32_t>{eos});
  EXPECT_EQ(ended->stop_reason, StopReason::kEos);
  EXPECT_EQ(ended->text, "<|im_end|>");
}

TEST_F(SessionTest, ThreadsShareAModel) {
  const auto wanted = Answer(*NewSession(), prompt_);
  std::vector<std::vector<int32_t>> answers(3);
  std::vector<std::thread> users;
  for (auto& answer : answers) {
    users.emplace_back([&] {
      Threads own(1);
      auto session = Session::Create(model_, own, {});
      ASSERT_TRUE(session.ok());
      auto generation = Generate(**session, prompt_, Greedy(12));
      ASSERT_TRUE(generation.ok());
      answer = generation->ids;
    });
  }
  for (std::thread& user : users) user.join();
  for (const auto& answer : answers) EXPECT_EQ(answer, wanted);
}

TEST_F(SessionTest, SettingsComeFromTheModelsFiles) {
  const SamplingParams& sampling = model_->text().sampling;
  EXPECT_EQ(sampling.temperature, 0.3F);
  EXPECT_EQ(sampling.min_p, 0.15F);
  EXPECT_EQ(sampling.repetition_penalty, 1.05F);
  EXPECT_EQ(sampling.top_k, 0);
}

}  // namespace
}  // namespace lfm::engine
