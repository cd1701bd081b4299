// The byte-level alphabet of GPT-2 in both directions.
#include "base/byte_alphabet.h"

#include <array>
#include <cstdint>

namespace lfm {
namespace {

constexpr unsigned kMaxCode = 0x143;  // 256 + 68 - 1: the last of the replaced bytes

struct Tables {
  std::array<uint16_t, 256> code_of{};
  std::array<int16_t, kMaxCode + 1> byte_of{};
};

constexpr Tables kTables = [] {
  Tables t;
  for (auto& byte : t.byte_of) byte = -1;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const int code = StandsForItself(static_cast<unsigned char>(byte)) ? byte : next++;
    t.code_of[static_cast<size_t>(byte)] = static_cast<uint16_t>(code);
    t.byte_of[static_cast<size_t>(code)] = static_cast<int16_t>(byte);
  }
  return t;
}();

}  // namespace

// The alphabet's characters take one or two bytes of UTF-8: ASCII, or 110xxxxx 10xxxxxx.
std::optional<std::string> BytesOfAlphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = static_cast<unsigned char>(text[i]);
    if (code >= 0x80) {
      const unsigned next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
      if (code < 0xC2 || code > 0xDF || (next & 0xC0) != 0x80) return std::nullopt;
      code = (code & 0x1F) << 6 | (next & 0x3F);
      ++i;
    }
    if (code > kMaxCode || kTables.byte_of[code] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(kTables.byte_of[code])));
  }
  return bytes;
}

std::string AlphabetOfBytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    const unsigned code = kTables.code_of[static_cast<unsigned char>(c)];
    if (code < 0x80) {
      text.push_back(static_cast<char>(code));
    } else {
      text.push_back(static_cast<char>(0xC0 | code >> 6));
      text.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
  }
  return text;
}

}  // namespace lfm
