// One answer from rows of logits that a test writes.
#include "engine/answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/json.h"
#include "engine/grammar_mask.h"
#include "engine/text_model.h"

namespace lfm::engine {
namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();

class AnswerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    text_ = new Result<TextModel>(OpenTextModel(LFM_TEST_DATA "/models/tiny-lfm25-moe"));
    ASSERT_TRUE(text_->ok());
  }
  static void TearDownTestSuite() { delete text_; }

  const text::Tokenizer& tokenizer() const { return (*text_)->tokenizer; }
  int n_vocab() const { return 2048; }

  std::unique_ptr<Answer> Make(const GenerationParams& params, int64_t room = 10) {
    auto answer = Answer::Create(tokenizer(), n_vocab(), params, {}, room);
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message);
    return answer.ok() ? std::move(*answer) : nullptr;
  }
  std::vector<float> Row(int32_t best) const {
    std::vector<float> row(static_cast<size_t>(n_vocab()));
    for (size_t i = 0; i < row.size(); ++i) row[i] = -static_cast<float>(i % 97) / 10;
    row[static_cast<size_t>(best)] = 20;
    return row;
  }

  static Result<TextModel>* text_;
  GenerationParams greedy_ = [] {
    GenerationParams params;
    params.sampling.temperature = 0;
    params.sampling.repetition_penalty = 1;
    return params;
  }();
};
Result<TextModel>* AnswerTest::text_ = nullptr;

// Allows ids from 10 on, so many, at every place.
class RangeMask : public TokenMask {
 public:
  explicit RangeMask(int32_t n) : n_(n) {}
  Status Allowed(std::span<uint32_t> bits) override {
    ++n_asked;
    std::fill(bits.begin(), bits.end(), 0U);
    for (int32_t id = 10; id < 10 + n_; ++id) bits[static_cast<size_t>(id) / 32] |= 1U << id % 32;
    return Ok();
  }
  Status Accept(int32_t) override { return Ok(); }
  std::unique_ptr<TokenMask> Fork() const override { return std::make_unique<RangeMask>(*this); }
  static inline int n_asked = 0;

 private:
  int32_t n_;
};

TEST_F(AnswerTest, WantsTheRowsOfTheTokensThatItsMaskAllows) {
  GenerationParams params = greedy_;
  EXPECT_TRUE(Make(params)->Wanted().empty());
  params.mask = std::make_shared<RangeMask>(40);
  const auto answer = Make(params);
  RangeMask::n_asked = 0;
  std::vector<int32_t> expected(40);
  std::iota(expected.begin(), expected.end(), 10);
  for (int i = 0; i < 2; ++i) {
    std::vector<float> row = Row(12 + i), few;
    EXPECT_TRUE(std::ranges::equal(answer->Wanted(), expected));
    EXPECT_TRUE(std::ranges::equal(answer->Wanted(), expected));  // once more: the mask is asked once a token
    for (const int32_t id : answer->Wanted()) few.push_back(row[static_cast<size_t>(id)]);
    SpreadLogits(answer->Wanted(), few, row);
    EXPECT_EQ(row[9], -kInfinite);
    ASSERT_TRUE(answer->Take(row).ok());
    EXPECT_EQ(answer->added()[0].info.id, 12 + i);
  }
  EXPECT_EQ(RangeMask::n_asked, 2);
  params.mask = std::make_shared<RangeMask>(n_vocab() - 10);  // too many: the whole row
  EXPECT_TRUE(Make(params)->Wanted().empty());
  params.mask = std::make_shared<RangeMask>(40);
  params.n_logprobs = 0;  // of the model's own distribution
  EXPECT_TRUE(Make(params)->Wanted().empty());
}

// A string that the model would never end, and behind it what takes more tokens than are looked at one by one.
TEST_F(AnswerTest, KeepsRoomForALongEnd) {
  grammar::Spec spec;
  spec.kind = grammar::Kind::kJsonSchema;
  spec.schema = *ParseJson(R"({"type": "object", "properties": {"text": {"type": "string"},
      "list": {"type": "array", "items": {"type": "number"}, "minItems": 200}}, "required": ["text", "list"]})");
  const auto compiled = grammar::Compile(spec);
  ASSERT_TRUE(compiled.ok());
  const auto vocabulary = MakeGrammarVocabulary(tokenizer(), n_vocab());
  GenerationParams params = greedy_;
  params.mask = MakeGrammarMask(tokenizer(), *compiled, vocabulary);
  const std::vector<int32_t> letter = tokenizer().Encode("a", false, false);
  ASSERT_EQ(letter.size(), 1U);
  const auto ending = params.mask->Fork()->Ending(4096);
  ASSERT_TRUE(ending && ending->size() > 300);
  for (const int64_t room : {static_cast<int64_t>(ending->size()) + 40, int64_t{2000}, int64_t{9000}}) {
    const auto answer = Make(params, room);
    std::string text;
    while (!answer->ended()) {
      auto row = Row(letter[0]);
      ASSERT_TRUE(answer->Take(row).ok());
      for (const AnswerToken& token : answer->added()) text += token.text;
    }
    text += answer->Finish();
    const auto json = ParseJson(text);
    ASSERT_TRUE(json.ok()) << room << ": " << text;
    EXPECT_EQ((*json)["list"].items().size(), 200U);
    EXPECT_EQ(answer->stop_reason(), StopReason::kLength);
    EXPECT_LE(answer->n_generated(), room);
    EXPECT_GT((*json)["text"].AsString().size(), 20U);
  }
}

TEST_F(AnswerTest, EndsAtItsRoomAndAtEndTokens) {
  auto answer = Make(greedy_, 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(answer->ended());
    auto row = Row(300);
    ASSERT_TRUE(answer->Take(row).ok());
    EXPECT_EQ(answer->added()[0].info.id, 300);
  }
  EXPECT_TRUE(answer->ended());
  EXPECT_EQ(answer->stop_reason(), StopReason::kLength);

  auto ends = Make(greedy_);
  auto row = Row(*tokenizer().eos());
  ASSERT_TRUE(ends->Take(row).ok());
  EXPECT_EQ(ends->stop_reason(), StopReason::kEos);
  EXPECT_TRUE(Make(greedy_, 0)->ended());
}

TEST_F(AnswerTest, LogprobsAreTheModelsOwn) {
  GenerationParams params = greedy_;
  params.n_logprobs = 3;
  params.sampling.logit_bias = {{7, 100.0F}};
  auto answer = Make(params);
  auto row = Row(300);
  const auto own = row;
  ASSERT_TRUE(answer->Take(row).ok());
  const TokenInfo& info = answer->added()[0].info;
  EXPECT_EQ(info.id, 7);
  EXPECT_EQ(info.logprob, LogprobOf(own, 7));
  ASSERT_EQ(info.top.size(), 3U);
  EXPECT_EQ(info.top[0].id, 300);
  EXPECT_EQ(info.top[0].logprob, LogprobOf(own, 300));
  EXPECT_EQ(info.top[1].id, 0) << "of equal ones the lower ids";
  EXPECT_EQ(info.top[2].id, 97);
}

TEST_F(AnswerTest, NothingAllowedIsAnError) {
  for (const float temperature : {0.0F, 1.0F}) {
    GenerationParams params = greedy_;
    params.sampling.temperature = temperature;
    auto answer = Make(params);
    std::vector<float> row(static_cast<size_t>(n_vocab()), -kInfinite);
    EXPECT_EQ(answer->Take(row).error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(answer->added().empty());
  }
}

TEST_F(AnswerTest, NotANumberIsAnError) {
  for (const size_t at : {size_t{0}, size_t{1000}, size_t{2047}}) {
    auto row = Row(300);
    row[at] = std::nanf("");
    EXPECT_EQ(Make(greedy_)->Take(row).error().code, ErrorCode::kCorrupt) << at;
  }
}

TEST_F(AnswerTest, SeedsOfChoices) {
  EXPECT_EQ(ChoiceSeed(5, 0), 5U);
  EXPECT_NE(ChoiceSeed(5, 1), ChoiceSeed(5, 2));
  EXPECT_NE(ChoiceSeed(5, 1), ChoiceSeed(6, 1));
  EXPECT_EQ(ChoiceSeed(5, 1), 17154306177754163346U);
}

TEST_F(AnswerTest, ParametersAreChecked) {
  GenerationParams params = greedy_;
  params.n_logprobs = kMaxLogprobs + 1;
  EXPECT_FALSE(Answer::Create(tokenizer(), n_vocab(), params, {}, 1).ok());
  params = greedy_;
  params.sampling.logit_bias = {{n_vocab(), 1.0F}};
  EXPECT_FALSE(Answer::Create(tokenizer(), n_vocab(), params, {}, 1).ok());
  params = greedy_;
  params.stops = {""};
  EXPECT_FALSE(Answer::Create(tokenizer(), n_vocab(), params, {}, 1).ok());
}

}  // namespace
}  // namespace lfm::engine
