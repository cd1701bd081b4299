#include "cli/npy_writer.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace lfm::cli {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kPreamble = 10;  // magic, version, length of the header

// NumPy reads the header as a Python literal, so the arithmetic's version can stand in a comment.
std::string Header(const std::vector<int64_t>& shape) {
  std::string dims;
  for (const int64_t n : shape) dims += StrCat(n, ", ");
  if (shape.size() > 1) dims.resize(dims.size() - 2);
  std::string header = StrCat("{'descr': '<f4', 'fortran_order': False, 'shape': (", dims, "), } # lfm numerics v1");
  const size_t used = kPreamble + header.size() + 1;
  header.append((used + kAlignment - 1) / kAlignment * kAlignment - used, ' ');
  return header + "\n";
}

}  // namespace

Result<NpyWriter> NpyWriter::Create(const std::string& path, const std::vector<int64_t>& shape) {
  const std::string header = Header(shape);
  std::string start = "\x93NUMPY";
  start += '\x01';
  start += '\x00';
  start += static_cast<char>(header.size() & 255);
  start += static_cast<char>(header.size() >> 8);
  start += header;
  LFM_TRY(AtomicFile file, AtomicFile::Create(path));
  LFM_RETURN_IF_ERROR(file.Append(start));

  uint64_t left = sizeof(float);
  for (const int64_t n : shape) left *= static_cast<uint64_t>(n);
  const std::vector<std::byte> zeros(std::min<uint64_t>(left, 1 << 20));
  while (left > 0) {
    const auto part = std::span(zeros).first(static_cast<size_t>(std::min<uint64_t>(left, zeros.size())));
    LFM_RETURN_IF_ERROR(file.Append(part));
    left -= part.size();
  }
  return NpyWriter(std::move(file), start.size());
}

Status NpyWriter::Write(int64_t offset, std::span<const float> values) {
  return file_.WriteAt(data_offset_ + static_cast<uint64_t>(offset) * sizeof(float), std::as_bytes(values));
}

}  // namespace lfm::cli
