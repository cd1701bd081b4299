#include "formats/tensor_stream.h"

#include <algorithm>

#include "base/strings.h"

namespace lfm::formats {
namespace {

constexpr size_t kPiece = size_t{8} << 20;  // between two reports of progress

}  // namespace

Result<TensorStream> TensorStream::Create(const std::string& path, std::span<const std::byte> header, std::vector<uint64_t> sizes,
                                          uint64_t alignment, Progress progress) {
  uint64_t n_total = header.size();
  for (const uint64_t size : sizes) n_total += (size + alignment - 1) / alignment * alignment;
  LFM_TRY(AtomicFile file, AtomicFile::Create(path));
  LFM_RETURN_IF_ERROR(file.Expect(n_total));
  TensorStream stream(std::move(file), path, std::move(sizes), alignment, std::move(progress));
  stream.n_total_ = n_total;
  LFM_RETURN_IF_ERROR(stream.file_.Append(header));
  return stream;
}

Status TensorStream::Append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (i_tensor_ == sizes_.size() || bytes.size() > sizes_[i_tensor_] - n_in_tensor_) {
      return Error{ErrorCode::kInternal, StrCat(path_, ": more bytes than tensor ", i_tensor_, " was declared with")};
    }
    const auto piece = bytes.first(std::min(bytes.size(), kPiece));
    LFM_RETURN_IF_ERROR(file_.Append(piece));
    bytes = bytes.subspan(piece.size());
    n_in_tensor_ += piece.size();
    if (n_in_tensor_ == sizes_[i_tensor_]) {
      LFM_RETURN_IF_ERROR(file_.Pad(alignment_));
      ++i_tensor_;
      n_in_tensor_ = 0;
    }
    if (progress_ && !progress_(file_.size(), n_total_)) {
      return Error{ErrorCode::kCancelled, StrCat("cancelled; ", path_, " was not written")};
    }
  }
  return Ok();
}

Status TensorStream::Finish() {
  if (i_tensor_ != sizes_.size()) {
    return Error{ErrorCode::kInternal, StrCat(path_, ": only ", i_tensor_, " of ", sizes_.size(), " tensors were written")};
  }
  return file_.Commit();
}

}  // namespace lfm::formats
