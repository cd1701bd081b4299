// Reads arbitrary text as a file of routes, and as labels; whatever is one can be chosen from.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "classify/routes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  using namespace lfm::classify;
  const auto json = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!json.ok()) return 0;
  static_cast<void>(LabelSet::FromJson(*json));
  const auto file = RoutesFromJson(*json);
  if (!file.ok()) return 0;
  const auto labels = file->Labels();
  if (!labels.ok() || labels->size() != file->routes.size()) std::abort();
  const std::vector<double> even(file->routes.size(), 1.0 / static_cast<double>(file->routes.size()));
  const RouteDecision decision = Choose(*file, even, 0.5);
  if (decision.order.size() != even.size() || (decision.route && *decision.route != 0)) std::abort();
  return 0;
}
