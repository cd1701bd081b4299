// Values as people write them on a command line. Errors say what was given and what is wanted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::cli {

Result<int64_t> ParseInteger(const std::string& text);
Result<uint64_t> ParseUnsigned(const std::string& text);
Result<float> ParseReal(const std::string& text);  // "inf" and "-inf" too, but no NaN

// "1,2,3", "1 2 3" or a JSON list of integers.
Result<std::vector<int32_t>> ParseIds(std::string_view text);

// "key=value": the value as JSON where it parses, else as a string.
Result<std::pair<std::string, Json>> ParseSetting(const std::string& text);

// "42=-1.5" or "42=-inf".
Result<std::pair<int32_t, float>> ParseLogitBias(const std::string& text);

std::string Base64(std::string_view bytes);

}  // namespace lfm::cli
