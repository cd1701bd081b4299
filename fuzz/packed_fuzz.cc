// The header of a packed file: with its hash and sizes made right, so that what they protect is reached. An accepted one
// holds its tensors inside the file, and its model is loaded or refused, never a crash. Input: JSON, a zero byte, blobs.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "base/json.h"
#include "formats/packed_file.h"
#include "model/config.h"
#include "model/weights.h"

using namespace lfm;

namespace {

constexpr size_t kMostWeights = 1 << 16, kPage = 4096;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string PackedFile(Json header, const std::string& blobs) {
  const auto n_weights = static_cast<size_t>(std::clamp<int64_t>(header["weight_bytes"].AsInt(0), 0, kMostWeights));
  header.Set("weight_bytes", uint64_t{n_weights});
  header.Set("blob_bytes", uint64_t{blobs.size()});
  const std::string text = header.Dump();
  std::string file = "LFMPACK1";
  Put(file, formats::kPackedVersion);
  Put(file, formats::kNumericsVersion);
  Put(file, uint64_t{text.size()});
  Put(file, Hash64(Bytes(blobs), Hash64(Bytes(text))));
  file += text + blobs;
  file.resize((file.size() + kPage - 1) / kPage * kPage);
  const std::string weights(n_weights, '\x11');
  file += weights;
  file.resize((file.size() + 7) / 8 * 8);
  if (n_weights > 0) Put(file, Hash64(Bytes(weights)));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), size);
  auto header = ParseJson(input.substr(0, end));
  if (!header.ok() || !header->is_object()) return 0;
  const std::string bytes = PackedFile(std::move(*header), std::string(input.substr(std::min(end + 1, size))));
  const int fd = memfd_create("packed", MFD_CLOEXEC);
  LFM_CHECK(fd >= 0 && write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  auto file = MappedFile::Open("/proc/self/fd/" + std::to_string(fd));
  close(fd);
  LFM_CHECK(file.ok());
  const auto* begin = file->bytes().data();
  const auto checkpoint = formats::OpenPacked(std::move(*file));
  if (!checkpoint.ok()) return 0;
  for (const formats::Tensor& tensor : checkpoint->tensors) {
    if (tensor.bytes.empty()) continue;
    LFM_CHECK(tensor.bytes.size() == tensor.n_bytes());
    LFM_CHECK(tensor.bytes.data() >= begin && tensor.offset + tensor.bytes.size() <= bytes.size());
  }
  static Threads threads(1);
  LFM_CHECK(formats::CheckPackedWeights(*checkpoint, threads).ok());
  if (const auto config = model::ReadConfig(*checkpoint); config.ok()) (void)model::LoadWeights(*checkpoint, *config, threads);
  return 0;
}
