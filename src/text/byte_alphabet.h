// The byte-level alphabet of GPT-2: every byte as one printable character, so that vocabularies are text.
// Bytes 33-126, 161-172 and 174-255 are themselves; the others, in order, are U+0100, U+0101, ...
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lfm::text {

// The bytes that a vocabulary entry stands for, or nothing when a character is not in the alphabet.
std::optional<std::string> BytesOfAlphabet(std::string_view text);
// The alphabet's text of bytes: the inverse.
std::string AlphabetOfBytes(std::string_view bytes);

}  // namespace lfm::text
