// C++ over lfm.h: handles that free themselves and errors as exceptions. Nothing else; header only, C++17.
#ifndef LFM_LFM_HPP_
#define LFM_LFM_HPP_

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lfm.h"

namespace lfm::api {

class Error : public std::runtime_error {
 public:
  explicit Error(const lfm_error& error) : std::runtime_error(error.message), status_(error.status) {}
  lfm_status status() const { return status_; }

 private:
  lfm_status status_;
};

namespace detail {

struct Free {
  void operator()(void* memory) const { lfm_free(memory); }
  void operator()(lfm_model* model) const { lfm_model_free(model); }
  void operator()(lfm_session* session) const { lfm_session_free(session); }
  void operator()(lfm_sampler* sampler) const { lfm_sampler_free(sampler); }
  void operator()(lfm_classifier* classifier) const { lfm_classifier_free(classifier); }
  void operator()(lfm_grammar* grammar) const { lfm_grammar_free(grammar); }
  void operator()(lfm_grammar_state* state) const { lfm_grammar_state_free(state); }
};

// Calls f(..., lfm_error*) and throws what it reports.
template <typename F, typename... Args>
void Call(F f, Args... args) {
  lfm_error error{};
  if (f(args..., &error) != LFM_OK) throw Error(error);
}

template <typename T>
std::vector<T> TakeVector(T* data, size_t n) {
  const std::unique_ptr<T, Free> owner(data);
  return std::vector<T>(data, data + n);
}

inline std::string TakeString(char* data, size_t n) {
  const std::unique_ptr<char, Free> owner(data);
  return std::string(data, n);
}

}  // namespace detail

class Model {
 public:
  explicit Model(const std::string& path, const lfm_model_options* options = nullptr) {
    lfm_model* model = nullptr;
    detail::Call(lfm_model_load, path.c_str(), options, &model);
    handle_.reset(model);
  }

  int32_t vocab_size() const { return lfm_model_vocab_size(get()); }
  int64_t context_length() const { return lfm_model_context_length(get()); }
  bool IsEndOfGeneration(int32_t id) const { return lfm_is_end_of_generation(get(), id) != 0; }

  std::string Info() const {
    char* json = nullptr;
    size_t length = 0;
    detail::Call(lfm_model_info, get(), &json, &length);
    return detail::TakeString(json, length);
  }

  std::vector<int32_t> Tokenize(std::string_view text, bool add_special = true, bool parse_special = true) const {
    int32_t* ids = nullptr;
    size_t n = 0;
    detail::Call(lfm_tokenize, get(), text.data(), text.size(), int{add_special}, int{parse_special}, &ids, &n);
    return detail::TakeVector(ids, n);
  }

  std::string Detokenize(const std::vector<int32_t>& ids) const {
    char* bytes = nullptr;
    size_t length = 0;
    detail::Call(lfm_detokenize, get(), ids.data(), ids.size(), &bytes, &length);
    return detail::TakeString(bytes, length);
  }

  // A JSON object: {"messages": [...], ...}.
  std::string Render(std::string_view request) const {
    char* prompt = nullptr;
    size_t length = 0;
    detail::Call(lfm_render, get(), request.data(), request.size(), &prompt, &length);
    return detail::TakeString(prompt, length);
  }

  // The tokens of that prompt; what messages spell out never becomes a special token (lfm_prompt_ids).
  std::vector<int32_t> PromptIds(std::string_view request) const {
    int32_t* ids = nullptr;
    size_t n = 0;
    detail::Call(lfm_prompt_ids, get(), request.data(), request.size(), &ids, &n);
    return detail::TakeVector(ids, n);
  }

  lfm_sampling Sampling() const {
    lfm_sampling sampling;
    lfm_sampling_init(&sampling, get());
    return sampling;
  }

  lfm_model* get() const { return handle_.get(); }

 private:
  std::unique_ptr<lfm_model, detail::Free> handle_;
};

// What an answer must look like: a JSON object as lfm_grammar_compile takes it, {"schema": {...}} for one.
class Grammar {
 public:
  Grammar(const Model& model, std::string_view spec) {
    lfm_grammar* grammar = nullptr;
    detail::Call(lfm_grammar_compile, static_cast<const lfm_model*>(model.get()), spec.data(), spec.size(), &grammar);
    handle_.reset(grammar);
  }

  std::string Info() const {
    char* json = nullptr;
    size_t length = 0;
    detail::Call(lfm_grammar_info, static_cast<const lfm_grammar*>(get()), &json, &length);
    return detail::TakeString(json, length);
  }

  lfm_grammar* get() const { return handle_.get(); }

 private:
  std::unique_ptr<lfm_grammar, detail::Free> handle_;
};

// One place in an answer.
class GrammarState {
 public:
  explicit GrammarState(const Grammar& grammar) {
    lfm_grammar_state* state = nullptr;
    detail::Call(lfm_grammar_state_create, static_cast<const lfm_grammar*>(grammar.get()), &state);
    handle_.reset(state);
  }

  GrammarState Fork() const {
    lfm_grammar_state* state = nullptr;
    detail::Call(lfm_grammar_fork, static_cast<const lfm_grammar_state*>(get()), &state);
    return GrammarState(state);
  }
  // Which tokens may come next: id i is bit i % 32 of word i / 32.
  std::vector<uint32_t> Mask(const Model& model) const {
    std::vector<uint32_t> bits((static_cast<size_t>(model.vocab_size()) + 31) / 32);
    detail::Call(lfm_grammar_mask, static_cast<const lfm_grammar_state*>(get()), bits.data(), bits.size());
    return bits;
  }
  void Accept(int32_t id) { detail::Call(lfm_grammar_accept, get(), id); }
  bool accepting() const { return lfm_grammar_accepting(get()) != 0; }
  std::string Completion(size_t max_bytes = 4096) const {
    char* text = nullptr;
    size_t length = 0;
    detail::Call(lfm_grammar_completion, static_cast<const lfm_grammar_state*>(get()), max_bytes, &text, &length);
    return detail::TakeString(text, length);
  }

  lfm_grammar_state* get() const { return handle_.get(); }

 private:
  explicit GrammarState(lfm_grammar_state* state) : handle_(state) {}
  std::unique_ptr<lfm_grammar_state, detail::Free> handle_;
};

// {"text": "...", ...} to {"calls", "content", "reasoning"} (lfm_parse_answer).
inline std::string ParseAnswer(std::string_view request) {
  char* json = nullptr;
  size_t length = 0;
  detail::Call(lfm_parse_answer, request.data(), request.size(), &json, &length);
  return detail::TakeString(json, length);
}

class Session {
 public:
  explicit Session(const Model& model, const lfm_session_options* options = nullptr) {
    lfm_session* session = nullptr;
    detail::Call(lfm_session_create, model.get(), options, &session);
    handle_.reset(session);
  }

  Session Copy() const {
    lfm_session* copy = nullptr;
    detail::Call(lfm_session_copy, static_cast<const lfm_session*>(get()), &copy);
    return Session(copy);
  }

  int64_t n_tokens() const { return lfm_session_n_tokens(get()); }
  const float* logits() const { return lfm_session_logits(get()); }
  void Prefill(const std::vector<int32_t>& ids) { detail::Call(lfm_session_prefill, get(), ids.data(), ids.size()); }
  void Decode(int32_t id) { detail::Call(lfm_session_decode, get(), id); }
  void Truncate(int64_t n_tokens) { detail::Call(lfm_session_truncate, get(), n_tokens); }

  std::string Save() const {
    void* bytes = nullptr;
    size_t length = 0;
    detail::Call(lfm_session_save, static_cast<const lfm_session*>(get()), &bytes, &length);
    return detail::TakeString(static_cast<char*>(bytes), length);
  }
  void Restore(std::string_view bytes) {
    detail::Call(lfm_session_restore, get(), static_cast<const void*>(bytes.data()), bytes.size());
  }

  // The whole answer's text. `on_text` gets it piece by piece; false ends the answer. `grammar`: what it must look like.
  std::string Generate(const std::vector<int32_t>& prompt, const lfm_sampling& sampling, int64_t max_tokens = -1,
                       const std::function<bool(std::string_view)>& on_text = {}, const Grammar* grammar = nullptr) {
    lfm_generate_options options;
    lfm_generate_options_init(&options);
    options.max_tokens = max_tokens;
    options.grammar = grammar != nullptr ? grammar->get() : nullptr;
    options.user = const_cast<void*>(static_cast<const void*>(&on_text));
    options.on_token = [](void* user, const lfm_token* token) -> int {
      const auto& callback = *static_cast<const std::function<bool(std::string_view)>*>(user);
      return callback && !callback(std::string_view(token->text, token->length)) ? 1 : 0;
    };
    lfm_generation out;
    lfm_generation_init(&out);
    detail::Call(lfm_generate, get(), prompt.data(), prompt.size(), &sampling, static_cast<const lfm_generate_options*>(&options),
                 &out);
    const std::unique_ptr<int32_t, detail::Free> ids(out.ids);
    return detail::TakeString(out.text, out.length);
  }

  lfm_session* get() const { return handle_.get(); }

 private:
  explicit Session(lfm_session* session) : handle_(session) {}
  std::unique_ptr<lfm_session, detail::Free> handle_;
};

class Sampler {
 public:
  Sampler(const Model& model, const lfm_sampling& sampling) {
    lfm_sampler* sampler = nullptr;
    detail::Call(lfm_sampler_create, static_cast<const lfm_model*>(model.get()), &sampling, &sampler);
    handle_.reset(sampler);
  }
  void AcceptPrompt(const std::vector<int32_t>& ids) { lfm_sampler_accept_prompt(handle_.get(), ids.data(), ids.size()); }
  int32_t Sample(const Session& session) {
    int32_t id = 0;
    detail::Call(lfm_sampler_sample, handle_.get(), static_cast<const lfm_session*>(session.get()), &id);
    return id;
  }
  // Among the tokens of a grammar's mask.
  int32_t Sample(const Session& session, const std::vector<uint32_t>& mask) {
    int32_t id = 0;
    detail::Call(lfm_sampler_sample_masked, handle_.get(), static_cast<const lfm_session*>(session.get()), mask.data(),
                 mask.size(), &id);
    return id;
  }

 private:
  std::unique_ptr<lfm_sampler, detail::Free> handle_;
};

// scikit-learn's predict and predict_proba. Classes are by rising name; column i of a row is class i.
class Classifier {
 public:
  // `labels`: "a,b,c", or JSON (lfm_classifier_create).
  Classifier(const Model& model, std::string_view labels, const lfm_classifier_options* options = nullptr) {
    lfm_classifier* classifier = nullptr;
    detail::Call(lfm_classifier_create, model.get(), labels.data(), labels.size(), options, &classifier);
    handle_.reset(classifier);
  }

  std::vector<std::string> Classes() const {
    std::vector<std::string> names;
    for (size_t i = 0; i < lfm_classifier_n_classes(get()); ++i) names.emplace_back(lfm_classifier_class(get(), i));
    return names;
  }
  // The likeliest class of each text; -1 where it is too long.
  std::vector<int32_t> Predict(const std::vector<std::string>& texts) {
    std::vector<int32_t> classes(texts.size());
    Run(texts, classes.data(), nullptr, nullptr);
    return classes;
  }
  // [texts][classes]
  std::vector<double> PredictProba(const std::vector<std::string>& texts) {
    std::vector<double> probabilities(texts.size() * lfm_classifier_n_classes(get()));
    Run(texts, nullptr, probabilities.data(), nullptr);
    return probabilities;
  }
  std::vector<double> LabelMass(const std::vector<std::string>& texts) {
    std::vector<double> mass(texts.size());
    Run(texts, nullptr, nullptr, mass.data());
    return mass;
  }

  lfm_classifier* get() const { return handle_.get(); }

 private:
  void Run(const std::vector<std::string>& texts, int32_t* classes, double* probabilities, double* mass) {
    std::vector<const char*> pointers;
    std::vector<size_t> lengths;
    for (const std::string& text : texts) {
      pointers.push_back(text.data());
      lengths.push_back(text.size());
    }
    detail::Call(lfm_classify, get(), static_cast<const char* const*>(pointers.data()), static_cast<const size_t*>(lengths.data()),
                 texts.size(), classes, probabilities, mass);
  }
  std::unique_ptr<lfm_classifier, detail::Free> handle_;
};

}  // namespace lfm::api

#endif  // LFM_LFM_HPP_
