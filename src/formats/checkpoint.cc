#include "formats/checkpoint.h"

#include <limits>

#include "base/path_name.h"
#include "base/strings.h"
#include "formats/file_kind.h"
#include "formats/gguf_reader.h"
#include "formats/hf_folder.h"
#include "formats/packed_file.h"

namespace lfm::formats {
namespace {

Error WrongKind(std::string_view key, const char* wanted) {
  return {ErrorCode::kCorrupt, StrCat("metadata key ", Quote(key), " is not ", wanted)};
}

}  // namespace

int64_t Tensor::n_elements() const {
  int64_t n = 1;
  for (const int64_t dim : shape) n *= dim;
  return n;
}

void Metadata::Add(std::string key, MetadataValue value, std::span<const std::byte> stored) {
  const auto [place, is_new] = index_.try_emplace(key, entries_.size());
  if (is_new) {
    entries_.emplace_back(std::move(key), std::move(value));
    stored_.push_back(stored);
  } else {
    entries_[place->second].second = std::move(value);
    stored_[place->second] = stored;
  }
}

const MetadataValue* Metadata::Find(std::string_view key) const {
  const auto found = index_.find(std::string(key));
  return found == index_.end() ? nullptr : &entries_[found->second].second;
}

Result<int64_t> Metadata::Int(std::string_view key, int64_t otherwise) const {
  const MetadataValue* value = Find(key);
  if (!value) return otherwise;
  if (const auto* i = std::get_if<int64_t>(value)) return *i;
  if (const auto* u = std::get_if<uint64_t>(value)) {
    if (*u <= uint64_t{std::numeric_limits<int64_t>::max()}) return static_cast<int64_t>(*u);
    return Error{ErrorCode::kCorrupt, StrCat("metadata key ", Quote(key), " is too large: ", *u)};
  }
  return WrongKind(key, "an integer");
}

Result<double> Metadata::Float(std::string_view key, double otherwise) const {
  const MetadataValue* value = Find(key);
  if (!value) return otherwise;
  if (const auto* d = std::get_if<double>(value)) return *d;
  if (const auto* i = std::get_if<int64_t>(value)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(value)) return static_cast<double>(*u);
  return WrongKind(key, "a number");
}

Result<bool> Metadata::Bool(std::string_view key, bool otherwise) const {
  const MetadataValue* value = Find(key);
  if (!value) return otherwise;
  if (const auto* b = std::get_if<bool>(value)) return *b;
  return WrongKind(key, "a truth value");
}

Result<std::string_view> Metadata::String(std::string_view key, std::string_view otherwise) const {
  const MetadataValue* value = Find(key);
  if (!value) return otherwise;
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return WrongKind(key, "a string");
}

Result<std::vector<int64_t>> Metadata::Ints(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (!value) return std::vector<int64_t>{};
  if (const auto* items = std::get_if<std::vector<int64_t>>(value)) return *items;
  if (!std::holds_alternative<int64_t>(*value) && !std::holds_alternative<uint64_t>(*value)) {
    return WrongKind(key, "a list of integers");
  }
  LFM_TRY(const int64_t scalar, Int(key, 0));
  return std::vector<int64_t>{scalar};
}

Result<std::vector<std::string_view>> Metadata::Strings(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (!value) return std::vector<std::string_view>{};
  if (const auto* items = std::get_if<std::vector<std::string_view>>(value)) return *items;
  return WrongKind(key, "a list of strings");
}

const Tensor* Checkpoint::Find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors[found->second];
}

void Checkpoint::IndexTensors() {
  index_.clear();
  index_.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) index_.emplace(tensors[i].name, i);
}

size_t Tensor::n_bytes() const {
  const int64_t n = n_elements();
  return n == 0 ? 0 : static_cast<size_t>(n / shape.back()) * RowBytes(type, static_cast<size_t>(shape.back()));
}

Result<std::vector<NamedTemplate>> ChatTemplatesOf(const Checkpoint& checkpoint) {
  std::vector<NamedTemplate> templates;
  if (checkpoint.naming == Naming::kHuggingFace) {
    if (!checkpoint.chat_template.empty()) templates.push_back({"default", checkpoint.chat_template});
    templates.insert(templates.end(), checkpoint.named_templates.begin(), checkpoint.named_templates.end());
    return templates;
  }
  constexpr std::string_view kKey = "tokenizer.chat_template";
  LFM_TRY(const std::string_view source, checkpoint.metadata.String(kKey, ""));
  if (!source.empty()) templates.push_back({"default", std::string(source)});
  for (const auto& [key, value] : checkpoint.metadata.entries()) {
    if (!key.starts_with(kKey) || key.size() < kKey.size() + 2 || key[kKey.size()] != '.') continue;
    if (const auto* named = std::get_if<std::string_view>(&value)) {
      templates.push_back({key.substr(kKey.size() + 1), std::string(*named)});
    }
  }
  return templates;
}

Result<Checkpoint> OpenCheckpoint(const std::string& path) {
  if (path.empty()) return Error{ErrorCode::kInvalidArgument, "the model's path is empty; name a file or a folder"};
  if (IsDirectory(path)) return OpenHfFolder(path);
  LFM_TRY(MappedFile file, MappedFile::Open(path));
  if (IsGguf(file.bytes())) return OpenGguf(std::move(file));
  if (IsPacked(file.bytes())) return OpenPacked(std::move(file));
  const FileKind kind = IdentifyFile(file.bytes());
  const bool is_config = path.ends_with("config.json") || path.ends_with(".safetensors.index.json");
  if (kind == FileKind::kSafetensors || (kind == FileKind::kJson && is_config)) {
    auto model = OpenHfFolder(FolderOfPath(path));
    if (model.ok()) model->path = path;
    return model;
  }
  return Error{ErrorCode::kUnsupported, StrCat(path, " ", DescribeForeignFile(file.bytes(), path))};
}

Result<Checkpoint> OpenTexts(const std::string& path) {
  if (IsDirectory(path)) return OpenHfTexts(path);
  if (path.ends_with("tokenizer.json") && FileExists(path)) return OpenHfTexts(FolderOfPath(path));
  return OpenCheckpoint(path);
}

}  // namespace lfm::formats
