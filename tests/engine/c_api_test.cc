// The C ABI's grammars and the answers that they hold, on the repository's own small model.
#include <gtest/gtest.h>
#include <lfm/lfm.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/json.h"

namespace lfm {
namespace {

struct FreeHandle {
  void operator()(lfm_model* model) const { lfm_model_free(model); }
  void operator()(lfm_session* session) const { lfm_session_free(session); }
  void operator()(lfm_sampler* sampler) const { lfm_sampler_free(sampler); }
  void operator()(lfm_grammar* grammar) const { lfm_grammar_free(grammar); }
  void operator()(lfm_grammar_state* state) const { lfm_grammar_state_free(state); }
  void operator()(void* memory) const { lfm_free(memory); }
};
template <typename T>
using Handle = std::unique_ptr<T, FreeHandle>;

constexpr std::string_view kPerson = R"({"schema": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8},
  "age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["name", "age"], "additionalProperties": false}})";
constexpr std::string_view kTools = R"({"tools": [{"type": "function", "function": {"name": "set_light", "parameters":
  {"type": "object", "properties": {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}, "why": {"type": "string"}},
  "required": ["room", "on"], "additionalProperties": false}}}], "tool_choice": "required", "parallel": false})";

class CApiTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(lfm_model_load(LFM_TEST_DATA "/models/tiny-lfm25-moe", nullptr, &model_, nullptr), LFM_OK);
  }
  static void TearDownTestSuite() { lfm_model_free(model_); }

  Handle<lfm_grammar> Compile(std::string_view spec) {
    lfm_grammar* grammar = nullptr;
    EXPECT_EQ(lfm_grammar_compile(model_, spec.data(), spec.size(), &grammar, &error_), LFM_OK) << error_.message;
    return Handle<lfm_grammar>(grammar);
  }
  Handle<lfm_grammar_state> State(const Handle<lfm_grammar>& grammar) {
    lfm_grammar_state* state = nullptr;
    EXPECT_EQ(lfm_grammar_state_create(grammar.get(), &state, &error_), LFM_OK);
    return Handle<lfm_grammar_state>(state);
  }
  Handle<lfm_session> Session() {
    lfm_session* session = nullptr;
    EXPECT_EQ(lfm_session_create(model_, nullptr, &session, &error_), LFM_OK);
    return Handle<lfm_session>(session);
  }
  std::vector<int32_t> Ids(std::string_view text) {
    int32_t* ids = nullptr;
    size_t n = 0;
    EXPECT_EQ(lfm_tokenize(model_, text.data(), text.size(), 0, 0, &ids, &n, &error_), LFM_OK);
    const Handle<void> owner(ids);
    return std::vector<int32_t>(ids, ids + n);
  }
  std::vector<uint32_t> Mask(const Handle<lfm_grammar_state>& state) {
    std::vector<uint32_t> bits((static_cast<size_t>(lfm_model_vocab_size(model_)) + 31) / 32);
    EXPECT_EQ(lfm_grammar_mask(state.get(), bits.data(), bits.size(), &error_), LFM_OK);
    return bits;
  }
  static bool Allowed(const std::vector<uint32_t>& bits, int32_t id) {
    return (bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0;
  }
  struct Generated {
    std::string text;
    lfm_stop_reason stop;
    std::vector<int32_t> ids;
  };
  Generated Generate(lfm_session* session, const lfm_grammar* grammar, uint64_t seed, int64_t max_tokens, bool logprobs = false) {
    lfm_sampling sampling;
    lfm_sampling_init(&sampling, model_);
    sampling.temperature = 2, sampling.top_k = 0, sampling.top_p = 1, sampling.min_p = 0, sampling.seed = seed;
    lfm_generate_options options;
    lfm_generate_options_init(&options);
    options.max_tokens = max_tokens, options.grammar = grammar, options.want_logprobs = logprobs ? 1 : 0;
    lfm_generation out;
    lfm_generation_init(&out);
    const std::vector<int32_t> prompt = Ids("Who is it?");
    EXPECT_EQ(lfm_generate(session, prompt.data(), prompt.size(), &sampling, &options, &out, &error_), LFM_OK) << error_.message;
    const Handle<void> text(out.text), ids(out.ids);
    return {std::string(out.text, out.length), out.stop_reason, std::vector<int32_t>(out.ids, out.ids + out.n_ids)};
  }
  Json Parse(const std::string& text) {
    const std::string request = Json::MakeObject({{"text", text}, {"guided", true}}).Dump();
    char* json = nullptr;
    size_t length = 0;
    EXPECT_EQ(lfm_parse_answer(request.data(), request.size(), &json, &length, &error_), LFM_OK) << error_.message;
    const Handle<void> owner(json);
    return *ParseJson(std::string_view(json, length));
  }

  static lfm_model* model_;
  lfm_error error_{};
};
lfm_model* CApiTest::model_ = nullptr;

TEST_F(CApiTest, ASpecThatCannotBeHeldIsRefusedByName) {
  lfm_grammar* grammar = nullptr;
  const auto refused = [&](std::string_view spec) {
    const lfm_status status = lfm_grammar_compile(model_, spec.data(), spec.size(), &grammar, &error_);
    EXPECT_EQ(grammar, nullptr);
    EXPECT_EQ(status, error_.status);
    return status;
  };
  EXPECT_EQ(refused("{"), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(refused("{}"), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(refused(R"({"regex": "a", "json": true})"), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(refused(R"({"schema": {}, "unsuported": "annotate"})"), LFM_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error_.message).find("unsuported"), std::string::npos) << error_.message;
  EXPECT_EQ(refused(R"({"schema": {"properties": {"a": {"type": "string", "pattern": "(x)\\1"}}}})"), LFM_UNSUPPORTED);
  EXPECT_NE(std::string(error_.message).find("pattern at \"/properties/a\""), std::string::npos) << error_.message;
  EXPECT_EQ(refused(R"({"tools": [], "tool_choice": "nowhere"})"), LFM_INVALID_ARGUMENT);
  const std::string_view loose = R"({"schema": {"pattern": "(x)\\1"}, "unsupported": "annotate"})";
  const auto annotated = Compile(loose);
  char* json = nullptr;
  size_t length = 0;
  ASSERT_EQ(lfm_grammar_info(annotated.get(), &json, &length, &error_), LFM_OK);
  const Handle<void> owner(json);
  EXPECT_EQ((*ParseJson(std::string_view(json, length)))["unenforced"].items()[0]["keyword"].AsString(), "pattern");
}

TEST_F(CApiTest, StatesMaskAcceptAndFork) {
  const auto grammar = Compile(R"({"choice": ["yes", "yesterday", "no"]})");
  auto state = State(grammar);
  const std::vector<uint32_t> first = Mask(state);
  for (int32_t id = 0; id < lfm_model_vocab_size(model_); ++id) {
    lfm_grammar_state* fork = nullptr;
    ASSERT_EQ(lfm_grammar_fork(state.get(), &fork, &error_), LFM_OK);
    const Handle<lfm_grammar_state> owner(fork);
    EXPECT_EQ(lfm_grammar_accept(fork, id, &error_), Allowed(first, id) ? LFM_OK : LFM_INVALID_ARGUMENT) << id;
  }
  for (const int32_t id : Ids("yes")) ASSERT_EQ(lfm_grammar_accept(state.get(), id, &error_), LFM_OK);
  EXPECT_EQ(lfm_grammar_accepting(state.get()), 1);
  for (const int32_t id : Ids("terd")) ASSERT_EQ(lfm_grammar_accept(state.get(), id, &error_), LFM_OK);
  EXPECT_EQ(lfm_grammar_accepting(state.get()), 0);
  char* text = nullptr;
  size_t length = 0;
  ASSERT_EQ(lfm_grammar_completion(state.get(), 100, &text, &length, &error_), LFM_OK);
  const Handle<void> owner(text);
  EXPECT_EQ(std::string(text, length), "ay");
  EXPECT_EQ(lfm_grammar_completion(state.get(), 1, &text, &length, &error_), LFM_LIMIT);
  uint32_t word = 0;
  EXPECT_EQ(lfm_grammar_mask(state.get(), &word, 1, &error_), LFM_INVALID_ARGUMENT);
}

TEST_F(CApiTest, AMaskLimitsTheSampler) {
  const auto grammar = Compile(R"({"regex": "[0-9]{3}"})");
  auto state = State(grammar);
  const auto session = Session();
  const std::vector<int32_t> prompt = Ids("Count:");
  ASSERT_EQ(lfm_session_prefill(session.get(), prompt.data(), prompt.size(), &error_), LFM_OK);
  lfm_sampler* made = nullptr;
  ASSERT_EQ(lfm_sampler_create(model_, nullptr, &made, &error_), LFM_OK);
  const Handle<lfm_sampler> sampler(made);
  std::string text;
  for (int i = 0; i < 3 && lfm_grammar_accepting(state.get()) == 0; ++i) {
    const std::vector<uint32_t> bits = Mask(state);
    int32_t id = 0;
    ASSERT_EQ(lfm_sampler_sample_masked(made, session.get(), bits.data(), bits.size(), &id, &error_), LFM_OK) << error_.message;
    ASSERT_TRUE(Allowed(bits, id));
    ASSERT_EQ(lfm_grammar_accept(state.get(), id, &error_), LFM_OK);
    ASSERT_EQ(lfm_session_decode(session.get(), id, &error_), LFM_OK);
  }
  EXPECT_EQ(lfm_grammar_accepting(state.get()), 1);
  const std::vector<uint32_t> none(Mask(state).size());
  int32_t id = 0;
  EXPECT_EQ(lfm_sampler_sample_masked(made, session.get(), none.data(), none.size(), &id, &error_), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(lfm_sampler_sample_masked(made, session.get(), none.data(), 1, &id, &error_), LFM_INVALID_ARGUMENT);
}

// However little room there is: 40 tokens hold the shortest answer of a model that says anything at all.
TEST_F(CApiTest, AnswersFitTheirSchemaInAnyRoom) {
  const auto grammar = Compile(kPerson);
  const auto session = Session();
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const Generated answer = Generate(session.get(), grammar.get(), seed, 40);
    const auto json = ParseJson(answer.text);
    ASSERT_TRUE(json.ok()) << answer.text;
    EXPECT_EQ(json->members().size(), 2U) << answer.text;
    EXPECT_TRUE((*json)["name"].is_string() && (*json)["age"].is_integer()) << answer.text;
    EXPECT_LE((*json)["age"].AsInt(), 150);
    // Log probabilities change what is known of an answer, not the answer.
    EXPECT_EQ(Generate(session.get(), grammar.get(), seed, 40, true).ids, answer.ids);
  }
}

// What the grammar leaves no choice about comes in the tokenizer's own tokens, as far as nothing behind it can change them.
TEST_F(CApiTest, ForcedTextIsWrittenAsTheTokenizerWritesIt) {
  constexpr std::string_view kText = "def main(argument): return argument + 1";
  const auto grammar = Compile(Json::MakeObject({{"choice", Json::MakeArray({kText})}}).Dump());
  const auto session = Session();
  const std::vector<int32_t> canonical = Ids(kText);
  ASSERT_GT(canonical.size(), 5U);
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const Generated answer = Generate(session.get(), grammar.get(), seed, 300);
    EXPECT_EQ(answer.text, kText);
    ASSERT_GT(answer.ids.size(), canonical.size() - 4);
    EXPECT_TRUE(std::equal(canonical.begin(), canonical.end() - 4, answer.ids.begin())) << answer.text;
    EXPECT_EQ(Generate(session.get(), grammar.get(), seed, 300, true).ids, answer.ids);
  }
}

// A name before "=" or a quote is settled, so a model that does not know it never spells it letter by letter.
TEST_F(CApiTest, ForcedNamesAreWholeBeforeAChoice) {
  for (const auto& [one, other, name] :
       {std::tuple{"argument=1", "argument=2", "argument"}, std::tuple{"{\"return\": 1", "{\"return\": 2", "{\"return"},
        std::tuple{"return123(1", "return123(2", "return123"}}) {
    const auto grammar = Compile(Json::MakeObject({{"choice", Json::MakeArray({one, other})}}).Dump());
    const auto session = Session();
    const std::vector<int32_t> canonical = Ids(name);
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      const Generated answer = Generate(session.get(), grammar.get(), seed, 100);
      EXPECT_TRUE(answer.text == one || answer.text == other) << answer.text;
      ASSERT_GE(answer.ids.size(), canonical.size()) << answer.text;
      EXPECT_TRUE(std::equal(canonical.begin(), canonical.end(), answer.ids.begin())) << answer.text;
    }
  }
}

TEST_F(CApiTest, CallsFitTheirTools) {
  const auto grammar = Compile(kTools);
  const auto session = Session();
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const Generated answer = Generate(session.get(), grammar.get(), seed, seed % 2 == 0 ? 60 : 200);
    const Json parsed = Parse(answer.text);
    ASSERT_EQ(parsed["calls"].items().size(), 1U) << answer.text;
    const Json& call = parsed["calls"].items()[0];
    EXPECT_EQ(call["name"].AsString(), "set_light");
    const std::string& room = call["arguments"]["room"].AsString();
    EXPECT_TRUE((room == "kitchen" || room == "hall") && call["arguments"]["on"].is_bool()) << answer.text;
  }
}

TEST_F(CApiTest, AGrammarBelongsToItsModel) {
  lfm_model* other = nullptr;
  ASSERT_EQ(lfm_model_load(LFM_TEST_DATA "/models/tiny-lfm25-moe", nullptr, &other, &error_), LFM_OK);
  const Handle<lfm_model> owner(other);
  lfm_grammar* foreign = nullptr;
  ASSERT_EQ(lfm_grammar_compile(other, kPerson.data(), kPerson.size(), &foreign, &error_), LFM_OK);
  const Handle<lfm_grammar> grammar(foreign);
  const auto session = Session();
  lfm_generate_options options;
  lfm_generate_options_init(&options);
  options.grammar = foreign;
  lfm_generation out;
  lfm_generation_init(&out);
  const int32_t id = 5;
  EXPECT_EQ(lfm_generate(session.get(), &id, 1, nullptr, &options, &out, &error_), LFM_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace lfm
