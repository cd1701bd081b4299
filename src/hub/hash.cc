// SHA-256 and git blob ids over OpenSSL's digests.
#include "hub/hash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/strings.h"
#include "hub/posix.h"

#ifdef LFM_PULL
#include <openssl/evp.h>
#endif

namespace lfm::hub {

HashKind HashKindOf(std::string_view etag) {
  const bool hex = std::all_of(etag.begin(), etag.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex) return HashKind::kNone;
  return etag.size() == 64 ? HashKind::kSha256 : etag.size() == 40 ? HashKind::kGitBlob : HashKind::kNone;
}

#ifdef LFM_PULL

struct Hasher::Context {
  EVP_MD_CTX* digest = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(digest); }
};

Result<Hasher> Hasher::Create(HashKind kind, uint64_t size) {
  auto context = std::make_unique<Context>();
  const EVP_MD* type = kind == HashKind::kSha256 ? EVP_sha256() : kind == HashKind::kGitBlob ? EVP_sha1() : nullptr;
  if (!type || !context->digest || EVP_DigestInit_ex(context->digest, type, nullptr) != 1) {
    return Error{ErrorCode::kInternal, "OpenSSL offers no such digest; a FIPS configuration may forbid it"};
  }
  Hasher hasher(std::move(context));
  if (kind == HashKind::kGitBlob) {
    std::string header = StrCat("blob ", size);
    header.push_back('\0');
    hasher.Update(std::as_bytes(std::span(header)));
  }
  return hasher;
}

void Hasher::Update(std::span<const std::byte> bytes) { EVP_DigestUpdate(context_->digest, bytes.data(), bytes.size()); }

std::string Hasher::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->digest, digest, &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

#else

struct Hasher::Context {};
Result<Hasher> Hasher::Create(HashKind, uint64_t) {
  return Error{ErrorCode::kUnsupported, "built without downloads (LFM_PULL=OFF), so without hashes"};
}
void Hasher::Update(std::span<const std::byte>) {}
std::string Hasher::Finish() { return {}; }

#endif

Hasher::Hasher(std::unique_ptr<Context> context) : context_(std::move(context)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

Result<std::string> HashFile(const std::string& path, HashKind kind, const std::atomic<bool>* cancel,
                             const std::function<void(uint64_t)>& on_bytes) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (fd.get() < 0 || fstat(fd.get(), &info) != 0) return SystemError("open", path);
  LFM_TRY(Hasher hasher, Hasher::Create(kind, static_cast<uint64_t>(info.st_size)));
  std::vector<std::byte> buffer(size_t{1} << 20);
  for (;;) {
    if (cancel && *cancel) return Error{ErrorCode::kCancelled, StrCat("checking ", path, " was interrupted")};
    const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("read", path);
    if (n == 0) return hasher.Finish();
    hasher.Update(std::span(buffer).first(static_cast<size_t>(n)));
    if (on_bytes) on_bytes(static_cast<uint64_t>(n));
  }
}

}  // namespace lfm::hub
