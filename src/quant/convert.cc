#include "quant/convert.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors_writer.h"
#include "kernels/float16.h"
#include "model/config.h"
#include "model/memory_check.h"
#include "quant/encode.h"
#include "quant/gguf_metadata.h"
#include "quant/hf_files.h"
#include "quant/mixes.h"
#include "quant/model_tensors.h"
#include "quant/write_tensor.h"

namespace lfm::quant {
namespace {

namespace fs = std::filesystem;
using formats::Checkpoint;
using formats::Naming;
using model::TensorField;

// The most frequent type among matrices, by elements.
TensorType MainType(const std::vector<ModelTensor>& tensors) {
  std::vector<std::pair<TensorType, int64_t>> counts;
  for (const ModelTensor& tensor : tensors) {
    if (tensor.always_f32()) continue;
    const TensorType type = tensor.source_type();
    auto at = std::find_if(counts.begin(), counts.end(), [&](const auto& count) { return count.first == type; });
    if (at == counts.end()) at = counts.insert(counts.end(), {type, 0});
    at->second += tensor.n_elements();
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? TensorType::kF32 : most->first;
}

Result<ConvertResult> ToGguf(const Checkpoint& source, const model::Config& config, const std::vector<ModelTensor>& tensors,
                             const std::string& out, Threads& threads, const ConvertOptions& options) {
  formats::GgufWriter writer;
  if (options.type) LFM_RETURN_IF_ERROR(CheckCanEncode(*options.type));
  const TensorType main_type = options.type.value_or(MainType(tensors));
  if (source.naming == Naming::kGguf) {
    writer.CopyMetadata(source.metadata);
  } else {
    LFM_RETURN_IF_ERROR(WriteMetadata(source, config, writer));
  }
  if (options.type || source.naming == Naming::kHuggingFace) {
    writer.SetU32("general.file_type", FileTypeNumber(main_type));
    if (InfoOf(main_type).quantized) writer.SetU32("general.quantization_version", 2);
  }
  std::vector<TensorType> types;
  for (const ModelTensor& tensor : tensors) {
    types.push_back(tensor.always_f32() ? TensorType::kF32
                    : options.type      ? FittingType(*options.type, tensor.k)
                                        : tensor.source_type());
    LFM_RETURN_IF_ERROR(writer.AddTensor({tensor.name, types.back(), tensor.shape}));
  }
  ConvertResult result;
  result.type_name = InfoOf(main_type).name;
  result.n_bytes = writer.FileBytes();
  LFM_RETURN_IF_ERROR(writer.Begin(out, options.progress));
  for (size_t i = 0; i < tensors.size(); ++i) {
    LFM_RETURN_IF_ERROR(WriteTensor(source, tensors[i], types[i], {}, threads,
                                    [&](std::span<const std::byte> bytes) { return writer.Append(bytes); }));
  }
  LFM_RETURN_IF_ERROR(writer.Finish());
  return result;
}

// One tensor of the folder: rows [first, first + n) of a model's tensor.
struct HfTensor {
  formats::TensorPlan plan;
  ModelTensor rows;
};

bool IsExact(const ModelTensor& tensor, TensorType type) {
  std::vector<float> row(static_cast<size_t>(tensor.k));
  for (int64_t i = 0; i < tensor.n_rows; ++i) {
    ReadRow(tensor, i, row.data());
    for (const float x : row) {
      const float back =
          type == TensorType::kF16 ? kernels::HalfToFloat(kernels::FloatToHalf(x)) : kernels::Bfloat16ToFloat(FloatToBfloat16(x));
      if (type != TensorType::kF32 && back != x) return false;
    }
  }
  return true;
}

TensorField SingleExpert(TensorField field) {
  switch (field) {
    case TensorField::kExpertsGate: return TensorField::kExpertGate;
    case TensorField::kExpertsUp: return TensorField::kExpertUp;
    case TensorField::kExpertsDown: return TensorField::kExpertDown;
    default: return field;
  }
}

// The folder's tensors: experts one by one, the convolution as [d, 1, taps].
std::vector<HfTensor> ListHfTensors(const std::vector<ModelTensor>& tensors, TensorType type) {
  std::vector<HfTensor> list;
  for (const ModelTensor& tensor : tensors) {
    const bool keep_f32 = tensor.field == TensorField::kExpertBias || (tensor.always_f32() && !IsExact(tensor, type));
    const TensorType written = keep_f32 ? TensorType::kF32 : type;
    const int64_t n_experts = tensor.n_experts(), rows = tensor.n_rows / n_experts;
    for (int64_t e = 0; e < n_experts; ++e) {
      HfTensor entry{{}, tensor};
      if (tensor.shape.size() == 3) {
        // Parts are either one tensor of all experts, or one of each.
        const RowRange& part = tensor.parts.size() == 1 ? tensor.parts[0] : tensor.parts[static_cast<size_t>(e)];
        const int64_t first = tensor.parts.size() == 1 ? part.first_row + e * rows : part.first_row;
        entry.rows.parts = {{part.tensor, first, rows}};
        entry.rows.n_rows = rows;
        entry.rows.shape = {rows, tensor.k};
      }
      std::vector<int64_t> shape = entry.rows.shape;
      if (tensor.field == TensorField::kConvTaps) shape.insert(shape.begin() + 1, 1);
      const bool is_expert = tensor.shape.size() == 3;
      entry.plan = {model::TensorName(SingleExpert(tensor.field), Naming::kHuggingFace, tensor.i_layer,
                                      is_expert ? static_cast<int>(e) : -1),
                    written, std::move(shape)};
      list.push_back(std::move(entry));
    }
  }
  return list;
}

// A folder that did not exist or was empty, and that is emptied again unless Keep() is called.
class NewFolder {
 public:
  static Result<NewFolder> Create(const std::string& path) {
    std::error_code failed;
    const bool existed = fs::exists(path, failed);
    if (existed && (!fs::is_directory(path, failed) || !fs::is_empty(path, failed))) {
      return Error{ErrorCode::kInvalidArgument, StrCat(path, " exists already; name a new folder, or a file that ends in .gguf")};
    }
    if (!existed && fs::is_symlink(path, failed)) {
      return Error{ErrorCode::kIo, StrCat("cannot write ", Plain(path), ": it is a link to something that is not there; ",
                                          "remove the link, or name the folder itself")};
    }
    if (!existed) fs::create_directories(path, failed);
    if (failed) return Error{ErrorCode::kIo, StrCat("cannot create ", path, ": ", failed.message())};
    return NewFolder(path, existed);
  }
  NewFolder(NewFolder&& other) noexcept
      : path_(std::move(other.path_)), existed_(other.existed_), files_(std::move(other.files_)),
        owns_(std::exchange(other.owns_, false)) {}
  NewFolder& operator=(NewFolder&&) = delete;
  ~NewFolder() {
    if (!owns_) return;
    std::error_code ignored;
    for (const std::string& file : files_) fs::remove(file, ignored);
    if (!existed_) fs::remove(path_, ignored);
  }

  // The path of a file that is going to be written here.
  std::string Add(const std::string& name) { return files_.emplace_back(path_ + "/" + name); }
  void Keep() { owns_ = false; }

 private:
  NewFolder(std::string path, bool existed) : path_(std::move(path)), existed_(existed) {}
  std::string path_;
  bool existed_;
  std::vector<std::string> files_;
  bool owns_ = true;
};

Result<ConvertResult> ToFolder(const Checkpoint& source, const model::Config& config, const std::vector<ModelTensor>& tensors,
                               const std::string& out, Threads& threads, const ConvertOptions& options) {
  ConvertResult result;
  TensorType type = options.type.value_or(MainType(tensors));
  if (InfoOf(type).quantized) {
    if (options.type) {
      return Error{ErrorCode::kInvalidArgument, StrCat("a Hugging Face folder cannot hold ", InfoOf(type).name,
                                                       "; use f32, f16 or bf16, or name an output that ends in .gguf")};
    }
    type = TensorType::kBF16;
    result.rounded = true;
  }
  // Files of JSON are made in memory: 65,536 tokens with their merges took 90 MiB. Groups of processes end those that take too
  // much without a word.
  constexpr uint64_t kEntryBytes = 700;
  LFM_TRY(const auto tokens, source.metadata.Strings("tokenizer.ggml.tokens"));
  LFM_TRY(const auto merges, source.metadata.Strings("tokenizer.ggml.merges"));
  LFM_RETURN_IF_ERROR(
      model::CheckMemoryFor(StrCat("the tokenizer.json of ", source.path), kEntryBytes * (tokens.size() + merges.size())));
  auto files = MakeHfFiles(source, config, type);
  if (!files.ok()) return files.error().Within(source.path);
  LFM_TRY(NewFolder folder, NewFolder::Create(out));

  const std::vector<HfTensor> list = ListHfTensors(tensors, type);
  formats::SafetensorsWriter writer;
  for (const HfTensor& tensor : list) LFM_RETURN_IF_ERROR(writer.AddTensor(tensor.plan));
  LFM_RETURN_IF_ERROR(writer.Begin(folder.Add("model.safetensors"), options.progress));
  for (const HfTensor& tensor : list) {
    LFM_RETURN_IF_ERROR(WriteTensor(source, tensor.rows, tensor.plan.type, {}, threads,
                                    [&](std::span<const std::byte> bytes) { return writer.Append(bytes); }));
  }
  LFM_RETURN_IF_ERROR(writer.Finish());
  for (const auto& [name, content] : *files) {
    LFM_TRY(AtomicFile file, AtomicFile::Create(folder.Add(name)));
    LFM_RETURN_IF_ERROR(file.Append(content));
    LFM_RETURN_IF_ERROR(file.Commit());
  }
  folder.Keep();
  result.type_name = InfoOf(type).name;
  result.n_bytes = writer.TensorBytes();
  return result;
}

}  // namespace

bool NamesGguf(const std::string& path) {
  std::string end = path.size() < 5 ? "" : path.substr(path.size() - 5);
  std::transform(end.begin(), end.end(), end.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return end == ".gguf";
}

Result<ConvertResult> Convert(const Checkpoint& source, const std::string& out, Threads& threads, const ConvertOptions& options) {
  LFM_TRY(const model::Config config, model::ReadConfig(source));
  LFM_TRY(const std::vector<ModelTensor> tensors, ListModelTensors(source, config));
  if (NamesGguf(out)) return ToGguf(source, config, tensors, out, threads, options);
  if (source.naming == Naming::kHuggingFace) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat(source.path, " is a Hugging Face folder already; name an output ", "that ends in .gguf")};
  }
  return ToFolder(source, config, tensors, out, threads, options);
}

}  // namespace lfm::quant
