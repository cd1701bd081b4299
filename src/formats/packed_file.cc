#include "formats/packed_file.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/path_name.h"
#include "base/strings.h"
#include "formats/gguf_reader.h"

namespace lfm::formats {
namespace {

constexpr char kMagic[8] = {'L', 'F', 'M', 'P', 'A', 'C', 'K', '1'};
constexpr size_t kPage = 4096;

struct Preamble {
  char magic[8];
  uint32_t version;
  uint32_t numerics;
  uint64_t header_bytes;
  uint64_t hash;  // of header and blobs
};
static_assert(sizeof(Preamble) == 32);

size_t RoundUp(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// Where the hashes begin in the region of weights and hashes, and how many there are.
size_t HashesAt(size_t weight_bytes) { return RoundUp(weight_bytes, sizeof(uint64_t)); }
size_t HashCount(size_t weight_bytes) { return (weight_bytes + kHashedBytes - 1) / kHashedBytes; }
size_t RegionBytes(size_t weight_bytes) { return HashesAt(weight_bytes) + HashCount(weight_bytes) * sizeof(uint64_t); }

// The i-th part of the weights that has a hash of its own.
std::span<const std::byte> HashedPart(std::span<const std::byte> weights, size_t i) {
  return weights.subspan(i * kHashedBytes, std::min(kHashedBytes, weights.size() - i * kHashedBytes));
}

bool AllZero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// Parts of the blob section, collected before anything is written.
class Blobs {
 public:
  // Adds bytes, 64-aligned; gives [offset, size] for the header.
  Json Add(std::span<const std::byte> bytes) {
    data_.resize((data_.size() + 63) / 64 * 64);
    Json place = Json::MakeArray({Json(uint64_t{data_.size()}), Json(uint64_t{bytes.size()})});
    data_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return place;
  }
  const std::string& data() const { return data_; }

 private:
  std::string data_;
};

// The key-values as a GGUF file without tensors: read back by the GGUF parser itself.
std::string MetadataAsGguf(const Metadata& metadata) {
  std::string out = "GGUF";
  const auto put = [&](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); };
  uint64_t n_keys = 0;
  for (size_t i = 0; i < metadata.entries().size(); ++i) n_keys += !metadata.StoredForm(i).empty();
  put(uint32_t{3});
  put(uint64_t{0});
  put(n_keys);
  for (size_t i = 0; i < metadata.entries().size(); ++i) {
    const std::string& key = metadata.entries()[i].first;
    const auto stored = metadata.StoredForm(i);
    if (stored.empty()) continue;
    put(uint64_t{key.size()});
    out += key;
    out.append(reinterpret_cast<const char*>(stored.data()), stored.size());
  }
  return out;
}

Json TensorRow(const Tensor& tensor) {
  Json shape = Json::MakeArray();
  for (const int64_t n : tensor.shape) shape.Append(n);
  return Json::MakeArray({Json(tensor.name), Json(InfoOf(tensor.type).name), std::move(shape)});
}

constexpr std::string_view kNamedTemplate = "chat_template.";  // and its name

Json Header(const Checkpoint& source, uint64_t plan, size_t weight_bytes, const std::function<bool(const Tensor&)>& is_matrix,
            Blobs& blobs) {
  Json header = Json::MakeObject();
  header.Set("naming", source.naming == Naming::kGguf ? "gguf" : "huggingface");
  header.Set("source", NameOfPath(source.path));
  header.Set("source_bytes", source.n_bytes);
  header.Set("source_key", SourceKey(source));
  header.Set("plan", plan);
  header.Set("weight_bytes", uint64_t{weight_bytes});
  Json parts = Json::MakeObject();
  if (source.naming == Naming::kGguf) parts.Set("metadata", blobs.Add(Bytes(MetadataAsGguf(source.metadata))));
  const std::pair<const char*, const Json*> texts[] = {{"config", &source.config},
                                                       {"generation_config", &source.generation_config},
                                                       {"tokenizer", &source.tokenizer},
                                                       {"tokenizer_config", &source.tokenizer_config}};
  for (const auto& [name, json] : texts) {
    if (!json->is_null()) parts.Set(name, blobs.Add(Bytes(json->Dump())));
  }
  if (!source.chat_template.empty()) parts.Set("chat_template", blobs.Add(Bytes(source.chat_template)));
  for (const NamedTemplate& named : source.named_templates) {
    parts.Set(StrCat(kNamedTemplate, named.name), blobs.Add(Bytes(named.source)));
  }
  header.Set("parts", std::move(parts));
  Json tensors = Json::MakeArray();
  for (const Tensor& tensor : source.tensors) {
    Json row = TensorRow(tensor);
    if (!is_matrix(tensor)) row.Append(blobs.Add(tensor.bytes));
    tensors.Append(std::move(row));
  }
  header.Set("tensors", std::move(tensors));
  return header;
}

// Reads a packed file's header. All offsets are checked against the file.
class Opener {
 public:
  explicit Opener(MappedFile file) : file_(std::move(file)), bytes_(file_.bytes()) {}

  Result<Checkpoint> Open() {
    if (bytes_.size() < sizeof(Preamble)) return Damaged("is shorter than a header");
    Preamble preamble;
    std::memcpy(&preamble, bytes_.data(), sizeof preamble);
    if (preamble.version != kPackedVersion || preamble.numerics != kNumericsVersion) {
      return Error{ErrorCode::kUnsupported, StrCat(file_.path(), " is a packed file of version ", preamble.version, ", numerics ",
                                                   preamble.numerics, "; this lfm reads version ", kPackedVersion, ", numerics ",
                                                   kNumericsVersion, ": pack the model again")};
    }
    if (preamble.header_bytes > bytes_.size() - sizeof(Preamble)) return Damaged("is cut off inside its header");
    file_.PreferHugePages();
    const auto header_bytes = bytes_.subspan(sizeof(Preamble), static_cast<size_t>(preamble.header_bytes));
    auto header = ParseJson({reinterpret_cast<const char*>(header_bytes.data()), header_bytes.size()});
    if (!header.ok()) return Damaged("has an unreadable header");
    header_ = std::move(*header);
    const int64_t blob_bytes = header_["blob_bytes"].AsInt(-1), weight_bytes = header_["weight_bytes"].AsInt(-1);
    const size_t blobs_at = sizeof(Preamble) + header_bytes.size();
    if (blob_bytes < 0 || static_cast<uint64_t>(blob_bytes) > bytes_.size() - blobs_at) {
      return Damaged("is cut off inside its texts");
    }
    blobs_ = bytes_.subspan(blobs_at, static_cast<size_t>(blob_bytes));
    if (Hash64(blobs_, Hash64(header_bytes)) != preamble.hash) return Damaged("fails its checksum");
    const size_t blobs_end = blobs_at + blobs_.size(), weights_at = RoundUp(blobs_end, kPage);
    const auto n_weights = static_cast<size_t>(std::clamp<int64_t>(weight_bytes, 0, int64_t{1} << 48));
    if (weights_at + RegionBytes(n_weights) != bytes_.size()) {
      return Damaged(StrCat("should have ", weights_at + RegionBytes(n_weights), " bytes and has ", bytes_.size()));
    }
    const auto region = bytes_.subspan(weights_at);
    const size_t hashes_at = HashesAt(n_weights);
    if (!AllZero(bytes_.subspan(blobs_end, weights_at - blobs_end)) ||
        !AllZero(region.subspan(n_weights, hashes_at - n_weights))) {
      return Damaged("has bytes where none belong");
    }
    out_.packed.bytes = region.first(n_weights);
    out_.packed.hashes = region.subspan(hashes_at);
    out_.packed.plan = Unsigned(header_["plan"]);
    out_.n_bytes = Unsigned(header_["source_bytes"]);
    LFM_RETURN_IF_ERROR(ReadParts());
    LFM_RETURN_IF_ERROR(ReadTensors());
    out_.path = file_.path();
    out_.packed.source_key = Unsigned(header_["source_key"]);
    out_.files.push_back(std::move(file_));
    out_.IndexTensors();
    return std::move(out_);
  }

 private:
  Error Damaged(const std::string& what) const {
    return {ErrorCode::kCorrupt, StrCat(file_.path(), " ", what, "; delete it and pack the model again")};
  }
  static uint64_t Unsigned(const Json& value) {
    uint64_t out = 0;
    for (const char c : value.is_integer() ? value.NumberText() : "") out = out * 10 + static_cast<uint64_t>(c - '0');
    return out;
  }

  // The bytes of [offset, size], or nothing where that lies outside.
  std::optional<std::span<const std::byte>> Blob(const Json& place) const {
    if (place.items().size() != 2) return std::nullopt;
    const int64_t offset = place.items()[0].AsInt(-1), size = place.items()[1].AsInt(-1);
    if (offset < 0 || size < 0 || static_cast<uint64_t>(offset) > blobs_.size() ||
        static_cast<uint64_t>(size) > blobs_.size() - static_cast<size_t>(offset)) {
      return std::nullopt;
    }
    return blobs_.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }

  Status ReadParts() {
    out_.naming = header_["naming"].AsString() == "gguf" ? Naming::kGguf : Naming::kHuggingFace;
    const std::pair<const char*, Json*> texts[] = {{"config", &out_.config},
                                                   {"generation_config", &out_.generation_config},
                                                   {"tokenizer", &out_.tokenizer},
                                                   {"tokenizer_config", &out_.tokenizer_config}};
    for (const auto& [name, place] : header_["parts"].members()) {
      const auto blob = Blob(place);
      if (!blob) return Damaged(StrCat("has part ", Quote(name), " outside the file"));
      const std::string_view text(reinterpret_cast<const char*>(blob->data()), blob->size());
      if (name == "metadata") {
        LFM_TRY(GgufHeader metadata, ParseGguf(*blob));
        out_.metadata = std::move(metadata.metadata);
      } else if (name == "chat_template") {
        out_.chat_template = text;
      } else if (name.starts_with(kNamedTemplate)) {
        out_.named_templates.push_back({name.substr(kNamedTemplate.size()), std::string(text)});
      }
      for (const auto& [known, json] : texts) {
        if (name == known) {
          LFM_TRY(*json, ParseJson(text));
        }
      }
    }
    return Ok();
  }

  Status ReadTensors() {
    for (const Json& row : header_["tensors"].items()) {
      if (row.items().size() < 3) return Damaged("has a broken list of tensors");
      Tensor tensor;
      tensor.name = row.items()[0].AsString();
      const auto type = TensorTypeFromName(row.items()[1].AsString());
      if (!type) return Damaged(StrCat("holds tensor ", Quote(tensor.name), " of an unknown type"));
      tensor.type = *type;
      int64_t n_elements = 1;
      for (const Json& dimension : row.items()[2].items()) {
        const int64_t n = dimension.AsInt(0);
        if (n < 1 || n > (int64_t{1} << 40) / n_elements) return Damaged("has a tensor of impossible shape");
        tensor.shape.push_back(n);
        n_elements *= n;
      }
      if (tensor.shape.empty() || tensor.shape.back() % InfoOf(tensor.type).block_size != 0) {
        return Damaged("has a tensor of impossible shape");
      }
      if (row.items().size() > 3) {
        const auto blob = Blob(row.items()[3]);
        if (!blob || blob->size() != tensor.n_bytes()) {
          return Damaged(StrCat("has tensor ", Quote(tensor.name), " outside the file"));
        }
        tensor.bytes = *blob;
        tensor.offset = static_cast<uint64_t>(blob->data() - bytes_.data());
      }
      out_.tensors.push_back(std::move(tensor));
    }
    return Ok();
  }

  MappedFile file_;
  std::span<const std::byte> bytes_, blobs_;
  Json header_;
  Checkpoint out_;
};

// A loop over the hashed parts of the weights that asks between batches, which are some hundredths of a second, whether to go
// on.
template <typename Body>
Status ForBatches(int64_t n, Threads& threads, const std::function<bool()>& go_on, const Body& body) {
  constexpr int64_t kBatchBytes = int64_t{128} << 20, kBatch = kBatchBytes / static_cast<int64_t>(kHashedBytes);
  for (int64_t first = 0; first < n; first += kBatch) {
    threads.For(std::min(kBatch, n - first), 1,
                [&](int64_t begin, int64_t end, int i_thread) { body(first + begin, first + end, i_thread); });
    if (go_on && !go_on()) return Error{ErrorCode::kCancelled, "checking the weights was cancelled"};
  }
  return Ok();
}

}  // namespace

bool IsPacked(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0;
}

Result<Checkpoint> OpenPacked(MappedFile file) { return Opener(std::move(file)).Open(); }

uint64_t SourceKey(const Checkpoint& source) {
  constexpr size_t kHead = size_t{256} << 10, kSample = 4096, kSamples = 32;
  uint64_t hash = 0;
  for (const MappedFile& file : source.files) {
    const std::span<const std::byte> bytes = file.bytes();
    const uint64_t size = bytes.size();
    hash = Hash64(std::as_bytes(std::span(&size, 1)), hash);
    hash = Hash64(bytes.first(std::min(kHead, bytes.size())), hash);
    for (size_t i = 1; i <= kSamples && bytes.size() > kHead; ++i) {
      const size_t at = (bytes.size() - kSample) / kSamples * i;
      hash = Hash64(bytes.subspan(at, std::min(kSample, bytes.size() - at)), hash);
    }
  }
  return hash >> 1;  // fits a signed JSON integer
}

Status CheckPackedWeights(const Checkpoint& checkpoint, Threads& threads, const std::function<bool()>& go_on) {
  const PackedWeights& packed = checkpoint.packed;
  const MappedFile& file = checkpoint.files.front();
  const auto n = static_cast<int64_t>(HashCount(packed.bytes.size()));
  std::atomic<int64_t> damaged{n};
  const auto check = [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const auto part = HashedPart(packed.bytes, static_cast<size_t>(i));
      file.Populate(part);
      uint64_t expected = 0;
      std::memcpy(&expected, packed.hashes.data() + static_cast<size_t>(i) * sizeof expected, sizeof expected);
      if (Hash64(part) == expected) continue;
      for (int64_t first = damaged; i < first && !damaged.compare_exchange_weak(first, i);) {
      }
    }
  };
  LFM_RETURN_IF_ERROR(ForBatches(n, threads, go_on, check));
  if (damaged < n) {
    const size_t at =
        static_cast<size_t>(packed.bytes.data() - file.bytes().data()) + static_cast<size_t>(damaged) * kHashedBytes;
    return Error{ErrorCode::kCorrupt,
                 StrCat(file.path(), " is damaged: its weights fail their check in the ", HumanBytes(kHashedBytes), " from byte ",
                        at, " on; delete it and pack the model again")};
  }
  return Ok();
}

Status WritePacked(const Checkpoint& source, uint64_t plan, size_t weight_bytes, Threads& threads,
                   const std::function<bool(const Tensor&)>& is_matrix, const std::function<Status(std::span<std::byte>)>& fill,
                   const std::string& path, const std::function<bool()>& go_on) {
  Blobs blobs;
  Json header = Header(source, plan, weight_bytes, is_matrix, blobs);
  header.Set("blob_bytes", uint64_t{blobs.data().size()});
  const std::string text = header.Dump();
  Preamble preamble{};
  std::memcpy(preamble.magic, kMagic, sizeof kMagic);
  preamble.version = kPackedVersion;
  preamble.numerics = kNumericsVersion;
  preamble.header_bytes = text.size();
  preamble.hash = Hash64(Bytes(blobs.data()), Hash64(Bytes(text)));
  LFM_TRY(AtomicFile file, AtomicFile::Create(path));
  LFM_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(&preamble, 1))));
  LFM_RETURN_IF_ERROR(file.Append(text));
  LFM_RETURN_IF_ERROR(file.Append(blobs.data()));
  LFM_RETURN_IF_ERROR(file.Pad(kPage));
  LFM_TRY(const std::span<std::byte> region, file.AppendMapped(RegionBytes(weight_bytes)));
  const std::span<std::byte> weights = region.first(weight_bytes);
  LFM_RETURN_IF_ERROR(fill(weights));
  const auto hash_parts = [&](int64_t begin, int64_t end, int) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const uint64_t hash = Hash64(HashedPart(weights, i));
      std::memcpy(region.data() + HashesAt(weight_bytes) + i * sizeof hash, &hash, sizeof hash);
    }
  };
  LFM_RETURN_IF_ERROR(ForBatches(static_cast<int64_t>(HashCount(weight_bytes)), threads, go_on, hash_parts));
  return file.Commit();
}

}  // namespace lfm::formats
