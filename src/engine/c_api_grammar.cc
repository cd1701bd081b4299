// The C ABI of include/lfm/lfm.h: grammars, their states, and answers read.
#include "engine/c_api_internal.h"
#include "engine/grammar_mask.h"
#include "grammar/spec_json.h"
#include "text/answer_json.h"

namespace {

using namespace lfm::c_api;  // NOLINT(google-build-using-namespace): this file is that namespace's purpose
using lfm::Error;
using lfm::ErrorCode;
using lfm::Json;
using lfm::Result;
using lfm::Status;
using lfm::StrCat;
namespace engine = lfm::engine;

// What a spec may hold beside the kinds of grammars: a misspelt member would be dropped in silence.
Status CheckMembers(const Json& spec) {
  for (const auto& [name, value] : spec.members()) {
    const auto known = [&key = name](std::string_view one) { return one == key; };
    constexpr std::string_view kMembers[] = {"schema",      "json",     "regex",  "choice", "grammar", "tools",
                                             "tool_choice", "parallel", "quotes", "order",  "compact", "unsupported"};
    if (std::none_of(std::begin(kMembers), std::end(kMembers), known)) {
      return Error{ErrorCode::kInvalidArgument, StrCat("spec: there is no member ", lfm::Quote(name))};
    }
  }
  return lfm::Ok();
}

std::shared_ptr<const lfm::grammar::Vocabulary> VocabularyOf(const lfm_model& model) {
  const std::lock_guard lock(model.mutex);
  if (!model.vocabulary) {
    model.vocabulary = engine::MakeGrammarVocabulary(model.loaded->text().tokenizer, model.loaded->config().vocab_size);
  }
  return model.vocabulary;
}

Result<Json> JsonArgument(const char* name, const char* bytes, size_t length) {
  auto json = lfm::ParseJson(std::string_view(bytes, length));
  if (!json.ok()) return Error{ErrorCode::kInvalidArgument, StrCat(name, ": ", json.error().message)};
  return json;
}

Result<std::shared_ptr<const lfm::grammar::Grammar>> CompileSpec(const lfm_model& model, const Json& json) {
  LFM_RETURN_IF_ERROR(CheckMembers(json));
  LFM_TRY(lfm::grammar::Spec spec, lfm::grammar::SpecFromJson(json, lfm::grammar::Order::kSchema));
  engine::FitSpec(model.loaded->text().tokenizer, spec);
  lfm::grammar::Refusal refusal;
  auto compiled = lfm::grammar::Compile(spec, {}, &refusal);
  if (compiled.ok() || refusal.keyword.empty()) return compiled;
  return Error{compiled.error().code, StrCat(refusal.keyword, " at \"", refusal.pointer, "\": ", refusal.message)};
}

}  // namespace

extern "C" {

lfm_status lfm_grammar_compile(const lfm_model* model, const char* spec, size_t length, lfm_grammar** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!model || !spec || !out) return NullPointer("an argument");
    if (const Status done = model->loaded->text_status(); !done.ok()) return done.error();
    LFM_TRY(const Json json, JsonArgument("spec", spec, length));
    LFM_TRY(auto compiled, CompileSpec(*model, json));
    *out = new lfm_grammar{model->loaded, std::move(compiled), VocabularyOf(*model)};
    return lfm::Ok();
  });
}

void lfm_grammar_free(lfm_grammar* grammar) { delete grammar; }

lfm_status lfm_grammar_info(const lfm_grammar* grammar, char** json, size_t* length, lfm_error* error) {
  if (json) *json = nullptr;
  if (length) *length = 0;
  return Guard(error, [&]() -> Status {
    if (!grammar || !json) return NullPointer(grammar ? "json" : "grammar");
    Json unenforced = Json::MakeArray();
    for (const lfm::grammar::Refusal& one : grammar->grammar->unenforced()) unenforced.Append(lfm::grammar::RefusalJson(one));
    const std::string info =
        Json::MakeObject({{"unenforced", std::move(unenforced)}, {"normal_form", grammar->grammar->Describe()}}).Dump();
    return CopyOut(info.data(), info.size(), json, length);
  });
}

lfm_status lfm_grammar_state_create(const lfm_grammar* grammar, lfm_grammar_state** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!grammar || !out) return NullPointer(grammar ? "out" : "grammar");
    *out = new lfm_grammar_state{grammar->loaded, grammar->grammar->Start(), grammar->vocabulary};
    return lfm::Ok();
  });
}

lfm_status lfm_grammar_fork(const lfm_grammar_state* state, lfm_grammar_state** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!state || !out) return NullPointer(state ? "out" : "state");
    *out = new lfm_grammar_state(*state);
    return lfm::Ok();
  });
}

void lfm_grammar_state_free(lfm_grammar_state* state) { delete state; }

lfm_status lfm_grammar_mask(const lfm_grammar_state* state, uint32_t* bits, size_t n_words, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!state || !bits) return NullPointer(state ? "bits" : "state");
    if (n_words != state->vocabulary->n_words()) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat("n_words is ", n_words, "; a mask of this vocabulary has ", state->vocabulary->n_words())};
    }
    return state->state.Mask(*state->vocabulary, std::span(bits, n_words));
  });
}

lfm_status lfm_grammar_accept(lfm_grammar_state* state, int32_t id, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!state) return NullPointer("state");
    LFM_TRY(const bool accepted, state->state.Accept(*state->vocabulary, id));
    if (!accepted) return Error{ErrorCode::kInvalidArgument, StrCat("the grammar does not allow token ", id, " here")};
    return lfm::Ok();
  });
}

int lfm_grammar_accepting(const lfm_grammar_state* state) {
  int accepting = 0;
  static_cast<void>(Guard(nullptr, [&]() -> Status {
    accepting = state && state->state.accepting() ? 1 : 0;
    return lfm::Ok();
  }));
  return accepting;
}

lfm_status lfm_grammar_completion(const lfm_grammar_state* state, size_t max_bytes, char** text, size_t* length,
                                  lfm_error* error) {
  if (text) *text = nullptr;
  if (length) *length = 0;
  return Guard(error, [&]() -> Status {
    if (!state || !text || !length) return NullPointer("an argument");
    LFM_TRY(const std::string bytes, state->state.ShortestCompletion(max_bytes));
    const lfm::text::Tokenizer& tokenizer = state->loaded->text().tokenizer;
    const std::string completion = tokenizer.Decode(engine::EncodeGrammarText(tokenizer, bytes));
    return CopyOut(completion.data(), completion.size(), text, length);
  });
}

lfm_status lfm_parse_answer(const char* request, size_t request_length, char** json, size_t* length, lfm_error* error) {
  if (json) *json = nullptr;
  if (length) *length = 0;
  return Guard(error, [&]() -> Status {
    if (!request || !json) return NullPointer(request ? "json" : "request");
    LFM_TRY(const Json row, JsonArgument("request", request, request_length));
    LFM_TRY(auto options, lfm::text::AnswerOptionsFromJson(row));
    LFM_TRY(const Json answer, lfm::text::AnswerToJson(lfm::text::ParseAnswer(row["text"].AsString(), std::move(options))));
    const std::string out = answer.Dump();
    return CopyOut(out.data(), out.size(), json, length);
  });
}

}  // extern "C"
