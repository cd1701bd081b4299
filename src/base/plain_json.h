// JSON on its way to a terminal or a log.
#pragma once

#include <string>

namespace lfm {

// The same document without bytes that a terminal would obey (DEL, C1, bidi controls): outside of strings JSON has none, and
// inside \uXXXX says the same.
std::string PlainJson(const std::string& json);

}  // namespace lfm
