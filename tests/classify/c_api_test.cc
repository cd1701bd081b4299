// The C ABI from outside: classification of hostile input, and every function on small stacks. On the demo model.
#include <gtest/gtest.h>
#include <lfm/lfm.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/on_stack.h"

namespace lfm::classify {
namespace {

const char* const kDemoFile = LFM_TEST_DATA "/../../models/lfm-demo.gguf";

struct FreeAny {
  void operator()(lfm_model* model) const { lfm_model_free(model); }
  void operator()(lfm_session* session) const { lfm_session_free(session); }
  void operator()(lfm_sampler* sampler) const { lfm_sampler_free(sampler); }
  void operator()(lfm_grammar* grammar) const { lfm_grammar_free(grammar); }
  void operator()(lfm_grammar_state* state) const { lfm_grammar_state_free(state); }
  void operator()(lfm_classifier* classifier) const { lfm_classifier_free(classifier); }
  void operator()(void* memory) const { lfm_free(memory); }
};
template <typename T>
using Owner = std::unique_ptr<T, FreeAny>;

Owner<lfm_model> DemoModel() {
  lfm_model* model = nullptr;
  lfm_error error;
  EXPECT_EQ(lfm_model_load(kDemoFile, nullptr, &model, &error), LFM_OK) << error.message;
  return Owner<lfm_model>(model);
}

lfm_status MakeClassifier(lfm_model* model, std::string_view labels, Owner<lfm_classifier>& out, lfm_error& error) {
  lfm_classifier* classifier = nullptr;
  const lfm_status status = lfm_classifier_create(model, labels.data(), labels.size(), nullptr, &classifier, &error);
  EXPECT_EQ(status == LFM_OK, classifier != nullptr);
  out.reset(classifier);
  return status;
}

std::string Repeated(std::string_view text, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += text;
  return all;
}

TEST(CApiClassify, LabelsThatAreNone) {
  const auto model = DemoModel();
  Owner<lfm_classifier> made;
  lfm_error error;
  std::string many = "[\"a\"";
  for (int i = 0; i < 5000; ++i) many += ",\"label number " + std::to_string(i) + "\"";
  many += "]";
  EXPECT_EQ(MakeClassifier(model.get(), many, made, error), LFM_LIMIT);
  EXPECT_NE(std::string_view(error.message).find("give fewer labels"), std::string_view::npos) << error.message;
  for (const std::string& labels :
       {std::string(), std::string("a,,b"), std::string("a,b,a"), std::string("[]"), std::string("[1, 2]"), std::string("[\"\"]"),
        std::string("caf\xE9,tea"), std::string("a\0b,c", 5), std::string("[\"a\\u0000b\"]"),
        "[{\"name\": \"a\", \"parent\": \"a\"}]" + std::string(), Repeated("x", 300)}) {
    EXPECT_EQ(MakeClassifier(model.get(), labels, made, error), LFM_INVALID_ARGUMENT) << labels.substr(0, 40) << error.message;
    EXPECT_EQ(error.status, LFM_INVALID_ARGUMENT);
    EXPECT_EQ(std::string_view(error.message).find('\n'), std::string_view::npos);
  }
  EXPECT_EQ(MakeClassifier(model.get(), Repeated("[", 100'000), made, error), LFM_LIMIT);
  EXPECT_EQ(MakeClassifier(model.get(), "{", made, error), LFM_CORRUPT);
  lfm_classifier* classifier = nullptr;
  EXPECT_EQ(lfm_classifier_create(nullptr, "a", 1, nullptr, &classifier, nullptr), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(lfm_classifier_create(model.get(), nullptr, 1, nullptr, &classifier, nullptr), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(lfm_classifier_create(model.get(), "a", 1, nullptr, nullptr, nullptr), LFM_INVALID_ARGUMENT);
}

TEST(CApiClassify, TextsThatAreNone) {
  const auto model = DemoModel();
  Owner<lfm_classifier> made;
  lfm_error error;
  ASSERT_EQ(MakeClassifier(model.get(), "refund,hotel", made, error), LFM_OK) << error.message;
  const std::string good = "I want my money back.", zero("a\0b", 3), latin = "caf\xE9", longer = Repeated("word ", 9000),
                    huge(1'000'000, 'x');
  const std::vector<const char*> texts = {good.data(), zero.data(), latin.data(), longer.data(), huge.data(), ""};
  const std::vector<size_t> lengths = {good.size(), zero.size(), latin.size(), longer.size(), huge.size(), 0};
  std::vector<int32_t> classes(6);
  std::vector<double> probabilities(12), mass(6);
  ASSERT_EQ(lfm_classify(made.get(), texts.data(), lengths.data(), 6, classes.data(), probabilities.data(), mass.data(), &error),
            LFM_OK)
      << error.message;
  for (size_t i = 0; i < 6; ++i) {
    const bool is_text = i == 0 || i == 5;
    EXPECT_EQ(classes[i] >= 0, is_text) << i;
    EXPECT_EQ(std::isnan(probabilities[2 * i]), !is_text) << i;
  }
  EXPECT_STREQ(lfm_classifier_class(made.get(), static_cast<size_t>(classes[0])), "refund");
  EXPECT_EQ(lfm_classifier_class(made.get(), 2), nullptr);
  EXPECT_EQ(lfm_classify(made.get(), texts.data(), lengths.data(), 6, nullptr, nullptr, nullptr, nullptr), LFM_OK);
  EXPECT_EQ(lfm_classify(made.get(), nullptr, nullptr, 0, nullptr, nullptr, nullptr, nullptr), LFM_OK);
  const char* const none = nullptr;
  const size_t impossible = SIZE_MAX;
  EXPECT_EQ(lfm_classify(made.get(), &none, lengths.data(), 1, nullptr, nullptr, nullptr, nullptr), LFM_INVALID_ARGUMENT);
  EXPECT_EQ(lfm_classify(made.get(), texts.data(), nullptr, 1, nullptr, nullptr, nullptr, nullptr), LFM_INVALID_ARGUMENT);
  EXPECT_NE(lfm_classify(made.get(), texts.data(), &impossible, 1, nullptr, nullptr, nullptr, nullptr), LFM_OK);
  EXPECT_EQ(lfm_classify(nullptr, texts.data(), lengths.data(), 1, nullptr, nullptr, nullptr, nullptr), LFM_INVALID_ARGUMENT);
}

// A grammar to its end, whatever it is: compiled, or refused with a status; masked, moved on, completed.
void UseGrammar(const lfm_model* model, const std::string& spec) {
  lfm_error error;
  lfm_grammar* made = nullptr;
  if (lfm_grammar_compile(model, spec.data(), spec.size(), &made, &error) != LFM_OK) return;
  const Owner<lfm_grammar> grammar(made);
  char* text = nullptr;
  size_t length = 0;
  EXPECT_EQ(lfm_grammar_info(made, &text, &length, &error), LFM_OK) << error.message;
  lfm_free(text);
  lfm_grammar_state *first = nullptr, *second = nullptr;
  ASSERT_EQ(lfm_grammar_state_create(made, &first, &error), LFM_OK);
  const Owner<lfm_grammar_state> one(first);
  ASSERT_EQ(lfm_grammar_fork(first, &second, &error), LFM_OK);
  const Owner<lfm_grammar_state> two(second);
  const auto n_vocabulary = static_cast<size_t>(lfm_model_vocab_size(model));
  std::vector<uint32_t> bits((n_vocabulary + 31) / 32);
  for (int step = 0; step < 8; ++step) {
    ASSERT_EQ(lfm_grammar_mask(first, bits.data(), bits.size(), &error), LFM_OK) << error.message;
    size_t id = 0;
    while (id < n_vocabulary && (bits[id / 32] >> id % 32 & 1) == 0) ++id;
    if (id == n_vocabulary || lfm_grammar_accept(first, static_cast<int32_t>(id), &error) != LFM_OK) break;
  }
  if (lfm_grammar_completion(second, 10'000, &text, &length, &error) == LFM_OK) lfm_free(text);
  lfm_grammar_accepting(second);
}

std::vector<std::string> Grammars() {
  std::string deep_schema, deep_data = R"({"schema": {"enum": [)" + Repeated("[", 90) + Repeated("]", 90) + "]}}";
  for (int i = 0; i < 60; ++i) deep_schema += R"({"anyOf": [{"type": "integer"}, {"type": "array", "items": )";
  deep_schema += "true";
  for (int i = 0; i < 60; ++i) deep_schema += "}]}";
  const std::string rules = "root ::= " + Repeated("(", 240) + "\\\"a\\\"" + Repeated(")", 240);
  return {
      R"({"json": true})",
      R"({"choice": ["red", "green", "blue"]})",
      R"({"schema": {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}}})",
      R"({"schema": )" + deep_schema + "}",
      deep_data,
      R"({"schema": {"type": "string", "pattern": "^()" + Repeated("(a|", 240) + "b" + Repeated(")", 240) + R"()$"}})",
      R"({"regex": ")" + Repeated("(", 240) + "a" + Repeated(")*", 240) + R"("})",
      R"({"grammar": "start: a\na: \"x\" a | \"y\" a a | "})",
      R"({"grammar": ")" + rules + R"("})",
      R"({"grammar": "start: )" + Repeated("(", 3000) + R"(\"a\")" + Repeated(")", 3000) + R"("})",
      R"({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties":
         {"a": {"type": "array", "items": {"type": "object"}}, "b": {"type": "string"}}}}}], "tool_choice": "required"})",
  };
}

void Render(const lfm_model* model, const std::string& request) {
  lfm_error error;
  char* text = nullptr;
  size_t length = 0;
  int32_t* ids = nullptr;
  if (lfm_render(model, request.data(), request.size(), &text, &length, &error) == LFM_OK) lfm_free(text);
  if (lfm_prompt_ids(model, request.data(), request.size(), &ids, &length, &error) == LFM_OK) lfm_free(ids);
  if (lfm_parse_answer(request.data(), request.size(), &text, &length, &error) == LFM_OK) lfm_free(text);
}

void Generate(lfm_model* model) {
  lfm_error error;
  lfm_session *made = nullptr, *copied = nullptr;
  ASSERT_EQ(lfm_session_create(model, nullptr, &made, &error), LFM_OK) << error.message;
  const Owner<lfm_session> session(made);
  const std::string text = Repeated("a long prompt of several steps ", 60);
  int32_t* ids = nullptr;
  size_t n_ids = 0;
  ASSERT_EQ(lfm_tokenize(model, text.data(), text.size(), 1, 1, &ids, &n_ids, &error), LFM_OK);
  const Owner<void> ids_owner(ids);
  const std::string spec = R"({"schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}})";
  lfm_grammar* grammar = nullptr;
  ASSERT_EQ(lfm_grammar_compile(model, spec.data(), spec.size(), &grammar, &error), LFM_OK) << error.message;
  const Owner<lfm_grammar> grammar_owner(grammar);
  lfm_generate_options options;
  lfm_generate_options_init(&options);
  options.max_tokens = 16;
  options.grammar = grammar;
  lfm_generation generation;
  lfm_generation_init(&generation);
  ASSERT_EQ(lfm_generate(made, ids, n_ids, nullptr, &options, &generation, &error), LFM_OK) << error.message;
  lfm_free(generation.ids);
  lfm_free(generation.text);
  ASSERT_EQ(lfm_session_copy(made, &copied, &error), LFM_OK);
  const Owner<lfm_session> copy(copied);
  void* state = nullptr;
  size_t n_state = 0;
  ASSERT_EQ(lfm_session_save(made, &state, &n_state, &error), LFM_OK);
  const Owner<void> state_owner(state);
  EXPECT_EQ(lfm_session_restore(copied, state, n_state, &error), LFM_OK) << error.message;
  lfm_sampler* sampler = nullptr;
  ASSERT_EQ(lfm_sampler_create(model, nullptr, &sampler, &error), LFM_OK);
  const Owner<lfm_sampler> sampler_owner(sampler);
  int32_t id = 0;
  EXPECT_EQ(lfm_sampler_sample(sampler, copied, &id, &error), LFM_OK);
  EXPECT_EQ(lfm_session_decode(copied, id, &error), LFM_OK);
}

void Classify(lfm_model* model) {
  Owner<lfm_classifier> made;
  lfm_error error;
  ASSERT_EQ(MakeClassifier(model, "refund,hotel,hotel booking", made, error), LFM_OK) << error.message;
  const char* const text = "I want my money back.";
  const size_t length = std::strlen(text);
  int32_t label = -1;
  EXPECT_EQ(lfm_classify(made.get(), &text, &length, 1, &label, nullptr, nullptr, &error), LFM_OK) << error.message;
  EXPECT_STREQ(lfm_classifier_class(made.get(), static_cast<size_t>(label)), "refund");
}

TEST(CApiStack, EverythingOnAThreadOfASmallStack) {
  constexpr int kFactor = LFM_SANITIZED ? 4 : 1;  // frames are larger there
  test::OnStack(size_t{kFactor} << 18, [] {
    const auto model = DemoModel();
    ASSERT_TRUE(model);
    char* info = nullptr;
    size_t length = 0;
    EXPECT_EQ(lfm_model_info(model.get(), &info, &length, nullptr), LFM_OK);
    lfm_free(info);
    Generate(model.get());
    Classify(model.get());
    for (const std::string& spec : Grammars()) UseGrammar(model.get(), spec);
    Render(model.get(), R"({"messages": [{"role": "user", "content": "Hi"}]})");
    Render(model.get(), R"({"messages": )" + Repeated("[", 20'000) + Repeated("]", 20'000) + "}");
    Render(model.get(), R"({"messages": [{"role": "user", "content": "Hi"}], "tools": [)" + Repeated(R"({"a":)", 90) + "1" +
                            Repeated("}", 90) + "]}");
    Render(model.get(), R"({"text": "<|tool_call_start|>[f(a=)" + Repeated("[", 3000) + R"("})");
  });
}

}  // namespace
}  // namespace lfm::classify
