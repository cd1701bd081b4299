// Builds GGUF files field by field, right or wrong, for the reader's tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lfm::test {

namespace gguf_types {  // of a key's value
constexpr uint32_t kU8 = 0, kI8 = 1, kU16 = 2, kI16 = 3, kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7, kString = 8, kArray = 9,
                   kU64 = 10, kI64 = 11, kF64 = 12;
}  // namespace gguf_types

class GgufBytes {
 public:
  template <typename T>
  static std::string Raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string Text(std::string_view text) { return Raw(uint64_t{text.size()}) + std::string(text); }

  // A key with its u32 type and the value's bytes.
  GgufBytes& Key(std::string_view key, uint32_t type, const std::string& value) {
    keys_ += Text(key) + Raw(type) + value;
    ++n_keys;
    return *this;
  }
  GgufBytes& Tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    tensors_ += Text(name) + Raw(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) tensors_ += Raw(dim);
    tensors_ += Raw(type) + Raw(offset);
    ++n_tensors;
    return *this;
  }
  GgufBytes& Data(size_t n) {
    n_data_ = n;
    return *this;
  }

  std::string Build() const {
    std::string out = magic + Raw(version) + Raw(n_tensors) + Raw(n_keys) + keys_ + tensors_;
    if (n_data_ > 0) out.resize((out.size() + 31) / 32 * 32, '\0');
    return out + std::string(n_data_, '\x11');
  }

  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t n_tensors = 0, n_keys = 0;  // counted; a test may overwrite them

 private:
  std::string keys_, tensors_;
  size_t n_data_ = 0;
};

}  // namespace lfm::test
