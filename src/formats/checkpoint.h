// A model on disk, whatever its format: named tensors (mapped, not copied) and metadata.
// Only this folder knows GGUF and safetensors; who loads from a Checkpoint sees names, shapes, types and
// bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/result.h"
#include "base/tensor_type.h"

namespace lfm::formats {

// Which convention the tensors' names and the configuration follow.
enum class Naming { kGguf, kHuggingFace };

// One stored tensor. `bytes` points into a mapping that its Checkpoint keeps alive.
struct Tensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<int64_t> shape;  // slowest first: [rows, cols] or [experts, rows, cols]
  std::span<const std::byte> bytes;
  uint32_t i_file = 0;  // index into Checkpoint::files
  uint64_t offset = 0;  // of the first byte in that file

  int64_t n_elements() const;
  // As the source stores it; `bytes` has this size, or is empty where a packed file holds the tensor in
  // another form.
  size_t n_bytes() const;
};

// A stored tensor of a type that lfm does not compute with: integers, 8-bit floats. Harmless unless the model needs it.
struct ForeignTensor {
  std::string name, type;  // the type as the file names it
  std::vector<int64_t> shape;
};

// The hot part of a packed file: all matrices in the layout of the kernels.
struct PackedWeights {
  std::span<const std::byte> bytes;   // empty: this checkpoint is not packed
  uint64_t plan = 0;                  // fingerprint of the places of all matrices
  std::span<const std::byte> hashes;  // Hash64 of each kHashedBytes of `bytes`, u64 each
  uint64_t source_key = 0;            // of the model that was packed (packed_file.h)
  bool checked = false;               // `bytes` were compared with `hashes`
};

// A GGUF metadata value. Arrays of numbers are widened; strings point into the mapping.
using MetadataValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, std::vector<int64_t>, std::vector<double>,
                                   std::vector<std::string_view>>;

// GGUF key-values in file order, with typed look-ups. Thread-safe to read.
class Metadata {
 public:
  // Sets a value. `stored` is how the file holds it (u32 type, then the value), for a writer that copies it
  // exactly.
  void Add(std::string key, MetadataValue value, std::span<const std::byte> stored = {});
  const MetadataValue* Find(std::string_view key) const;
  // Typed look-ups. Missing: the default. Of the wrong kind: an error that names the key.
  Result<int64_t> Int(std::string_view key, int64_t otherwise) const;
  Result<double> Float(std::string_view key, double otherwise) const;
  Result<bool> Bool(std::string_view key, bool otherwise) const;
  Result<std::string_view> String(std::string_view key, std::string_view otherwise) const;
  Result<std::vector<int64_t>> Ints(std::string_view key) const;              // missing: empty; a scalar: one item
  Result<std::vector<std::string_view>> Strings(std::string_view key) const;  // missing: empty
  const std::vector<std::pair<std::string, MetadataValue>>& entries() const { return entries_; }
  // The stored form of entries()[i]; empty when it came from no file.
  std::span<const std::byte> StoredForm(size_t i) const { return stored_[i]; }

 private:
  std::vector<std::pair<std::string, MetadataValue>> entries_;
  std::vector<std::span<const std::byte>> stored_;  // beside entries_
  std::unordered_map<std::string, size_t> index_;
};

// A chat template beside the default one: "tool_use" serves requests with tools, others are chosen by name.
struct NamedTemplate {
  std::string name, source;
};

// An opened model. Movable, not copyable; the mappings live as long as it does. Thread-safe to read.
struct Checkpoint {
  Naming naming = Naming::kGguf;
  std::string path;               // what the user named
  std::vector<MappedFile> files;  // shards in order
  std::vector<Tensor> tensors;    // in file order
  std::vector<ForeignTensor> foreign_tensors;
  Metadata metadata;  // GGUF only

  // Hugging Face folders only; null when the file is absent.
  Json config, generation_config, tokenizer, tokenizer_config;
  // These two are brought together from all files that tell of them (hf_tokenizer.h).
  std::string chat_template;  // the default one; empty: none
  std::vector<NamedTemplate> named_templates;

  uint64_t n_bytes = 0;  // of all weight files together
  PackedWeights packed;  // of a packed file

  const Tensor* Find(std::string_view name) const;
  void IndexTensors();  // builds the name index; called by the readers

 private:
  std::unordered_map<std::string_view, size_t> index_;
};

// All chat templates of either kind of file: the default one first, under the name "default".
Result<std::vector<NamedTemplate>> ChatTemplatesOf(const Checkpoint& checkpoint);

// Opens a GGUF file (or the first part of a split one: NAME-00001-of-0000N.gguf), a Hugging Face folder or a
// packed file. Validates every offset, size, shape and type against the file's length; reads no weights.
Result<Checkpoint> OpenCheckpoint(const std::string& path);

// The same for work on text alone (tokenizer, chat template): a Hugging Face folder needs neither config.json
// nor weights, and its tensors are left out.
Result<Checkpoint> OpenTexts(const std::string& path);

}  // namespace lfm::formats
