// The GGUF header, field by field. Layout: magic, version, n_tensors, n_keys, the key-values, the tensor
// infos, padding to the alignment, tensor data. All integers are little-endian; strings are a u64 length and
// bytes.
#include "formats/gguf_reader.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "base/byte_reader.h"
#include "base/strings.h"
#include "formats/gguf_types.h"
#include "formats/layout_checks.h"

namespace lfm::formats {
namespace {

constexpr uint64_t kMaxKeyBytes = 65535;       // the specification's limit
constexpr uint64_t kMaxTensorNameBytes = 255;  // the specification says 64; some writers go beyond
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
constexpr size_t kMinKeyBytes = 8 + 1 + 4 + 1;             // length, a letter, type, a one-byte value
constexpr size_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // length, a letter, n_dims, one dim, type, offset

Error Corrupt(uint64_t offset, const std::string& what) { return {ErrorCode::kCorrupt, StrCat("at byte ", offset, ": ", what)}; }

// Bytes of one value of a type of fixed size, 8 (its least size) for strings, else 0.
size_t ValueBytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32: return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
    case GgufType::kString: return 8;
    case GgufType::kArray: return 0;
  }
  return 0;
}

class HeaderParser {
 public:
  // `bytes`: the first, or all, of a file of n_file.
  HeaderParser(std::span<const std::byte> bytes, uint64_t n_file) : bytes_(bytes), n_file_(n_file), reader_(bytes, n_file) {}

  Result<GgufHeader> Parse() {
    LFM_RETURN_IF_ERROR(ParseVersion());
    LFM_TRY(const uint64_t n_tensors, reader_.Read<uint64_t>("the number of tensors"));
    LFM_TRY(const uint64_t n_keys, reader_.Read<uint64_t>("the number of metadata keys"));
    LFM_RETURN_IF_ERROR(reader_.CanHold(n_keys, kMinKeyBytes, "metadata keys"));
    LFM_RETURN_IF_ERROR(reader_.CanHold(n_tensors, kMinTensorBytes, "tensors"));
    for (uint64_t i = 0; i < n_keys; ++i) LFM_RETURN_IF_ERROR(ParseKeyValue());
    LFM_RETURN_IF_ERROR(ParseAlignment());
    LFM_RETURN_IF_ERROR(reader_.CanHold(n_tensors, kMinTensorBytes, "tensors"));
    header_.tensors.reserve(static_cast<size_t>(n_tensors));
    for (uint64_t i = 0; i < n_tensors; ++i) LFM_RETURN_IF_ERROR(ParseTensor());
    LFM_RETURN_IF_ERROR(PlaceTensors());
    return std::move(header_);
  }

  // After Parse() failed: whether it did for want of bytes, and the metadata before that.
  bool wants_more() const { return reader_.wants_more(); }
  Metadata TakeMetadata() { return std::move(header_.metadata); }

 private:
  Status ParseVersion() {
    LFM_RETURN_IF_ERROR(reader_.ReadBytes(4, "the magic number"));
    LFM_TRY(header_.version, reader_.Read<uint32_t>("the version"));
    const uint32_t version = header_.version;
    if (version == 2 || version == 3) return Ok();
    if (version == 1) {
      return Error{ErrorCode::kUnsupported, "is GGUF version 1, of 2023; lfm reads versions 2 and 3: convert the model again"};
    }
    if (version != 0 && (version & 0xffff) == 0) {
      return Error{ErrorCode::kUnsupported,
                   "is a big-endian GGUF file; lfm reads little-endian ones: convert it with "
                   "gguf-py's gguf_convert_endian, or get the little-endian file"};
    }
    return Error{ErrorCode::kUnsupported, StrCat("is GGUF version ", version, "; lfm reads versions 2 and 3: update lfm")};
  }

  Result<std::string_view> ReadString(std::string_view what, uint64_t max_bytes) {
    const uint64_t start = reader_.offset();
    LFM_TRY(const uint64_t length, reader_.Read<uint64_t>(what));
    if (length > max_bytes) {
      return Corrupt(start, StrCat(what, " claims ", length, " bytes; at most ", max_bytes, " are allowed"));
    }
    LFM_TRY(const auto part, reader_.ReadBytes(length, what));
    return std::string_view(reinterpret_cast<const char*>(part.data()), part.size());
  }

  Status ParseKeyValue() {
    const uint64_t start = reader_.offset();
    LFM_TRY(const std::string_view key, ReadString("a metadata key", kMaxKeyBytes));
    if (key.empty()) return Corrupt(start, "a metadata key is empty");
    if (header_.metadata.Find(key)) return Corrupt(start, StrCat("metadata key ", Quote(key), " appears twice"));
    const uint64_t type_offset = reader_.offset();
    LFM_TRY(const uint32_t type, reader_.Read<uint32_t>("the type of a metadata value"));
    if (type > static_cast<uint32_t>(GgufType::kF64)) {
      return Corrupt(type_offset, StrCat("metadata key ", Quote(key), " has unknown type ", type));
    }
    auto value = static_cast<GgufType>(type) == GgufType::kArray ? ReadArray() : ReadScalar(GgufType{type});
    if (!value.ok()) return value.error().Within(StrCat("metadata key ", Quote(key)));
    header_.metadata.Add(std::string(key), std::move(value).value(), bytes_.subspan(type_offset, reader_.offset() - type_offset));
    return Ok();
  }

  template <typename Stored, typename Value>
  Result<MetadataValue> ReadAs() {
    LFM_TRY(const Stored value, reader_.Read<Stored>("a metadata value"));
    return MetadataValue(static_cast<Value>(value));
  }

  Result<MetadataValue> ReadScalar(GgufType type) {
    switch (type) {
      case GgufType::kU8: return ReadAs<uint8_t, uint64_t>();
      case GgufType::kI8: return ReadAs<int8_t, int64_t>();
      case GgufType::kU16: return ReadAs<uint16_t, uint64_t>();
      case GgufType::kI16: return ReadAs<int16_t, int64_t>();
      case GgufType::kU32: return ReadAs<uint32_t, uint64_t>();
      case GgufType::kI32: return ReadAs<int32_t, int64_t>();
      case GgufType::kU64: return ReadAs<uint64_t, uint64_t>();
      case GgufType::kI64: return ReadAs<int64_t, int64_t>();
      case GgufType::kF32: return ReadAs<float, double>();
      case GgufType::kF64: return ReadAs<double, double>();
      case GgufType::kBool: {
        const uint64_t start = reader_.offset();
        LFM_TRY(const uint8_t value, reader_.Read<uint8_t>("a truth value"));
        if (value > 1) return Corrupt(start, StrCat("a truth value is ", int{value}, ", not 0 or 1"));
        return MetadataValue(value == 1);
      }
      case GgufType::kString: {
        LFM_TRY(const std::string_view text, ReadString("a string", std::numeric_limits<uint64_t>::max()));
        return MetadataValue(text);
      }
      case GgufType::kArray: break;
    }
    return Error{ErrorCode::kInternal, "an array is no scalar"};
  }

  Result<MetadataValue> ReadArray() {
    const uint64_t start = reader_.offset();
    LFM_TRY(const uint32_t id, reader_.Read<uint32_t>("the type of an array"));
    if (id == static_cast<uint32_t>(GgufType::kArray)) {
      return Error{ErrorCode::kUnsupported, StrCat("at byte ", start,
                                                   ": holds arrays in an array, which lfm does not "
                                                   "read; remove the key, or update lfm")};
    }
    if (id > static_cast<uint32_t>(GgufType::kF64)) {
      return Corrupt(start, StrCat("an array has the unknown type ", id));
    }
    const auto type = static_cast<GgufType>(id);
    LFM_TRY(const uint64_t n, reader_.Read<uint64_t>("the length of an array"));
    LFM_RETURN_IF_ERROR(reader_.CanHold(n, ValueBytes(type), "array items"));
    switch (type) {
      case GgufType::kU8: return ReadNumbers<uint8_t, int64_t>(n);
      case GgufType::kI8: return ReadNumbers<int8_t, int64_t>(n);
      case GgufType::kU16: return ReadNumbers<uint16_t, int64_t>(n);
      case GgufType::kI16: return ReadNumbers<int16_t, int64_t>(n);
      case GgufType::kU32: return ReadNumbers<uint32_t, int64_t>(n);
      case GgufType::kI32: return ReadNumbers<int32_t, int64_t>(n);
      case GgufType::kU64: return ReadNumbers<uint64_t, int64_t>(n);
      case GgufType::kI64: return ReadNumbers<int64_t, int64_t>(n);
      case GgufType::kBool: return ReadNumbers<uint8_t, int64_t>(n);
      case GgufType::kF32: return ReadNumbers<float, double>(n);
      case GgufType::kF64: return ReadNumbers<double, double>(n);
      default: break;
    }
    std::vector<std::string_view> strings;
    strings.reserve(static_cast<size_t>(n));
    for (uint64_t i = 0; i < n; ++i) {
      LFM_TRY(const std::string_view text, ReadString("a string", std::numeric_limits<uint64_t>::max()));
      strings.push_back(text);
    }
    return MetadataValue(std::move(strings));
  }

  // The caller has checked that n values follow.
  template <typename Stored, typename Value>
  Result<MetadataValue> ReadNumbers(uint64_t n) {
    const uint64_t start = reader_.offset();
    LFM_TRY(const auto part, reader_.ReadBytes(n * sizeof(Stored), "an array"));
    std::vector<Value> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i) {
      Stored stored;
      std::memcpy(&stored, part.data() + i * sizeof(Stored), sizeof(Stored));
      if constexpr (std::is_same_v<Stored, uint64_t>) {
        if (stored > uint64_t{std::numeric_limits<int64_t>::max()}) {
          return Corrupt(start + i * sizeof(Stored), StrCat("array item ", i, " is too large: ", stored));
        }
      }
      values[i] = static_cast<Value>(stored);
    }
    return MetadataValue(std::move(values));
  }

  Status ParseAlignment() {
    LFM_TRY(const int64_t alignment, header_.metadata.Int("general.alignment", 32));
    if (alignment < 1 || static_cast<uint64_t>(alignment) > kMaxAlignment ||
        !std::has_single_bit(static_cast<uint64_t>(alignment))) {
      return Error{ErrorCode::kCorrupt,
                   StrCat("metadata key 'general.alignment' is ", alignment, ", not a power of two up to ", kMaxAlignment)};
    }
    header_.alignment = static_cast<uint64_t>(alignment);
    return Ok();
  }

  Status ParseTensor() {
    const uint64_t start = reader_.offset();
    Tensor tensor;
    LFM_TRY(const std::string_view name, ReadString("a tensor's name", kMaxTensorNameBytes));
    if (name.empty()) return Corrupt(start, "a tensor's name is empty");
    if (!names_.insert(name).second) return Corrupt(start, StrCat("tensor ", Quote(name), " appears twice"));
    tensor.name = name;
    const uint64_t dims_offset = reader_.offset();
    LFM_TRY(const uint32_t n_dims, reader_.Read<uint32_t>("a tensor's number of dimensions"));
    if (n_dims < 1 || n_dims > 4) {
      return Corrupt(dims_offset, StrCat("tensor ", Quote(name), " has ", n_dims, " dimensions, not 1 to 4"));
    }
    tensor.shape.resize(n_dims);
    for (uint32_t i = n_dims; i-- > 0;) {  // the file has the fastest dimension first
      LFM_TRY(tensor.shape[i], reader_.Read<int64_t>("a tensor's dimensions"));
    }
    const uint64_t type_offset = reader_.offset();
    LFM_TRY(const uint32_t type_id, reader_.Read<uint32_t>("a tensor's type"));
    const auto type = TensorTypeFromId(type_id);
    if (!type && type_id >= kFirstNumber && type_id <= kLastNumber) {  // integers and doubles: tables, no weights
      header_.foreign_tensors.push_back({tensor.name, std::string(TensorTypeIdName(type_id)), std::move(tensor.shape)});
      LFM_TRY(const uint64_t offset, reader_.Read<uint64_t>("a tensor's offset"));
      static_cast<void>(offset);
      return Ok();
    }
    if (!type) return UnknownType(name, type_id, type_offset);
    tensor.type = *type;
    const auto n_bytes = CheckedTensorBytes(tensor.type, tensor.shape);
    if (!n_bytes.ok()) {
      return n_bytes.error().Within(StrCat("at byte ", dims_offset, ": tensor ", Quote(name)));
    }
    LFM_TRY(tensor.offset, reader_.Read<uint64_t>("a tensor's offset"));
    if (tensor.offset % header_.alignment != 0) {
      return Corrupt(reader_.offset() - 8, StrCat("the offset ", tensor.offset, " of tensor ", Quote(name),
                                                  " is not a multiple of the alignment ", header_.alignment));
    }
    sizes_.push_back(*n_bytes);
    header_.tensors.push_back(std::move(tensor));
    return Ok();
  }

  static constexpr uint32_t kFirstNumber = 24, kLastNumber = 28;  // ggml_type: I8, I16, I32, I64, F64

  static Error UnknownType(std::string_view name, uint32_t id, uint64_t offset) {
    const std::string_view known = TensorTypeIdName(id);
    if (known.empty()) {
      return {ErrorCode::kUnsupported, StrCat("at byte ", offset, ": tensor ", Quote(name), " has the unknown type ", id,
                                              ": the file is damaged (download it again) or newer than this lfm")};
    }
    return {ErrorCode::kUnsupported,
            StrCat("tensor ", Quote(name), " is stored as ", known,
                   ", which lfm does not run; get the model in another type, such as Q4_0, Q4_K_M or Q8_0")};
  }

  // Turns the tensors' offsets into places in the file, all inside it and none upon another.
  Status PlaceTensors() {
    const uint64_t end = reader_.offset();
    header_.data_offset = (end + header_.alignment - 1) / header_.alignment * header_.alignment;
    LFM_RETURN_IF_ERROR(PlaceInFile(bytes_, n_file_, header_.data_offset, sizes_, header_.tensors));
    return Ok();
  }

  std::span<const std::byte> bytes_;
  uint64_t n_file_;
  ByteReader reader_;
  GgufHeader header_;
  std::vector<uint64_t> sizes_;  // in bytes, of header_.tensors
  std::unordered_set<std::string_view> names_;
};

}  // namespace

bool IsGguf(std::span<const std::byte> bytes) { return bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0; }

Result<GgufHeader> ParseGguf(std::span<const std::byte> bytes) {
  if (!IsGguf(bytes)) return Error{ErrorCode::kCorrupt, "is no GGUF file: its first bytes are not \"GGUF\""};
  return HeaderParser(bytes, bytes.size()).Parse();
}

Result<GgufBeginning> ParseGgufBeginning(std::span<const std::byte> bytes, uint64_t n_file, const std::string& path) {
  if (!IsGguf(bytes)) return Error{ErrorCode::kCorrupt, StrCat(path, " is no GGUF file: its first bytes are not \"GGUF\"")};
  HeaderParser parser(bytes, n_file);
  auto header = parser.Parse();
  GgufBeginning beginning;
  beginning.checkpoint.path = path;
  if (header.ok()) {
    beginning.whole = true;
    beginning.checkpoint.metadata = std::move(header->metadata);
    beginning.checkpoint.tensors = std::move(header->tensors);
    beginning.checkpoint.foreign_tensors = std::move(header->foreign_tensors);
    beginning.checkpoint.IndexTensors();
  } else if (parser.wants_more()) {
    beginning.checkpoint.metadata = parser.TakeMetadata();
  } else {
    return header.error().Within(path);
  }
  return beginning;
}

}  // namespace lfm::formats
