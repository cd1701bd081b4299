// Label files and templates of columns: any text gives a checked set or an error.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "classify/labels.h"
#include "classify/table.h"

namespace {

void CheckSet(const lfm::Result<lfm::classify::LabelSet>& set) {
  if (!set.ok()) {
    LFM_CHECK(!set.error().message.empty() && set.error().message.find('\n') == std::string::npos);
    return;
  }
  LFM_CHECK(set->size() > 0 && set->size() <= lfm::classify::kMaxLabels);
  for (size_t i = 0; i < set->size(); ++i) {
    LFM_CHECK(set->Find((*set)[i].name) == i);
    int depth = 0;
    for (size_t at = i; at < set->size(); at = set->ParentOf(at)) LFM_CHECK(++depth <= lfm::classify::kMaxLabelDepth + 1);
  }
  (void)set->Hash();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckSet(lfm::classify::LabelSet::FromList(text));
  if (const auto json = lfm::ParseJson(text); json.ok()) CheckSet(lfm::classify::LabelSet::FromJson(*json));
  auto parsed = lfm::classify::TextTemplate::Parse(text);
  if (!parsed.ok()) return 0;
  lfm::classify::TableRow row;
  row.fields = {"a"};
  if (parsed->Bind({"a"}).ok()) LFM_CHECK(parsed->Of(row).ok());
  return 0;
}
