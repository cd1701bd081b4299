// The C ABI of include/lfm/lfm.h: models and text. Nothing but conversion, checks of pointers, and catching.
#include "engine/c_api_internal.h"
#include "engine/chat_prompt.h"
#include "engine/describe.h"

#ifndef LFM_VERSION
#define LFM_VERSION "0.0.0"
#endif

namespace {

using namespace lfm::c_api;  // NOLINT(google-build-using-namespace): this file is that namespace's purpose
using lfm::Error;
using lfm::ErrorCode;
using lfm::Result;
using lfm::Status;
using lfm::StrCat;
namespace engine = lfm::engine;

Result<engine::LoadOptions> LoadOptionsOf(const lfm_model_options& given) {
  engine::LoadOptions options;
  const auto compute = static_cast<int>(given.compute), kv_type = static_cast<int>(given.kv_type);
  if (compute < LFM_COMPUTE_AUTO || compute > LFM_COMPUTE_F32) {
    return Error{ErrorCode::kInvalidArgument, StrCat("options.compute is ", compute, ", no lfm_compute")};
  }
  if (kv_type < LFM_KV_DEFAULT || kv_type > LFM_KV_I16) {
    return Error{ErrorCode::kInvalidArgument, StrCat("options.kv_type is ", kv_type, ", no lfm_kv_type")};
  }
  if (given.compute == LFM_COMPUTE_F32) options.compute = lfm::model::Compute::kF32;
  if (given.kv_type == LFM_KV_F16) options.kv_type = lfm::kernels::KvType::kF16;
  if (given.kv_type == LFM_KV_F32) options.kv_type = lfm::kernels::KvType::kF32;
  if (given.kv_type == LFM_KV_Q8_0) options.kv_type = lfm::kernels::KvType::kQ8_0;
  if (given.kv_type == LFM_KV_I16) options.kv_type = lfm::kernels::KvType::kI16;
  if (given.isa) options.isa = given.isa;
  if (given.progress) {
    options.progress = [progress = given.progress, user = given.user](uint64_t done, uint64_t total) {
      return progress(user, done, total) == 0;
    };
  }
  return options;
}

}  // namespace

extern "C" {

const char* lfm_version(void) { return LFM_VERSION; }

void lfm_free(void* memory) { std::free(memory); }

void lfm_model_options_init(lfm_model_options* options) {
  if (!options) return;
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
    *out = new lfm_model{std::move(loaded), info.Dump(), {}, nullptr};
    return lfm::Ok();
  });
}

void lfm_model_free(lfm_model* model) { delete model; }

int32_t lfm_model_vocab_size(const lfm_model* model) { return model ? model->loaded->config().vocab_size : 0; }
int64_t lfm_model_context_length(const lfm_model* model) { return model ? model->loaded->config().context_length : 0; }

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
    const auto encoded =
        model->loaded->text().tokenizer.Encode(std::string_view(text ? text : "", length), add_special != 0, parse_special != 0);
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
  return model && model->loaded->text_status().ok() && model->loaded->text().tokenizer.IsEndOfGeneration(id) ? 1 : 0;
}

lfm_status lfm_render(const lfm_model* model, const char* request, size_t length, char** prompt, size_t* prompt_length,
                      lfm_error* error) {
  if (prompt) *prompt = nullptr;
  if (prompt_length) *prompt_length = 0;
  return Guard(error, [&]() -> Status {
    if (!model || !request || !prompt || !prompt_length) return NullPointer("an argument");
    if (const Status done = model->loaded->text_status(); !done.ok()) return done.error();
    auto json = lfm::ParseJson(std::string_view(request, length));
    if (!json.ok()) return Error{ErrorCode::kInvalidArgument, StrCat("request: ", json.error().message)};
    LFM_TRY(const auto chat, engine::ChatRequestFromJson(*json));
    LFM_TRY(const std::string rendered, engine::RenderPrompt(model->loaded->text(), chat));
    return CopyOut(rendered.data(), rendered.size(), prompt, prompt_length);
  });
}

lfm_status lfm_prompt_ids(const lfm_model* model, const char* request, size_t length, int32_t** ids, size_t* n_ids,
                          lfm_error* error) {
  if (ids) *ids = nullptr;
  if (n_ids) *n_ids = 0;
  return Guard(error, [&]() -> Status {
    if (!model || !request || !ids || !n_ids) return NullPointer("an argument");
    if (const Status done = model->loaded->text_status(); !done.ok()) return done.error();
    auto json = lfm::ParseJson(std::string_view(request, length));
    if (!json.ok()) return Error{ErrorCode::kInvalidArgument, StrCat("request: ", json.error().message)};
    LFM_TRY(const auto chat, engine::ChatRequestFromJson(*json));
    LFM_TRY(const auto prompt, engine::PromptIds(model->loaded->text(), chat));
    return CopyOut(prompt.ids.data(), prompt.ids.size(), ids, n_ids);
  });
}

}  // extern "C"
