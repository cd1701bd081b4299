// The byte-level alphabet of GPT-2 in both directions.
#include "text/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace lfm::text {
namespace {

constexpr int kMaxCode = 0x143;  // 256 + 68 - 1: the last of the replaced bytes

struct Tables {
  std::array<char16_t, 256> code_of{};
  std::array<int16_t, kMaxCode + 1> byte_of{};
};

constexpr Tables kTables = [] {
  Tables t;
  for (auto& byte : t.byte_of) byte = -1;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const int code = itself ? byte : next++;
    t.code_of[static_cast<size_t>(byte)] = static_cast<char16_t>(code);
    t.byte_of[static_cast<size_t>(code)] = static_cast<int16_t>(byte);
  }
  return t;
}();

}  // namespace

std::optional<std::string> BytesOfAlphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    if (c.code > kMaxCode || kTables.byte_of[c.code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(kTables.byte_of[c.code])));
    i += c.length;
  }
  return bytes;
}

std::string AlphabetOfBytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) AppendUtf8(text, kTables.code_of[static_cast<unsigned char>(c)]);
  return text;
}

}  // namespace lfm::text
