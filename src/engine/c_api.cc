// The C ABI of include/lfm/lfm.h over the engine. Nothing but conversion, checks of pointers, and catching.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "base/strings.h"
#include "engine/chat_prompt.h"
#include "engine/describe.h"
#include "engine/generate.h"
#include "engine/loaded_model.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "lfm/lfm.h"

// The variable of LFM_RETURN_IF_ERROR has the name of a type of the C ABI.
#pragma GCC diagnostic ignored "-Wshadow"

#ifndef LFM_VERSION
#define LFM_VERSION "0.0.0"
#endif

// NOLINTBEGIN(readability-identifier-naming): the names of the C ABI
struct lfm_model {
  std::shared_ptr<lfm::engine::LoadedModel> loaded;
  std::string info;  // JSON
};

struct lfm_session {
  std::unique_ptr<lfm::Threads> threads;  // outlives the session
  std::unique_ptr<lfm::engine::Session> session;
};

struct lfm_sampler {
  lfm::engine::Sampler sampler;
  std::vector<float> scratch;
};
// NOLINTEND(readability-identifier-naming)

namespace {

using lfm::Error;
using lfm::ErrorCode;
using lfm::Result;
using lfm::Status;
using lfm::StrCat;
namespace engine = lfm::engine;

constexpr int32_t kMaxThreads = 1024;

lfm_status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return LFM_INVALID_ARGUMENT;
    case ErrorCode::kNotFound: return LFM_NOT_FOUND;
    case ErrorCode::kCorrupt: return LFM_CORRUPT;
    case ErrorCode::kUnsupported: return LFM_UNSUPPORTED;
    case ErrorCode::kLimit: return LFM_LIMIT;
    case ErrorCode::kOutOfMemory: return LFM_OUT_OF_MEMORY;
    case ErrorCode::kIo: return LFM_IO;
    case ErrorCode::kCancelled: return LFM_CANCELLED;
    case ErrorCode::kInternal: return LFM_INTERNAL;
  }
  return LFM_INTERNAL;
}

lfm_status Fill(lfm_error* error, lfm_status status, std::string_view message) {
  if (error) {
    error->status = status;
    const size_t n = std::min(message.size(), sizeof error->message - 1);
    std::memcpy(error->message, message.data(), n);
    error->message[n] = 0;
  }
  return status;
}

// Runs a function that returns Status and turns whatever it reports or throws into a status.
template <typename Body>
lfm_status Guard(lfm_error* error, Body&& body) noexcept {
  try {
    const Status status = body();
    if (status.ok()) return Fill(error, LFM_OK, "");
    return Fill(error, StatusOf(status.error().code), status.error().message);
  } catch (const std::bad_alloc&) {
    return Fill(error, LFM_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& caught) {
    return Fill(error, LFM_INTERNAL, caught.what());
  } catch (...) {
    return Fill(error, LFM_INTERNAL, "unknown error in a callback");
  }
}

Error NullPointer(const char* name) { return {ErrorCode::kInvalidArgument, StrCat(name, " is NULL")}; }

// The caller's struct of `size` bytes over our defaults: members that it does not know keep them.
template <typename T>
Result<T> Versioned(const T* given, const T& defaults, const char* name) {
  T value = defaults;
  if (!given) return value;
  if (given->size < sizeof(size_t) || given->size > 4096) {
    return Error{ErrorCode::kInvalidArgument, StrCat(name, ".size is ", given->size, "; set it up by its _init function")};
  }
  std::memcpy(static_cast<void*>(&value), given, std::min(given->size, sizeof(T)));
  value.size = sizeof(T);
  return value;
}

// A malloc'ed copy with a zero element behind it.
template <typename T>
Status CopyOut(const T* data, size_t n, T** out, size_t* length) {
  T* copy = static_cast<T*>(std::malloc((n + 1) * sizeof(T)));
  if (!copy) return Error{ErrorCode::kOutOfMemory, "out of memory"};
  if (n > 0) std::memcpy(copy, data, n * sizeof(T));
  copy[n] = T{};
  *out = copy;
  if (length) *length = n;
  return lfm::Ok();
}

Result<std::unique_ptr<lfm::Threads>> MakeThreads(int32_t n) {
  if (n < 0 || n > kMaxThreads) {
    return Error{ErrorCode::kInvalidArgument, StrCat("n_threads is ", n, "; it must be 0 to ", kMaxThreads)};
  }
  return std::make_unique<lfm::Threads>(n == 0 ? lfm::DefaultThreadCount() : static_cast<int>(n));
}

Result<engine::LoadOptions> LoadOptionsOf(const lfm_model_options& given) {
  engine::LoadOptions options;
  if (given.compute == LFM_COMPUTE_F32) options.compute = lfm::model::Compute::kF32;
  if (given.kv_type == LFM_KV_F16) options.kv_type = lfm::kernels::KvType::kF16;
  if (given.kv_type == LFM_KV_F32) options.kv_type = lfm::kernels::KvType::kF32;
  if (given.kv_type == LFM_KV_Q8_0) options.kv_type = lfm::kernels::KvType::kQ8_0;
  if (given.isa) options.isa = given.isa;
  if (given.progress) {
    options.progress = [progress = given.progress, user = given.user](uint64_t done, uint64_t total) {
      return progress(user, done, total) == 0;
    };
  }
  return options;
}

lfm_sampling DefaultsOf(const engine::LoadedModel* model) {
  const bool has_text = model && model->text_status().ok();
  const engine::SamplingParams p = has_text ? model->text().sampling : engine::SamplingParams{};
  return {sizeof(lfm_sampling), p.temperature, p.top_k, p.top_p, p.min_p, p.typical_p,
          p.repetition_penalty, p.presence_penalty, p.frequency_penalty, p.seed, nullptr, 0};
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

Result<std::span<const int32_t>> Ids(const int32_t* ids, size_t n) {
  if (n > 0 && !ids) return NullPointer("ids");
  return std::span<const int32_t>(ids, n);
}

}  // namespace

extern "C" {

const char* lfm_version(void) { return LFM_VERSION; }

void lfm_free(void* memory) { std::free(memory); }

void lfm_model_options_init(lfm_model_options* options) {
  *options = lfm_model_options{sizeof(lfm_model_options), 0, LFM_COMPUTE_AUTO, LFM_KV_DEFAULT, nullptr, nullptr, nullptr};
}

lfm_status lfm_model_load(const char* path, const lfm_model_options* options, lfm_model** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!path) return NullPointer("path");
    if (!out) return NullPointer("out");
    lfm_model_options defaults;
    lfm_model_options_init(&defaults);
    LFM_TRY(const lfm_model_options given, Versioned(options, defaults, "options"));
    LFM_TRY(const auto load, LoadOptionsOf(given));
    LFM_TRY(const auto threads, MakeThreads(given.n_threads));
    LFM_TRY(const auto checkpoint, lfm::formats::OpenCheckpoint(path));
    LFM_TRY(const auto description, engine::Describe(checkpoint));
    LFM_TRY(const lfm::Json info, engine::DescriptionJson(description, load.isa));
    LFM_TRY(auto loaded, engine::LoadedModel::Load(checkpoint, *threads, load));
    *out = new lfm_model{std::move(loaded), info.Dump()};
    return lfm::Ok();
  });
}

void lfm_model_free(lfm_model* model) { delete model; }

int32_t lfm_model_vocab_size(const lfm_model* model) { return model->loaded->config().vocab_size; }
int64_t lfm_model_context_length(const lfm_model* model) { return model->loaded->config().context_length; }

lfm_status lfm_model_info(const lfm_model* model, char** json, size_t* length, lfm_error* error) {
  if (json) *json = nullptr;
  return Guard(error, [&]() -> Status {
    if (!model || !json) return NullPointer(model ? "json" : "model");
    return CopyOut(model->info.data(), model->info.size(), json, length);
  });
}

lfm_status lfm_tokenize(const lfm_model* model, const char* text, size_t length, int add_special, int parse_special,
                        int32_t** ids, size_t* n_ids, lfm_error* error) {
  if (ids) *ids = nullptr;
  if (n_ids) *n_ids = 0;
  return Guard(error, [&]() -> Status {
    if (!model || !ids || !n_ids) return NullPointer("an argument");
    if (!text && length > 0) return NullPointer("text");
    if (const Status done = model->loaded->text_status(); !done.ok()) return done.error();
    const auto encoded = model->loaded->text().tokenizer.Encode(std::string_view(text ? text : "", length),
                                                                add_special != 0, parse_special != 0);
    return CopyOut(encoded.data(), encoded.size(), ids, n_ids);
  });
}

lfm_status lfm_detokenize(const lfm_model* model, const int32_t* ids, size_t n_ids, char** bytes, size_t* length,
                          lfm_error* error) {
  if (bytes) *bytes = nullptr;
  if (length) *length = 0;
  return Guard(error, [&]() -> Status {
    if (!model || !bytes || !length) return NullPointer("an argument");
    LFM_TRY(const auto list, Ids(ids, n_ids));
    if (const Status done = model->loaded->text_status(); !done.ok()) return done.error();
    const std::string text = model->loaded->text().tokenizer.Decode(list);
    return CopyOut(text.data(), text.size(), bytes, length);
  });
}

int lfm_is_end_of_generation(const lfm_model* model, int32_t id) {
  return model->loaded->text_status().ok() && model->loaded->text().tokenizer.IsEndOfGeneration(id) ? 1 : 0;
}

lfm_status lfm_render(const lfm_model* model, const char* request, size_t length, char** prompt,
                      size_t* prompt_length, lfm_error* error) {
  if (prompt) *prompt = nullptr;
  if (prompt_length) *prompt_length = 0;
  return Guard(error, [&]() -> Status {
    if (!model || !request || !prompt || !prompt_length) return NullPointer("an argument");
    if (const Status done = model->loaded->text_status(); !done.ok()) return done.error();
    auto json = lfm::ParseJson(std::string_view(request, length));
    if (!json.ok()) return Error{ErrorCode::kInvalidArgument, StrCat("request: ", json.error().message)};
    LFM_TRY(const auto chat, engine::ChatRequestFromJson(*json));
    const engine::TextModel& text = model->loaded->text();
    if (!text.chat.ok()) return text.chat.error();
    LFM_TRY(const std::string rendered, engine::RenderPrompt(*text.chat, chat));
    return CopyOut(rendered.data(), rendered.size(), prompt, prompt_length);
  });
}

void lfm_session_options_init(lfm_session_options* options) {
  const engine::SessionOptions defaults;
  *options = lfm_session_options{sizeof(lfm_session_options), defaults.n_ctx, defaults.n_chunk, 0};
}

lfm_status lfm_session_create(lfm_model* model, const lfm_session_options* options, lfm_session** out,
                              lfm_error* error) {
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

int64_t lfm_session_n_tokens(const lfm_session* session) { return session->session->n_tokens(); }

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

lfm_status lfm_session_set_prompt(lfm_session* session, const int32_t* ids, size_t n_ids, int64_t* n_kept,
                                  lfm_error* error) {
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
  *sampling = DefaultsOf(model ? model->loaded.get() : nullptr);
}

lfm_status lfm_sampler_create(const lfm_model* model, const lfm_sampling* sampling, lfm_sampler** out,
                              lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!model || !out) return NullPointer(model ? "out" : "model");
    LFM_TRY(auto params, SamplingOf(sampling, *model->loaded));
    *out = new lfm_sampler{engine::Sampler(std::move(params), model->loaded->config().vocab_size), {}};
    return lfm::Ok();
  });
}

void lfm_sampler_free(lfm_sampler* sampler) { delete sampler; }

void lfm_sampler_accept_prompt(lfm_sampler* sampler, const int32_t* ids, size_t n_ids) {
  if (sampler && ids) sampler->sampler.AcceptPrompt(std::span(ids, n_ids));
}

lfm_status lfm_sampler_sample(lfm_sampler* sampler, const lfm_session* session, int32_t* id, lfm_error* error) {
  if (id) *id = 0;
  return Guard(error, [&]() -> Status {
    if (!sampler || !session || !id) return NullPointer("an argument");
    const auto logits = session->session->logits();
    if (logits.empty()) {
      return Error{ErrorCode::kInvalidArgument, "the session has no logits; let it read a token first"};
    }
    sampler->scratch.assign(logits.begin(), logits.end());
    *id = sampler->sampler.Sample(sampler->scratch);
    sampler->sampler.Accept(*id);
    return lfm::Ok();
  });
}

void lfm_generate_options_init(lfm_generate_options* options) {
  *options = lfm_generate_options{sizeof(lfm_generate_options), -1, nullptr, 0, 0, 0, 0, nullptr, nullptr};
}

void lfm_generation_init(lfm_generation* generation) {
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
    for (size_t i = 0; i < given.n_stops; ++i) params.stops.emplace_back(given.stops[i]);
    engine::TokenCallback callback;
    if (given.on_token) {
      callback = [&given](const engine::TokenInfo& info, std::string_view text) {
        const std::string ended(text);  // with its NUL
        const lfm_token token{sizeof(lfm_token), info.id, info.logprob, ended.c_str(), ended.size()};
        return given.on_token(given.user, &token) == 0;
      };
    }
    LFM_TRY(const auto generation, engine::Generate(*session->session, ids, params, callback));
    if (const Status done = CopyOut(generation.ids.data(), generation.ids.size(), &out->ids, &out->n_ids); !done.ok()) return done.error();
    if (Status copied = CopyOut(generation.text.data(), generation.text.size(), &out->text, &out->length);
        !copied.ok()) {
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
