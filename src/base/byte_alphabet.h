// The byte-level alphabet of GPT-2: every byte as one printable character, so that vocabularies are text.
// Bytes 33-126, 161-172 and 174-255 are themselves; the others, in order, are U+0100, U+0101, ...
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lfm {

// Whether the byte is a printable character of Latin-1, which stands for itself.
constexpr bool StandsForItself(unsigned char byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

// The bytes that a vocabulary entry stands for, or nothing when a character is not in the alphabet.
std::optional<std::string> BytesOfAlphabet(std::string_view text);
// The alphabet's text of bytes: the inverse.
std::string AlphabetOfBytes(std::string_view bytes);

}  // namespace lfm
