// String literals of templates: Python's escapes.
#pragma once

#include <string>
#include <string_view>

namespace lfm::jinja {

// The value of what stands between the quotes. A malformed escape is put into *problem.
std::string UnescapeString(std::string_view raw, std::string* problem);

}  // namespace lfm::jinja
