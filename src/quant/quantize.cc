#include "quant/quantize.h"

#include "base/strings.h"
#include "formats/gguf_writer.h"
#include "model/config.h"
#include "quant/encode.h"
#include "quant/gguf_metadata.h"
#include "quant/mixes.h"
#include "quant/model_tensors.h"
#include "quant/name_pattern.h"
#include "quant/write_tensor.h"

namespace lfm::quant {
namespace {

using formats::Checkpoint;
using formats::Naming;

// The override of each tensor, if any.
Result<std::vector<std::optional<TensorType>>> Overrides(const std::vector<ModelTensor>& tensors,
                                                         const QuantizeOptions& options) {
  std::vector<std::optional<TensorType>> types(tensors.size());
  for (const auto& [pattern, type] : options.overrides) {
    bool any = false;
    LFM_RETURN_IF_ERROR(CheckCanEncode(type));
    const auto names = NamePattern::Parse(pattern);
    if (!names.ok()) return names.error().Within("types by name");
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!names->Matches(tensors[i].name)) continue;
      any = true;
      if (tensors[i].always_f32() || types[i]) continue;
      types[i] = FittingType(type, tensors[i].k);
    }
    if (!any) {
      return Error{ErrorCode::kInvalidArgument, StrCat("types by name: no tensor's name matches ", Quote(pattern))};
    }
  }
  return types;
}

struct Target {
  std::vector<TensorType> types;
  uint32_t file_type = 0;
};

Result<Target> TypesByName(const std::vector<ModelTensor>& tensors, const model::Config& config, const QuantizeOptions& options) {
  Target target;
  const auto mix = FindMix(options.type);
  if (mix.ok()) {
    target.types = TypesOfMix(*mix, tensors, config, options.imatrix != nullptr);
    target.file_type = mix->file_type;
    return target;
  }
  const auto type = TensorTypeFromName(options.type);
  if (!type) return mix.error();
  LFM_RETURN_IF_ERROR(CheckCanEncode(*type));
  for (const ModelTensor& tensor : tensors) {
    target.types.push_back(tensor.always_f32() ? TensorType::kF32 : FittingType(*type, tensor.k));
  }
  target.file_type = FileTypeNumber(*type);
  return target;
}

// The number of the type that holds most elements: what general.file_type says of a plan's file.
uint32_t MainFileType(const std::vector<ModelTensor>& tensors, const std::vector<TensorType>& types) {
  TensorType main = TensorType::kF32;
  int64_t most = -1;
  for (const TensorType type : types) {
    int64_t n = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (types[i] == type && !tensors[i].always_f32()) n += tensors[i].n_elements();
    }
    if (n > most) {
      most = n;
      main = type;
    }
  }
  return FileTypeNumber(main);
}

Status Declare(const std::vector<ModelTensor>& tensors, const std::vector<TensorType>& types, formats::GgufWriter& writer) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    LFM_RETURN_IF_ERROR(writer.AddTensor({tensors[i].name, types[i], tensors[i].shape}));
  }
  return Ok();
}

Status WriteHeaderKeys(const Checkpoint& source, const model::Config& config, const QuantizeOptions& options,
                       formats::GgufWriter& writer) {
  if (source.naming == Naming::kGguf) {
    writer.CopyMetadata(source.metadata);
  } else {
    LFM_RETURN_IF_ERROR(WriteMetadata(source, config, writer));
  }
  writer.SetU32("general.quantization_version", 2);
  if (options.imatrix) {
    writer.SetString("quantize.imatrix.file", options.imatrix_path);
    if (!options.imatrix->datasets.empty()) writer.SetString("quantize.imatrix.dataset", options.imatrix->datasets[0]);
    writer.SetU32("quantize.imatrix.entries_count", static_cast<uint32_t>(options.imatrix->entries.size()));
    writer.SetU32("quantize.imatrix.chunks_count", options.imatrix->n_chunks);
  }
  return Ok();
}

// At most so many bytes of the file are no tensor data: header, padding.
uint64_t OverheadBytes(const formats::GgufWriter& header, const std::vector<ModelTensor>& tensors) {
  uint64_t n = header.FileBytes() + 32;
  for (const ModelTensor& tensor : tensors) n += tensor.name.size() + 24 + 8 * tensor.shape.size() + 32;
  return n;
}

}  // namespace

Result<QuantizeResult> Quantize(const Checkpoint& source, const std::string& out, Threads& threads,
                                const QuantizeOptions& options) {
  LFM_TRY(const model::Config config, model::ReadConfig(source));
  LFM_TRY(const std::vector<ModelTensor> tensors, ListModelTensors(source, config));
  LFM_TRY(const auto overrides, Overrides(tensors, options));
  formats::GgufWriter writer;
  LFM_RETURN_IF_ERROR(WriteHeaderKeys(source, config, options, writer));

  Target target;
  QuantizeResult result;
  if (options.goal.n_bytes || options.goal.kl) {
    PlanGoal goal = options.goal;
    if (goal.n_bytes) {
      const uint64_t overhead = OverheadBytes(writer, tensors);
      goal.n_bytes = *goal.n_bytes > overhead ? *goal.n_bytes - overhead : 0;
    }
    MeasuredErrors own;
    LFM_TRY(const Plan plan, MakePlan(source, tensors, overrides, options.imatrix, goal,
                                      options.measured ? *options.measured : own, threads, options.plan_progress));
    result.plan_error = plan.error;
    target.types = plan.types;
    target.file_type = MainFileType(tensors, plan.types);
    if (options.on_plan) options.on_plan(plan, tensors);
  } else {
    LFM_TRY(target, TypesByName(tensors, config, options));
    for (size_t i = 0; i < tensors.size(); ++i) target.types[i] = overrides[i].value_or(target.types[i]);
  }
  writer.SetU32("general.file_type", target.file_type);
  LFM_RETURN_IF_ERROR(Declare(tensors, target.types, writer));

  result.n_bytes = writer.FileBytes();
  LFM_RETURN_IF_ERROR(writer.Begin(out, options.progress));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ModelTensor& tensor = tensors[i];
    result.n_source_bytes += static_cast<uint64_t>(tensor.n_rows) * RowBytes(tensor.source_type(), static_cast<size_t>(tensor.k));
    std::vector<float> importance;
    if (options.imatrix && InfoOf(target.types[i]).quantized) {
      LFM_TRY(importance, options.imatrix->Importance(tensor.name, tensor.n_experts(), tensor.k));
      if (importance.empty()) result.without_importance.push_back(tensor.name);
    }
    LFM_RETURN_IF_ERROR(WriteTensor(source, tensor, target.types[i], importance, threads,
                                    [&](std::span<const std::byte> bytes) { return writer.Append(bytes); }));
  }
  LFM_RETURN_IF_ERROR(writer.Finish());
  return result;
}

}  // namespace lfm::quant
