#include "formats/safetensors_writer.h"

#include <cstring>

#include "base/strings.h"
#include "formats/layout_checks.h"

namespace lfm::formats {

Status SafetensorsWriter::AddTensor(TensorPlan tensor) {
  const auto refuse = [&](const std::string& why) {
    return Error{ErrorCode::kInvalidArgument, StrCat("tensor ", Quote(tensor.name), " ", why)};
  };
  if (tensor.name.empty() || tensor.name == "__metadata__") return refuse("needs another name");
  for (const auto& [name, entry] : entries_) {
    if (name == tensor.name) return refuse("is declared twice");
  }
  const TensorTypeInfo& info = InfoOf(tensor.type);
  if (info.quantized) return refuse(StrCat("is ", info.name, "; safetensors files hold F32, F16 and BF16"));
  const auto size = CheckedTensorBytes(tensor.type, tensor.shape);
  if (!size.ok()) return refuse(size.error().message);

  Json shape = Json::MakeArray();
  for (const int64_t n : tensor.shape) shape.Append(n);
  Json entry = Json::MakeObject();
  entry.Set("dtype", info.name);
  entry.Set("shape", std::move(shape));
  entry.Set("data_offsets", Json::MakeArray({Json(offset_), Json(offset_ + *size)}));
  entries_.emplace_back(std::move(tensor.name), std::move(entry));
  sizes_.push_back(*size);
  offset_ += *size;
  return Ok();
}

Status SafetensorsWriter::Begin(const std::string& path, Progress progress) {
  Json::Object members;
  members.reserve(entries_.size() + 1);
  members.emplace_back("__metadata__", Json::MakeObject({{"format", "pt"}}));  // transformers wants it
  members.insert(members.end(), entries_.begin(), entries_.end());
  std::string text = Json::MakeObject(std::move(members)).Dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors begin at a multiple of 8, as the format recommends
  const uint64_t length = text.size();
  std::string header(8, '\0');
  std::memcpy(header.data(), &length, 8);
  header += text;
  auto stream =
      TensorStream::Create(path, std::as_bytes(std::span(header.data(), header.size())), sizes_, 1, std::move(progress));
  if (!stream.ok()) return stream.error();
  stream_.emplace(std::move(stream).value());
  return Ok();
}

Status SafetensorsWriter::Append(std::span<const std::byte> bytes) {
  if (!stream_) return Error{ErrorCode::kInternal, "SafetensorsWriter::Append before Begin"};
  return stream_->Append(bytes);
}

Status SafetensorsWriter::Finish() {
  if (!stream_) return Error{ErrorCode::kInternal, "SafetensorsWriter::Finish before Begin"};
  const Status done = stream_->Finish();
  stream_.reset();
  return done;
}

}  // namespace lfm::formats
