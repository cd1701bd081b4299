#include "server/model_facts.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/hash.h"
#include "base/strings.h"
#include "base/tensor_type.h"
#include "classify/fingerprint.h"
#include "engine/describe.h"
#include "formats/packed_file.h"
#include "kernels/names.h"
#include "server/grammar_set.h"

namespace lfm::server {
namespace {

constexpr size_t kSmallTensor = 64 << 10;
constexpr size_t kMaxPriceFile = 1 << 20;
constexpr size_t kMaxNameBytes = 200;

// OpenRouter's word for a file type, where it has one.
std::string QuantizationName(const std::string& file_type) {
  constexpr std::pair<std::string_view, const char*> kNames[] = {{"F32", "fp32"}, {"F16", "fp16"}, {"BF16", "bf16"},
                                                                 {"Q8", "int8"},  {"Q4", "int4"},  {"IQ4", "int4"}};
  for (const auto& [prefix, name] : kNames) {
    if (file_type.starts_with(prefix)) return name;
  }
  return "";
}

int64_t FileTime(const std::string& path) {
  std::error_code error;
  const auto written = std::filesystem::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(written);
  return std::chrono::duration_cast<std::chrono::seconds>(system.time_since_epoch()).count();
}

Status AddName(std::vector<std::string>& names, const std::string& name, const char* what) {
  if (name.empty() || name.size() > kMaxNameBytes || ToValidUtf8(name) != name) {
    return Error{ErrorCode::kInvalidArgument, StrCat(what, " ", Quote(name), " must be UTF-8 of 1 to ", kMaxNameBytes, " bytes")};
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return {};
}

Result<std::optional<Prices>> FindPrices(const std::vector<std::string>& names, const std::string& price_file) {
  Json document;
  if (!price_file.empty()) {
    LFM_TRY(const std::string text, ReadWholeFile(price_file, kMaxPriceFile));
    auto parsed = ParseJson(text, {.max_depth = 8});
    if (!parsed.ok()) return parsed.error().Within(price_file);
    document = std::move(parsed).value();
  }
  for (const std::string& name : names) {
    if (price_file.empty()) {
      if (const auto prices = CardPrices(name)) return prices;
      continue;
    }
    auto prices = ReadPrices(document, name);
    if (!prices.ok()) return prices.error().Within(price_file);
    if (*prices) return prices;
  }
  return std::optional<Prices>();
}

}  // namespace

std::string WeightsHash(const formats::Checkpoint& checkpoint) {
  uint64_t hash = 0;
  const auto add = [&](std::span<const std::byte> bytes) { hash = Hash64(bytes, hash); };
  for (const formats::Tensor& tensor : checkpoint.tensors) {
    std::string head = StrCat(tensor.name, " ", InfoOf(tensor.type).name);
    for (const int64_t n : tensor.shape) head += StrCat(" ", n);
    add(std::as_bytes(std::span(head)));
    if (tensor.bytes.size() <= kSmallTensor) add(tensor.bytes);
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[hash >> shift & 15];
  return text;
}

Result<ServedModel> DescribeServed(const engine::LoadedModel& model, const formats::Checkpoint& checkpoint,
                                   const ServedOptions& options) {
  if (const Status& status = model.text_status(); !status.ok()) return status.error();
  LFM_TRY(const engine::Description description, engine::Describe(checkpoint));
  ServedModel served;
  served.text = &model.text();
  std::string id = options.id.empty() ? description.name : options.id;
  if (id.empty()) id = std::filesystem::path(model.path()).stem().string();
  LFM_RETURN_IF_ERROR(AddName(served.names, id, "the model's name"));
  for (const std::string& alias : options.aliases) LFM_RETURN_IF_ERROR(AddName(served.names, alias, "the alias"));
  served.any_name = options.any_name;
  served.n_ctx = options.n_ctx > 0 ? options.n_ctx : description.config.context_length;
  served.vocab_size = static_cast<int32_t>(description.config.vocab_size);
  served.sampling = model.text().sampling;
  // All that answers depend on beside the request: the build, the weights, and how is computed with them.
  served.fingerprint = StrCat("b", options.version, "-w", WeightsHash(checkpoint), "-n", formats::kNumericsVersion,
                              model.network().compute == model::Compute::kF32 ? "-f32-" : "-",
                              kernels::kKvTypeNames[static_cast<size_t>(model.kv_type())]);
  served.weights_key = classify::ModelFingerprint(checkpoint);
  served.grammars = std::make_shared<GrammarSet>(served.text->tokenizer, served.vocab_size);
  served.created = FileTime(model.path());
  served.path = std::filesystem::path(model.path()).filename().string();
  served.quantization = QuantizationName(description.config.file_type);
  for (const std::string& name : served.names) {
    if (CardPrices(name)) served.hugging_face_id = "LiquidAI/LFM2-8B-A1B";
  }
  served.meta = Json::MakeObject({{"n_vocab", int64_t{served.vocab_size}},
                                  {"n_ctx", served.n_ctx},
                                  {"n_ctx_train", int64_t{description.config.context_length}},
                                  {"n_embd", int64_t{description.config.d_model}},
                                  {"n_params", description.parameters},
                                  {"n_active_params", description.active_parameters},
                                  {"size", description.file_bytes},
                                  {"file_type", description.config.file_type}});
  LFM_TRY(served.pricing.prices, FindPrices(served.names, options.price_file));
  return served;
}

}  // namespace lfm::server
