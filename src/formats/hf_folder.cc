#include "formats/hf_folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/encoding.h"
#include "base/file.h"
#include "base/host.h"
#include "base/strings.h"
#include "formats/file_kind.h"
#include "formats/hf_tokenizer.h"
#include "formats/safetensors_reader.h"

namespace lfm::formats {
namespace {

constexpr size_t kMaxShards = 1000;

Result<Json> ReadJson(const std::string& path) {
  LFM_TRY(const std::string text, ReadWholeFile(path));
  // Values take several times their text, and a container ends without a word who takes more than it has.
  constexpr size_t kSmall = size_t{1} << 20, kTimes = 8;
  const MemoryState memory = text.size() > kSmall ? ReadMemory() : MemoryState();
  if (memory.limit_bytes > 0 && kTimes * text.size() > memory.available_bytes) {
    return Error{ErrorCode::kOutOfMemory,
                 StrCat(path, " needs ", HumanBytes(kTimes * text.size()), " of memory, and ", HumanBytes(memory.available_bytes),
                        " are free within the limit of ", HumanBytes(memory.limit_bytes), "; raise it, or take a .gguf file")};
  }
  auto json = ParseJson(text);
  if (json.ok()) return json;
  if (const Status encoding = CheckEncoding(text, path); !encoding.ok())
    return Error{ErrorCode::kCorrupt, encoding.error().message};
  // An LFS pointer or a login page in its place is a better explanation than a JSON error.
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  const FileKind kind = IdentifyFile(bytes);
  if (kind != FileKind::kJson && kind != FileKind::kText) {
    return Error{ErrorCode::kCorrupt, StrCat(path, " ", DescribeForeignFile(bytes, path))};
  }
  return Error{json.error().code, StrCat(path, ": ", json.error().message, "; download it again")};
}

// Whether the folder has something of this name, a link that leads nowhere too: opening it says what is wrong with it.
bool IsNamed(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

// Null when there is no such file.
Result<Json> ReadOptionalJson(const std::string& path) {
  if (!IsNamed(path)) return Json();
  return ReadJson(path);
}

// Up to a few file names of the folder that end in `suffix`, sorted.
std::vector<std::string> FilesEndingIn(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> names;
  DIR* dir = opendir(folder.c_str());
  if (!dir) return names;
  while (const dirent* entry = readdir(dir)) {
    if (std::string_view(entry->d_name).ends_with(suffix) && names.size() < 1000) names.emplace_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

// A folder that training wrote of an adapter has no configuration of a model, and one that was completed by hand no weights.
Error OnlyAdapter(const std::string& folder) {
  return {ErrorCode::kUnsupported, StrCat(folder, " holds an adapter (LoRA) and no model; merge it into its base model first")};
}

bool HasAdapter(const std::string& folder) { return !FilesEndingIn(folder, "adapter_config.json").empty(); }

Error NoConfig(const std::string& folder) {
  if (HasAdapter(folder)) return OnlyAdapter(folder);
  const auto gguf = FilesEndingIn(folder, ".gguf");
  if (!gguf.empty()) {
    return {ErrorCode::kInvalidArgument,
            StrCat(folder, " is a folder with ", gguf.size(), gguf.size() == 1 ? " GGUF file" : " GGUF files",
                   "; name the file: ", folder, folder.ends_with('/') ? "" : "/", gguf[0])};
  }
  return {ErrorCode::kNotFound, StrCat(folder,
                                       " holds no config.json, so it is no model folder; name a .gguf file or "
                                       "a folder with config.json and model.safetensors")};
}

Error NoWeights(const std::string& folder, const std::string& model_type) {
  if (!model_type.empty() && !model_type.starts_with("lfm2")) {
    return {ErrorCode::kUnsupported, StrCat(folder, "/config.json: model_type ", Quote(model_type),
                                            " is none of LFM2, which is all that lfm runs; the folder has no weights either")};
  }
  if (HasAdapter(folder)) return OnlyAdapter(folder);
  for (const std::string_view suffix : {".bin", ".pth", ".pt"}) {
    const auto pickles = FilesEndingIn(folder, suffix);
    if (!pickles.empty()) {
      return {ErrorCode::kUnsupported, StrCat(folder, " has its weights as a PyTorch pickle (", pickles[0],
                                              "), which lfm never opens; get the safetensors files or a .gguf file")};
    }
  }
  const auto partial = FilesEndingIn(folder, ".safetensors");
  if (!partial.empty()) {
    return {ErrorCode::kNotFound, StrCat(folder, " has ", partial[0],
                                         " but neither model.safetensors nor "
                                         "model.safetensors.index.json; download the missing file")};
  }
  return {ErrorCode::kNotFound, StrCat(folder, " has no model.safetensors; download the weights too")};
}

Result<std::vector<Tensor>> MapShard(const std::string& path, Checkpoint& model) {
  LFM_TRY(MappedFile file, MappedFile::Open(path));
  const FileKind kind = IdentifyFile(file.bytes());
  if (kind != FileKind::kSafetensors && kind != FileKind::kUnknown) {
    return Error{ErrorCode::kCorrupt, StrCat(path, " ", DescribeForeignFile(file.bytes(), path))};
  }
  auto tensors = ParseSafetensors(file.bytes(), &model.foreign_tensors);
  if (!tensors.ok()) {
    const Error& error = tensors.error();
    const bool has_advice = error.code != ErrorCode::kCorrupt || error.message.find("download") != std::string::npos;
    return Error{error.code, StrCat(path, ": ", error.message, has_advice ? "" : "; download it again")};
  }
  const auto i_file = static_cast<uint32_t>(model.files.size());
  for (Tensor& tensor : *tensors) tensor.i_file = i_file;
  model.n_bytes += file.bytes().size();
  model.files.push_back(std::move(file));
  return tensors;
}

Status OpenSingle(const std::string& path, Checkpoint& model) {
  LFM_TRY(model.tensors, MapShard(path, model));
  return Ok();
}

// weight_map of the index: tensor -> shard. Tensors that a shard holds but the map does not assign to it are
// left out.
Status OpenShards(const std::string& folder, const std::string& index_path, Checkpoint& model) {
  LFM_TRY(const Json index, ReadJson(index_path));
  const Json& map = index["weight_map"];
  if (!map.is_object() || map.members().empty()) {
    return Error{ErrorCode::kCorrupt, StrCat(index_path, ": \"weight_map\" is missing or empty; download it again")};
  }
  std::map<std::string, size_t> shards;  // sorted: the shards' numbers are in their names
  std::unordered_map<std::string_view, std::string_view> shard_of;
  for (const auto& [name, shard] : map.members()) {
    const std::string& file = shard.AsString();
    if (file.empty() || file.find('/') != std::string::npos || file.starts_with(".")) {
      return Error{ErrorCode::kCorrupt, StrCat(index_path, ": tensor ", Quote(name), " is mapped to ", Quote(file),
                                               ", which is no file name; download it again")};
    }
    if (!shard_of.emplace(name, file).second) {
      return Error{ErrorCode::kCorrupt, StrCat(index_path, ": tensor ", Quote(name), " appears twice")};
    }
    ++shards[file];
  }
  if (shards.size() > kMaxShards) {
    return Error{ErrorCode::kLimit, StrCat(index_path, " names ", shards.size(), " shards; at most ", kMaxShards, " are read")};
  }
  for (const auto& [file, n_expected] : shards) {
    if (!IsNamed(folder + "/" + file)) {
      return Error{ErrorCode::kNotFound, StrCat(index_path, " names ", Quote(file), ", which is not in the folder; download it")};
    }
    const size_t n_foreign = model.foreign_tensors.size();
    LFM_TRY(auto tensors, MapShard(folder + "/" + file, model));
    size_t n_found = model.foreign_tensors.size() - n_foreign;
    for (Tensor& tensor : tensors) {
      const auto assigned = shard_of.find(tensor.name);
      if (assigned == shard_of.end() || assigned->second != file) continue;
      model.tensors.push_back(std::move(tensor));
      ++n_found;
    }
    if (n_found != n_expected) {
      return Error{ErrorCode::kCorrupt, StrCat(folder, "/", file, " holds ", n_found, " of the ", n_expected, " tensors that ",
                                               index_path, " expects in it; download both again")};
    }
  }
  return Ok();
}

}  // namespace

Result<Checkpoint> OpenHfTexts(const std::string& folder) {
  Checkpoint model;
  model.naming = Naming::kHuggingFace;
  model.path = folder;
  LFM_TRY(model.config, ReadOptionalJson(folder + "/config.json"));
  LFM_TRY(model.generation_config, ReadOptionalJson(folder + "/generation_config.json"));
  LFM_TRY(model.tokenizer, ReadOptionalJson(folder + "/tokenizer.json"));
  LFM_TRY(model.tokenizer_config, ReadOptionalJson(folder + "/tokenizer_config.json"));
  LFM_RETURN_IF_ERROR(ReadChatTemplates(folder, model));
  LFM_TRY(const Json special_tokens_map, ReadOptionalJson(folder + "/special_tokens_map.json"));
  LFM_TRY(const Json added_tokens, ReadOptionalJson(folder + "/added_tokens.json"));
  CompleteTokenizer(special_tokens_map, added_tokens, model.tokenizer, model.tokenizer_config);
  const Json& named = model.config["tokenizer_class"];  // counts where the tokenizer's own file names none
  if (named.is_string() && model.tokenizer_config.is_object() && model.tokenizer_config["tokenizer_class"].is_null()) {
    model.tokenizer_config.Set("tokenizer_class", named);
  }
  if (model.config.is_null() && model.tokenizer.is_null()) return NoConfig(folder);
  return model;
}

Result<Checkpoint> OpenHfFolder(const std::string& folder) {
  if (!IsNamed(folder + "/config.json")) return NoConfig(folder);
  LFM_TRY(Checkpoint model, OpenHfTexts(folder));
  if (!model.config.is_object()) {
    return Error{ErrorCode::kCorrupt, StrCat(folder, "/config.json is no JSON object; download it again")};
  }

  const std::string single = folder + "/model.safetensors", index = single + ".index.json";
  if (IsNamed(single)) {
    LFM_RETURN_IF_ERROR(OpenSingle(single, model));
  } else if (IsNamed(index)) {
    LFM_RETURN_IF_ERROR(OpenShards(folder, index, model));
  } else {
    return NoWeights(folder, model.config["model_type"].AsString());
  }
  model.IndexTensors();
  return model;
}

}  // namespace lfm::formats
