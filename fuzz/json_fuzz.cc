// JSON: any text parses or gives an error, and what was parsed prints to a text that parses to the same
// value, but for numbers that are not finite: those print as null.
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/json.h"

namespace {

// The value with null for numbers that are not finite. Depth is bounded by the parser's.
lfm::Json WithoutNonFinite(lfm::Json json) {
  if (json.is_number() && !std::isfinite(json.AsDouble())) return {};
  for (lfm::Json& item : json.items()) item = WithoutNonFinite(std::move(item));
  for (auto& [name, value] : json.members()) value = WithoutNonFinite(std::move(value));
  return json;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = lfm::ParseJson(text);
  if (!json.ok()) {
    LFM_CHECK(!json.error().message.empty());
    return 0;
  }
  const lfm::Json printable = WithoutNonFinite(*json);
  for (const int indent : {-1, 2}) {
    const std::string printed = json->Dump(indent);
    const auto again = lfm::ParseJson(printed);
    LFM_CHECK(again.ok() && *again == printable);
  }
  (void)json->AsInt();
  (void)json->AsDouble();
  return 0;
}
