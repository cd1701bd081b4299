// JSON: any text parses or gives an error, and what was parsed prints to a text that parses to the same
// value.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = lfm::ParseJson(text);
  if (!json.ok()) {
    LFM_CHECK(!json.error().message.empty());
    return 0;
  }
  for (const int indent : {-1, 2}) {
    const std::string printed = json->Dump(indent);
    const auto again = lfm::ParseJson(printed);
    LFM_CHECK(again.ok() && *again == *json);
  }
  (void)json->AsInt();
  (void)json->AsDouble();
  return 0;
}
