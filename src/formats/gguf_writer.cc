#include "formats/gguf_writer.h"

#include <algorithm>
#include <bit>

#include "base/strings.h"
#include "formats/layout_checks.h"

namespace lfm::formats {
namespace {

constexpr uint64_t kAlignment = 32;  // GGUF's default, so that the key need not be written
constexpr size_t kMaxNameBytes = 63;

template <typename T>
void Put(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutString(std::string& out, std::string_view text) {
  Put(out, uint64_t{text.size()});
  out += text;
}

std::string Typed(GgufType type) {
  std::string stored;
  Put(stored, static_cast<uint32_t>(type));
  return stored;
}

template <typename T>
std::string Scalar(GgufType type, T value) {
  std::string stored = Typed(type);
  Put(stored, value);
  return stored;
}

std::string ArrayOf(GgufType type, size_t n) {
  std::string stored = Typed(GgufType::kArray);
  Put(stored, static_cast<uint32_t>(type));
  Put(stored, uint64_t{n});
  return stored;
}

template <typename T>
std::string StringArray(std::span<const T> values) {
  std::string stored = ArrayOf(GgufType::kString, values.size());
  for (const T& value : values) PutString(stored, value);
  return stored;
}

uint64_t Padded(uint64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void GgufWriter::Set(std::string_view key, std::string stored) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (found != entries_.end()) {
    found->stored = std::move(stored);
  } else {
    entries_.push_back({std::string(key), std::move(stored)});
  }
}

void GgufWriter::SetU32(std::string_view key, uint32_t value) { Set(key, Scalar(GgufType::kU32, value)); }
void GgufWriter::SetI32(std::string_view key, int32_t value) { Set(key, Scalar(GgufType::kI32, value)); }
void GgufWriter::SetF32(std::string_view key, float value) { Set(key, Scalar(GgufType::kF32, value)); }
void GgufWriter::SetBool(std::string_view key, bool value) { Set(key, Scalar(GgufType::kBool, static_cast<uint8_t>(value))); }

void GgufWriter::SetString(std::string_view key, std::string_view value) {
  std::string stored = Typed(GgufType::kString);
  PutString(stored, value);
  Set(key, std::move(stored));
}

void GgufWriter::SetI32s(std::string_view key, std::span<const int32_t> values) {
  std::string stored = ArrayOf(GgufType::kI32, values.size());
  for (const int32_t value : values) Put(stored, value);
  Set(key, std::move(stored));
}

void GgufWriter::SetStrings(std::string_view key, std::span<const std::string_view> values) { Set(key, StringArray(values)); }
void GgufWriter::SetStrings(std::string_view key, std::span<const std::string> values) { Set(key, StringArray(values)); }

void GgufWriter::CopyMetadata(const Metadata& source) {
  for (size_t i = 0; i < source.entries().size(); ++i) {
    const std::string& key = source.entries()[i].first;
    const auto stored = source.StoredForm(i);
    if (stored.empty() || key == "general.alignment" || key.starts_with("split.")) continue;
    Set(key, std::string(reinterpret_cast<const char*>(stored.data()), stored.size()));
  }
}

void GgufWriter::Remove(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; });
}

Status GgufWriter::AddTensor(TensorPlan tensor) {
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorCode::kInvalidArgument, StrCat("tensor ", Quote(tensor.name), " ", why)};
  };
  if (tensor.name.empty() || tensor.name.size() > kMaxNameBytes) return refuse("needs a name of 1 to 63 bytes");
  if (tensor.shape.empty() || tensor.shape.size() > 4) return refuse("needs 1 to 4 dimensions");
  for (const TensorPlan& other : tensors_) {
    if (other.name == tensor.name) return refuse("is declared twice");
  }
  const auto size = CheckedTensorBytes(tensor.type, tensor.shape);
  if (!size.ok()) return refuse(size.error().message);
  sizes_.push_back(*size);
  tensors_.push_back(std::move(tensor));
  return Ok();
}

std::string GgufWriter::Header() const {
  std::string out = "GGUF";
  Put(out, uint32_t{3});
  Put(out, uint64_t{tensors_.size()});
  Put(out, uint64_t{entries_.size()});
  for (const Entry& entry : entries_) {
    PutString(out, entry.key);
    out += entry.stored;
  }
  uint64_t offset = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const TensorPlan& tensor = tensors_[i];
    PutString(out, tensor.name);
    Put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t d = tensor.shape.size(); d-- > 0;) Put(out, tensor.shape[d]);  // fastest first
    Put(out, static_cast<uint32_t>(tensor.type));
    Put(out, offset);
    offset += Padded(sizes_[i]);
  }
  out.resize(static_cast<size_t>(Padded(out.size())), '\0');
  return out;
}

uint64_t GgufWriter::FileBytes() const {
  uint64_t n = Header().size();
  for (const uint64_t size : sizes_) n += Padded(size);
  return n;
}

Status GgufWriter::Begin(const std::string& path, Progress progress) {
  const std::string header = Header();
  auto stream =
      TensorStream::Create(path, std::as_bytes(std::span(header.data(), header.size())), sizes_, kAlignment, std::move(progress));
  if (!stream.ok()) return stream.error();
  stream_.emplace(std::move(stream).value());
  return Ok();
}

Status GgufWriter::Append(std::span<const std::byte> bytes) {
  if (!stream_) return Error{ErrorCode::kInternal, "GgufWriter::Append before Begin"};
  return stream_->Append(bytes);
}

Status GgufWriter::Finish() {
  if (!stream_) return Error{ErrorCode::kInternal, "GgufWriter::Finish before Begin"};
  const Status done = stream_->Finish();
  stream_.reset();
  return done;
}

}  // namespace lfm::formats
