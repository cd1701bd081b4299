// Reads arbitrary text as a calibration, and applies what is one: the result stays a distribution.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "classify/calibration.h"
#include "classify/set_calibration.h"

namespace {

// A calibration of several questions for one small set, in both kinds: what is read applies and is written back the same.
void ReadAsSet(std::string_view text) {
  using namespace lfm;
  using namespace lfm::classify;
  static const LabelSet set = *LabelSet::Create({{"a", "", {}, ""}, {"b", "", {}, "a"}, {"c", "", {}, "a"}});
  static const LabelTree tree(set);
  const std::vector<std::string> names = {"a", "b", "c"};
  for (const SetKind kind : {SetKind::kParents, SetKind::kMultiLabel}) {
    const auto read = ReadSetCalibration(text, kind, {"", ""}, tree, names);
    if (!read.ok()) continue;
    std::vector<double> row = {1, .25, .75};
    read->Apply(tree, row);
    for (const double p : row) {
      if (!(p >= 0 && p <= 1)) std::abort();
    }
    static_cast<void>(read->ThresholdsFor(0.9));
    if (!ReadSetCalibration(SetCalibrationJson(*read, tree, names).Dump(), kind, {"", ""}, tree, names).ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  using namespace lfm::classify;
  ReadAsSet({reinterpret_cast<const char*>(data), size});
  const auto json = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!json.ok()) return 0;
  const auto calibration = CalibrationFromJson(*json);
  if (!calibration.ok()) return 0;
  std::vector<double> row(calibration->biases.size());
  row[0] = 1;
  calibration->Apply(row);
  double sum = 0;
  for (const double p : row) sum += p;
  if (!(std::abs(sum - 1) < 1e-6)) std::abort();
  static_cast<void>(calibration->ThresholdFor(0.9));
  // What was written is read back as the same.
  std::vector<std::string> names;
  for (const Json& label : (*json)["labels"].items()) names.push_back(label["name"].AsString());
  const auto again = ReadCalibration(CalibrationJson(*calibration, names).Dump(), calibration->made_for, names);
  if (!again.ok() || again->biases != calibration->biases || again->temperature != calibration->temperature) std::abort();
  return 0;
}
