// Texts that come from files in other encodings than UTF-8.
#pragma once

#include <string_view>

#include "base/result.h"

namespace lfm {

// An error where the text is UTF-16 or UTF-32 by its byte order mark, or by the zero bytes beside its first letters: it says
// so, with the way to convert it. `name` is what the text came from.
Status CheckEncoding(std::string_view text, std::string_view name);

// The text without UTF-8's byte order mark, which editors put in front.
std::string_view WithoutMark(std::string_view text);

}  // namespace lfm
