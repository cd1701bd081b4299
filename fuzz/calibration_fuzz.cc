// Reads arbitrary text as a calibration, and applies what is one: the result stays a distribution.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "classify/calibration.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  using namespace lfm::classify;
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
