// Reads little-endian values from bytes that nobody has checked yet: nothing is ever read beyond their end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/result.h"
#include "base/strings.h"

namespace lfm {

// A cursor over a borrowed range. Every failure is kCorrupt, names `what` was being read and the offset, and
// leaves the cursor where it was.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : ByteReader(bytes, bytes.size()) {}
  // The first bytes of a whole of n_total.
  ByteReader(std::span<const std::byte> bytes, uint64_t n_total) : bytes_(bytes), n_total_(n_total) {}

  size_t offset() const { return offset_; }
  size_t left() const { return bytes_.size() - offset_; }
  // A failure came from bytes that the whole has and that are not here.
  bool wants_more() const { return wants_more_; }

  // A little-endian integer or IEEE float.
  template <typename T>
  Result<T> Read(std::string_view what) {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    static_assert(std::endian::native == std::endian::little, "files are little-endian and so must be the host");
    if (left() < sizeof(T)) return Ended(what, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  Result<std::span<const std::byte>> ReadBytes(uint64_t n, std::string_view what) {
    if (left() < n) return Ended(what, n);
    const auto part = bytes_.subspan(offset_, static_cast<size_t>(n));
    offset_ += part.size();
    return part;
  }

  // Checks that `n` items of at least `min_bytes` each can follow, before anybody allocates room for them.
  Status CanHold(uint64_t n, size_t min_bytes, std::string_view what) {
    if (n <= left() / min_bytes) return Ok();
    wants_more_ = n <= (n_total_ - offset_) / min_bytes;
    return Error{ErrorCode::kCorrupt,
                 StrCat("at byte ", offset_, ": ", n, " ", what, " cannot fit into the ", left(), " bytes that follow")};
  }

 private:
  Error Ended(std::string_view what, uint64_t n) {
    wants_more_ = n <= n_total_ - offset_;
    return {ErrorCode::kCorrupt,
            StrCat("at byte ", offset_, ": the file ends within ", what, " (", n, " bytes needed, ", left(), " left)")};
  }

  std::span<const std::byte> bytes_;
  uint64_t n_total_;
  size_t offset_ = 0;
  bool wants_more_ = false;
};

}  // namespace lfm
