// The C ABI of include/lfm/lfm.h: sessions, sampling, whole answers.
#include <limits>
#include <optional>

#include "engine/c_api_internal.h"
#include "engine/generate.h"
#include "engine/grammar_mask.h"
#include "text/chat.h"

namespace {

using namespace lfm::c_api;  // NOLINT(google-build-using-namespace): this file is that namespace's purpose
using lfm::Error;
using lfm::ErrorCode;
using lfm::Result;
using lfm::Status;
namespace engine = lfm::engine;

lfm_sampling DefaultsOf(const engine::LoadedModel* model) {
  const bool has_text = model && model->text_status().ok();
  const engine::SamplingParams p = has_text ? model->text().sampling : engine::SamplingParams{};
  return {sizeof(lfm_sampling), p.temperature,       p.top_k, p.top_p, p.min_p, p.typical_p, p.repetition_penalty,
          p.presence_penalty,   p.frequency_penalty, p.seed,  nullptr, 0};
}

Result<engine::SamplingParams> SamplingOf(const lfm_sampling* given, const engine::LoadedModel& model) {
  LFM_TRY(const lfm_sampling s, Versioned(given, DefaultsOf(&model), "sampling"));
  engine::SamplingParams params;
  params.temperature = s.temperature;
  params.top_k = s.top_k;
  params.top_p = s.top_p;
  params.min_p = s.min_p;
  params.typical_p = s.typical_p;
  params.repetition_penalty = s.repetition_penalty;
  params.presence_penalty = s.presence_penalty;
  params.frequency_penalty = s.frequency_penalty;
  params.seed = s.seed;
  if (s.n_logit_bias > 0 && !s.logit_bias) return NullPointer("sampling.logit_bias");
  for (size_t i = 0; i < s.n_logit_bias; ++i) params.logit_bias.emplace_back(s.logit_bias[i].id, s.logit_bias[i].bias);
  if (const Status done = engine::Validate(params, model.config().vocab_size); !done.ok()) return done.error();
  return params;
}

// A stop reason's number is the same on both sides.
constexpr bool SameNumber(engine::StopReason reason, lfm_stop_reason number) {
  return static_cast<int>(reason) == static_cast<int>(number);
}
static_assert(SameNumber(engine::StopReason::kEos, LFM_STOP_EOS) && SameNumber(engine::StopReason::kLength, LFM_STOP_LENGTH) &&
              SameNumber(engine::StopReason::kStop, LFM_STOP_STRING) &&
              SameNumber(engine::StopReason::kCancelled, LFM_STOP_CANCELLED));

// The next token, among those of `bits` where there are any, becomes part of what was generated.
Status SampleAmong(lfm_sampler& sampler, const lfm_session& session, std::span<const uint32_t> bits, int32_t& id) {
  const auto logits = session.session->logits();
  if (logits.empty()) {
    return Error{ErrorCode::kInvalidArgument, "the session has no logits; let it read a token first"};
  }
  if (logits.size() != sampler.n_vocab) {
    return Error{ErrorCode::kInvalidArgument, lfm::StrCat("the sampler is for a vocabulary of ", sampler.n_vocab,
                                                          " tokens, the session's model has ", logits.size())};
  }
  sampler.scratch.assign(logits.begin(), logits.end());
  for (size_t i = 0; !bits.empty() && i < sampler.scratch.size(); ++i) {
    if ((bits[i / 32] >> i % 32 & 1) == 0) sampler.scratch[i] = -std::numeric_limits<float>::infinity();
  }
  const std::optional<int32_t> sampled = sampler.sampler.Sample(sampler.scratch);
  if (!sampled) return Error{ErrorCode::kInvalidArgument, "no token is left to choose from: every logit is -inf"};
  id = *sampled;
  sampler.sampler.Accept(id);
  return lfm::Ok();
}

// The mask of an answer that a grammar holds; the prompt may have opened the thinking.
Result<std::shared_ptr<const engine::TokenMask>> MaskOf(const lfm_generate_options& options, const engine::LoadedModel& model,
                                                        std::span<const int32_t> prompt) {
  const lfm_grammar& grammar = *options.grammar;
  if (grammar.loaded.get() != &model) {
    return Error{ErrorCode::kInvalidArgument, "options.grammar was compiled for another model than the session's"};
  }
  const lfm::text::Tokenizer& tokenizer = model.text().tokenizer;
  constexpr size_t kTail = 8;  // tokens: the mark and the white space behind it
  const bool open = lfm::text::PromptOpensThinking(tokenizer.Decode(prompt.last(std::min(prompt.size(), kTail))));
  using Start = engine::ThinkingMarks::Start;
  const Start start = open ? Start::kOpen : options.may_think != 0 ? Start::kMay : Start::kNone;
  return engine::MakeGrammarMask(tokenizer, grammar.grammar, grammar.vocabulary, engine::FindThinkingMarks(tokenizer, start));
}

}  // namespace

extern "C" {

void lfm_session_options_init(lfm_session_options* options) {
  if (!options) return;
  const engine::SessionOptions defaults;
  *options = lfm_session_options{sizeof(lfm_session_options), defaults.n_ctx, defaults.n_chunk, 0};
}

lfm_status lfm_session_create(lfm_model* model, const lfm_session_options* options, lfm_session** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!model || !out) return NullPointer(model ? "out" : "model");
    lfm_session_options defaults;
    lfm_session_options_init(&defaults);
    LFM_TRY(const lfm_session_options given, Versioned(options, defaults, "options"));
    LFM_TRY(auto threads, MakeThreads(given.n_threads));
    LFM_TRY(auto session, engine::Session::Create(model->loaded, *threads, {given.n_ctx, given.n_chunk}));
    *out = new lfm_session{std::move(threads), std::move(session)};
    return lfm::Ok();
  });
}

void lfm_session_free(lfm_session* session) { delete session; }

lfm_status lfm_session_copy(const lfm_session* session, lfm_session** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!session || !out) return NullPointer(session ? "out" : "session");
    LFM_TRY(auto threads, MakeThreads(session->threads->size()));
    LFM_TRY(auto copy, session->session->Copy(*threads));
    *out = new lfm_session{std::move(threads), std::move(copy)};
    return lfm::Ok();
  });
}

int64_t lfm_session_n_tokens(const lfm_session* session) { return session ? session->session->n_tokens() : 0; }

lfm_status lfm_session_prefill(lfm_session* session, const int32_t* ids, size_t n_ids, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!session) return NullPointer("session");
    LFM_TRY(const auto list, Ids(ids, n_ids));
    return session->session->Read(list);
  });
}

lfm_status lfm_session_decode(lfm_session* session, int32_t id, lfm_error* error) {
  return lfm_session_prefill(session, &id, 1, error);
}

lfm_status lfm_session_set_prompt(lfm_session* session, const int32_t* ids, size_t n_ids, int64_t* n_kept, lfm_error* error) {
  if (n_kept) *n_kept = 0;
  return Guard(error, [&]() -> Status {
    if (!session) return NullPointer("session");
    LFM_TRY(const auto list, Ids(ids, n_ids));
    LFM_TRY(const int64_t kept, session->session->ReadPrompt(list));
    if (n_kept) *n_kept = kept;
    return lfm::Ok();
  });
}

const float* lfm_session_logits(const lfm_session* session) {
  if (!session) return nullptr;
  const auto logits = session->session->logits();
  return logits.empty() ? nullptr : logits.data();
}

lfm_status lfm_session_truncate(lfm_session* session, int64_t n_tokens, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!session) return NullPointer("session");
    return session->session->Truncate(n_tokens);
  });
}

lfm_status lfm_session_save(const lfm_session* session, void** bytes, size_t* length, lfm_error* error) {
  if (bytes) *bytes = nullptr;
  if (length) *length = 0;
  return Guard(error, [&]() -> Status {
    if (!session || !bytes || !length) return NullPointer("an argument");
    const std::vector<std::byte> saved = session->session->Save();
    std::byte* copy = nullptr;
    if (const Status done = CopyOut(saved.data(), saved.size(), &copy, length); !done.ok()) return done.error();
    *bytes = copy;
    return lfm::Ok();
  });
}

lfm_status lfm_session_restore(lfm_session* session, const void* bytes, size_t length, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!session || !bytes) return NullPointer(session ? "bytes" : "session");
    return session->session->Restore(std::span(static_cast<const std::byte*>(bytes), length));
  });
}

void lfm_sampling_init(lfm_sampling* sampling, const lfm_model* model) {
  if (!sampling) return;
  *sampling = DefaultsOf(model ? model->loaded.get() : nullptr);
}

lfm_status lfm_sampler_create(const lfm_model* model, const lfm_sampling* sampling, lfm_sampler** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!model || !out) return NullPointer(model ? "out" : "model");
    LFM_TRY(auto params, SamplingOf(sampling, *model->loaded));
    const int n_vocab = model->loaded->config().vocab_size;
    *out = new lfm_sampler{engine::Sampler(std::move(params), n_vocab), static_cast<size_t>(n_vocab), {}};
    return lfm::Ok();
  });
}

void lfm_sampler_free(lfm_sampler* sampler) { delete sampler; }

void lfm_sampler_accept_prompt(lfm_sampler* sampler, const int32_t* ids, size_t n_ids) {
  static_cast<void>(Guard(nullptr, [&]() -> Status {
    if (sampler && ids) sampler->sampler.AcceptPrompt(std::span(ids, n_ids));
    return lfm::Ok();
  }));
}

lfm_status lfm_sampler_sample(lfm_sampler* sampler, const lfm_session* session, int32_t* id, lfm_error* error) {
  if (id) *id = 0;
  return Guard(error, [&]() -> Status {
    if (!sampler || !session || !id) return NullPointer("an argument");
    return SampleAmong(*sampler, *session, {}, *id);
  });
}

lfm_status lfm_sampler_sample_masked(lfm_sampler* sampler, const lfm_session* session, const uint32_t* bits, size_t n_words,
                                     int32_t* id, lfm_error* error) {
  if (id) *id = 0;
  return Guard(error, [&]() -> Status {
    if (!sampler || !session || !bits || !id) return NullPointer("an argument");
    if (n_words != (sampler->n_vocab + 31) / 32) {
      return Error{ErrorCode::kInvalidArgument,
                   lfm::StrCat("n_words is ", n_words, "; a mask of this vocabulary has ", (sampler->n_vocab + 31) / 32)};
    }
    return SampleAmong(*sampler, *session, std::span(bits, n_words), *id);
  });
}

void lfm_generate_options_init(lfm_generate_options* options) {
  if (!options) return;
  *options = lfm_generate_options{sizeof(lfm_generate_options), -1, nullptr, 0, 0, 0, 0, nullptr, nullptr, nullptr, 0};
}

void lfm_generation_init(lfm_generation* generation) {
  if (!generation) return;
  *generation = lfm_generation{sizeof(lfm_generation), LFM_STOP_LENGTH, nullptr, 0, nullptr, 0, 0, 0, 0, 0};
}

lfm_status lfm_generate(lfm_session* session, const int32_t* prompt, size_t n_prompt, const lfm_sampling* sampling,
                        const lfm_generate_options* options, lfm_generation* out, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!session || !out) return NullPointer(session ? "out" : "session");
    if (out->size != sizeof(lfm_generation)) {
      return Error{ErrorCode::kInvalidArgument, "out is not set up; call lfm_generation_init()"};
    }
    LFM_TRY(const auto ids, Ids(prompt, n_prompt));
    lfm_generate_options defaults;
    lfm_generate_options_init(&defaults);
    LFM_TRY(const lfm_generate_options given, Versioned(options, defaults, "options"));
    engine::GenerationParams params;
    LFM_TRY(params.sampling, SamplingOf(sampling, session->session->model()));
    params.max_tokens = given.max_tokens;
    params.ignore_eos = given.ignore_eos != 0;
    if (given.show_special) params.special = lfm::text::StreamDecoder::Special::kAll;
    if (given.want_logprobs) params.n_logprobs = 0;
    if (given.n_stops > 0 && !given.stops) return NullPointer("options.stops");
    for (size_t i = 0; i < given.n_stops; ++i) {
      if (!given.stops[i]) return NullPointer("an entry of options.stops");
      params.stops.emplace_back(given.stops[i]);
    }
    if (given.grammar) {
      LFM_TRY(params.mask, MaskOf(given, session->session->model(), ids));
    }
    engine::TokenCallback callback;
    if (given.on_token) {
      callback = [&given](const engine::TokenInfo& info, std::string_view text) {
        const std::string ended(text);  // with its NUL
        const lfm_token token{sizeof(lfm_token), info.id, info.logprob, ended.c_str(), ended.size()};
        return given.on_token(given.user, &token) == 0;
      };
    }
    LFM_TRY(const auto generation, engine::Generate(*session->session, ids, params, callback));
    if (const Status done = CopyOut(generation.ids.data(), generation.ids.size(), &out->ids, &out->n_ids); !done.ok())
      return done.error();
    if (Status copied = CopyOut(generation.text.data(), generation.text.size(), &out->text, &out->length); !copied.ok()) {
      std::free(out->ids);
      out->ids = nullptr;
      return copied;
    }
    out->stop_reason = static_cast<lfm_stop_reason>(generation.stop_reason);
    out->n_prompt_read = generation.timings.n_prompt;
    out->n_prompt_reused = generation.timings.n_reused;
    out->prompt_ms = generation.timings.prompt_ms;
    out->predicted_ms = generation.timings.predicted_ms;
    return lfm::Ok();
  });
}

}  // extern "C"
