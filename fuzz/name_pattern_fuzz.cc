// Expressions on names, from anywhere: parsing never crashes, matching ends, and what a group or an alternative with itself
// cannot change does not change.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/strings.h"
#include "quant/name_pattern.h"

// The expression, a line end, the name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using lfm::quant::NamePattern;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(0, end), name = input.substr(std::min(end + 1, input.size()));
  const auto pattern = NamePattern::Parse(text);
  if (!pattern.ok()) {
    LFM_CHECK(!pattern.error().message.empty());
    return 0;
  }
  const bool matches = pattern->Matches(name);
  for (const std::string& same : {lfm::StrCat("(?:", text, ")"), lfm::StrCat("(", text, ")|(", text, ")")}) {
    const auto again = NamePattern::Parse(same);
    if (again.ok()) LFM_CHECK(again->Matches(name) == matches);  // else a limit
  }
  return 0;
}
