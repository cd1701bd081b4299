// The file of a calibration: {"format": "lfm-calibration", "version": 1, "model", "prompt", "temperature", "labels":
// [{"name", "bias"}], "thresholds": [{"precision", "confidence", "coverage"}], ...}. Members that are not known are left alone:
// a report may stand beside the figures.
#include <cmath>

#include "base/strings.h"
#include "classify/calibration.h"

namespace lfm::classify {
namespace {

constexpr const char* kCalibrationFormat = "lfm-calibration";
constexpr int64_t kCalibrationVersion = 1;
constexpr size_t kMaxCalibrationBytes = size_t{64} << 20, kMaxThresholds = 1000;
constexpr int kMaxCalibrationDepth = 16;
// Beyond these a file is damaged: no fit comes near them.
constexpr double kLeastTemperature = 1e-3, kMostTemperature = 1e3, kMostBias = 1e3;

Error BadCalibration(std::string what) { return {ErrorCode::kInvalidArgument, std::move(what)}; }

Result<double> NumberBetween(const Json& json, const char* name, double low, double high) {
  const Json& value = json[name];
  const double number = value.AsDouble(std::nan(""));
  if (value.is_number() && number >= low && number <= high) return number;
  return BadCalibration(StrCat("\"", name, "\" is no number from ", low, " to ", high));
}

Result<std::string> TextOf(const Json& json, const char* name) {
  if (json[name].is_string()) return json[name].AsString();
  return BadCalibration(StrCat("\"", name, "\" is no text"));
}

Result<std::vector<PrecisionThreshold>> ThresholdsFromJson(const Json& list) {
  std::vector<PrecisionThreshold> thresholds;
  if (!list.is_array() || list.items().size() > kMaxThresholds) {
    return BadCalibration(StrCat("\"thresholds\" is no list of at most ", kMaxThresholds));
  }
  for (const Json& item : list.items()) {
    PrecisionThreshold threshold;
    LFM_TRY(threshold.precision, NumberBetween(item, "precision", 0, 1));
    LFM_TRY(threshold.confidence, NumberBetween(item, "confidence", 0, 1));
    LFM_TRY(threshold.coverage, NumberBetween(item, "coverage", 0, 1));
    thresholds.push_back(threshold);
  }
  return thresholds;
}

struct NamedCalibration {
  Calibration calibration;
  std::vector<std::string> names;
};

Result<NamedCalibration> NamedFromJson(const Json& json) {
  if (!json.is_object() || json["format"].AsString() != kCalibrationFormat) {
    return BadCalibration("this is no calibration of lfm classify fit");
  }
  if (json["version"].AsInt() != kCalibrationVersion) {
    return BadCalibration(
        StrCat("a calibration of version ", json["version"].Dump(), "; this program reads version ", kCalibrationVersion));
  }
  NamedCalibration read;
  Calibration& calibration = read.calibration;
  LFM_TRY(calibration.made_for.model, TextOf(json, "model"));
  LFM_TRY(calibration.made_for.labels, TextOf(json, "prompt"));
  LFM_TRY(calibration.temperature, NumberBetween(json, "temperature", kLeastTemperature, kMostTemperature));
  if (!json["labels"].is_array() || json["labels"].items().empty()) return BadCalibration("\"labels\" is no list of labels");
  for (const Json& item : json["labels"].items()) {
    LFM_TRY(std::string name, TextOf(item, "name"));
    LFM_TRY(const double bias, NumberBetween(item, "bias", -kMostBias, kMostBias));
    read.names.push_back(std::move(name));
    calibration.biases.push_back(bias);
  }
  LFM_TRY(calibration.thresholds, ThresholdsFromJson(json["thresholds"]));
  return read;
}

}  // namespace

Json CalibrationJson(const Calibration& calibration, std::span<const std::string> names) {
  Json json = Json::MakeObject();
  json.Set("format", kCalibrationFormat);
  json.Set("version", kCalibrationVersion);
  json.Set("model", calibration.made_for.model);
  json.Set("prompt", calibration.made_for.labels);
  json.Set("temperature", calibration.temperature);
  Json labels = Json::MakeArray(), thresholds = Json::MakeArray();
  for (size_t i = 0; i < names.size(); ++i) {
    labels.Append(Json::MakeObject({{"name", names[i]}, {"bias", calibration.biases[i]}}));
  }
  for (const PrecisionThreshold& threshold : calibration.thresholds) {
    thresholds.Append(Json::MakeObject(
        {{"precision", threshold.precision}, {"confidence", threshold.confidence}, {"coverage", threshold.coverage}}));
  }
  json.Set("labels", std::move(labels));
  json.Set("thresholds", std::move(thresholds));
  return json;
}

Result<Calibration> CalibrationFromJson(const Json& json) {
  LFM_TRY(NamedCalibration read, NamedFromJson(json));
  return std::move(read.calibration);
}

Result<Calibration> ReadCalibration(std::string_view text, const Fingerprint& here, std::span<const std::string> names) {
  LFM_TRY(const Json json, ParseJson(text, {.max_depth = kMaxCalibrationDepth, .max_bytes = kMaxCalibrationBytes}));
  LFM_TRY(NamedCalibration read, NamedFromJson(json));
  const size_t n = std::min(names.size(), read.names.size());
  for (size_t i = 0; i < n; ++i) {
    if (names[i] == read.names[i]) continue;
    return BadCalibration(StrCat("it was fitted for other labels: label ", i + 1, " is ", Quote(names[i]), " here and ",
                                 Quote(read.names[i]), " there; fit again"));
  }
  if (names.size() != read.names.size()) {
    return BadCalibration(StrCat("it was fitted for ", read.names.size(), " labels, here are ", names.size(), "; fit again"));
  }
  if (read.calibration.made_for.model != here.model) {
    return BadCalibration("it was fitted with another model; fit again with this one");
  }
  if (read.calibration.made_for.labels != here.labels) {
    return BadCalibration(
        "it was fitted with another prompt (descriptions, examples, instructions, --method or --permutations); fit again");
  }
  return std::move(read.calibration);
}

}  // namespace lfm::classify
