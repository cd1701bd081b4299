// The two hashes that name files on the hub: SHA-256 of the content (LFS and Xet files), and git's blob
// SHA-1.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lfm::hub {

enum class HashKind { kNone, kSha256, kGitBlob };

// What an etag of the hub says about the content: 64 hexadecimal digits are its SHA-256, 40 its git blob id.
HashKind HashKindOf(std::string_view etag);

// Hashes bytes in order. Not thread-safe.
class Hasher {
 public:
  // `size` is the number of bytes that will follow: git's blob id begins with it.
  static Result<Hasher> Create(HashKind kind, uint64_t size);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void Update(std::span<const std::byte> bytes);
  // The digest in lower-case hexadecimal. Call once.
  std::string Finish();

 private:
  struct Context;
  explicit Hasher(std::unique_ptr<Context> context);
  std::unique_ptr<Context> context_;
};

// Hashes a file by reading it once. `on_bytes` hears of every piece read; `cancel` ends it with kCancelled.
Result<std::string> HashFile(const std::string& path, HashKind kind, const std::atomic<bool>* cancel = nullptr,
                             const std::function<void(uint64_t)>& on_bytes = {});

}  // namespace lfm::hub
