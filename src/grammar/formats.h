// The formats of JSON Schema that are enforced, as languages: RFC 3339 dates with calendar truth, addresses, names.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "grammar/regex.h"

namespace lfm::grammar {

// Nothing for a format that is an annotation only.
Result<std::optional<Re>> FormatLanguage(RegexPool& pool, std::string_view name);

}  // namespace lfm::grammar
