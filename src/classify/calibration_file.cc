// The file of a calibration: {"format": "lfm-calibration", "version": 1, "model", "prompt", "temperature", "labels":
// [{"name", "bias"}], "thresholds": [{"precision", "confidence", "coverage"}], ...}. Members that are not known are left alone:
// a report may stand beside the figures. Version 2 is that of a set of several questions (set_calibration.h).
#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "classify/calibration.h"
#include "classify/set_calibration.h"

namespace lfm::classify {
namespace {

constexpr int64_t kCalibrationVersion = 1, kSetCalibrationVersion = 2;
constexpr const char* kParentsKind = "parents";
constexpr const char* kMultiLabelKind = "multi-label";
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

Json ThresholdsJson(const std::vector<PrecisionThreshold>& thresholds) {
  Json list = Json::MakeArray();
  for (const PrecisionThreshold& threshold : thresholds) {
    list.Append(Json::MakeObject(
        {{"precision", threshold.precision}, {"confidence", threshold.confidence}, {"coverage", threshold.coverage}}));
  }
  return list;
}

Error OtherLabels(size_t i, const std::string& here, const std::string& there) {
  return BadCalibration(StrCat("it was fitted for other labels: label ", i + 1, " is ", Quote(here), " here and ", Quote(there),
                               " there; fit again"));
}

// That it is one, and of that version.
Status CheckHead(const Json& json, int64_t version) {
  if (!json.is_object() || json["format"].AsString() != kCalibrationFormat) {
    return BadCalibration("this is no calibration of lfm classify fit");
  }
  const int64_t found = json["version"].AsInt();
  if (found == version) return Ok();
  if (found == kSetCalibrationVersion) {
    return BadCalibration("it was fitted for labels with parents or for --multi-label, not for one of these labels; fit again");
  }
  if (found == kCalibrationVersion) {
    return BadCalibration("it was fitted for labels of which one is right, without parents; fit again");
  }
  return BadCalibration(StrCat("a calibration of version ", json["version"].Dump(), "; this program reads version ",
                               kCalibrationVersion, " and ", kSetCalibrationVersion));
}

Status CheckFingerprint(const Fingerprint& there, const Fingerprint& here) {
  if (there.model != here.model) return BadCalibration("it was fitted with another model; fit again with this one");
  if (there.labels == here.labels) return Ok();
  return BadCalibration(
      "it was fitted with another prompt (descriptions, examples, instructions, --method or --permutations); fit again");
}

struct NamedCalibration {
  Calibration calibration;
  std::vector<std::string> names;
};

Result<NamedCalibration> NamedFromJson(const Json& json) {
  LFM_RETURN_IF_ERROR(CheckHead(json, kCalibrationVersion));
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

Status ReadLabels(const Json& list, std::span<const std::string> names, SetCalibration& calibration) {
  if (!list.is_array() || list.items().size() != names.size()) {
    return BadCalibration(StrCat("it was fitted for ", list.items().size(), " labels, here are ", names.size(), "; fit again"));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const Json& item = list.items()[i];
    LFM_TRY(const std::string name, TextOf(item, "name"));
    if (name != names[i]) return OtherLabels(i, names[i], name);
    Calibration part;
    LFM_TRY(part.temperature, NumberBetween(item, "temperature", kLeastTemperature, kMostTemperature));
    LFM_TRY(const double bias, NumberBetween(item, "bias", -kMostBias, kMostBias));
    part.biases = {bias, 0};
    LFM_TRY(const double threshold, NumberBetween(item, "threshold", 0, 1));
    LFM_TRY(std::vector<PrecisionThreshold> thresholds, ThresholdsFromJson(item["thresholds"]));
    calibration.parts.push_back(std::move(part));
    calibration.label_thresholds.push_back(threshold);
    calibration.thresholds.push_back(std::move(thresholds));
  }
  return Ok();
}

Result<Calibration> GroupFromJson(const Json& json, const LabelGroup& group, std::span<const std::string> names) {
  const std::string parent = group.parent < names.size() ? names[group.parent] : "";
  const Json& labels = json["labels"];
  if (json["parent"].AsString() != parent || !labels.is_array() || labels.items().size() != group.places.size()) {
    return BadCalibration(parent.empty() ? std::string("it was fitted for other labels at the top; fit again")
                                         : StrCat("it was fitted for other labels below ", Quote(parent), "; fit again"));
  }
  Calibration part;
  LFM_TRY(part.temperature, NumberBetween(json, "temperature", kLeastTemperature, kMostTemperature));
  for (size_t j = 0; j < group.places.size(); ++j) {
    const Json& item = labels.items()[j];
    LFM_TRY(const std::string name, TextOf(item, "name"));
    if (name != names[group.places[j]]) return OtherLabels(group.places[j], names[group.places[j]], name);
    LFM_TRY(const double bias, NumberBetween(item, "bias", -kMostBias, kMostBias));
    part.biases.push_back(bias);
  }
  return part;
}

Status ReadGroups(const Json& json, const LabelTree& tree, std::span<const std::string> names, SetCalibration& calibration) {
  const Json &groups = json["groups"], &levels = json["levels"];
  if (!groups.is_array() || groups.items().size() != tree.groups().size()) {
    return BadCalibration(
        StrCat("it was fitted for ", groups.items().size(), " groups of labels, here are ", tree.groups().size(), "; fit again"));
  }
  for (size_t g = 0; g < tree.groups().size(); ++g) {
    LFM_TRY(Calibration part, GroupFromJson(groups.items()[g], tree.groups()[g], names));
    calibration.parts.push_back(std::move(part));
  }
  if (!levels.is_array() || levels.items().size() != static_cast<size_t>(tree.n_levels())) {
    return BadCalibration(StrCat("\"levels\" is no list of ", tree.n_levels()));
  }
  for (const Json& level : levels.items()) {
    LFM_TRY(std::vector<PrecisionThreshold> thresholds, ThresholdsFromJson(level["thresholds"]));
    calibration.thresholds.push_back(std::move(thresholds));
  }
  return Ok();
}

}  // namespace

Json CalibrationJson(const Calibration& calibration, std::span<const std::string> names) {
  Json json = Json::MakeObject();
  json.Set("format", kCalibrationFormat);
  json.Set("version", kCalibrationVersion);
  json.Set("model", calibration.made_for.model);
  json.Set("prompt", calibration.made_for.labels);
  json.Set("temperature", calibration.temperature);
  Json labels = Json::MakeArray();
  for (size_t i = 0; i < names.size(); ++i) {
    labels.Append(Json::MakeObject({{"name", names[i]}, {"bias", calibration.biases[i]}}));
  }
  json.Set("labels", std::move(labels));
  json.Set("thresholds", ThresholdsJson(calibration.thresholds));
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
    if (names[i] != read.names[i]) return OtherLabels(i, names[i], read.names[i]);
  }
  if (names.size() != read.names.size()) {
    return BadCalibration(StrCat("it was fitted for ", read.names.size(), " labels, here are ", names.size(), "; fit again"));
  }
  LFM_RETURN_IF_ERROR(CheckFingerprint(read.calibration.made_for, here));
  return std::move(read.calibration);
}

Json SetCalibrationJson(const SetCalibration& calibration, const LabelTree& tree, std::span<const std::string> names) {
  const bool is_multi = calibration.kind == SetKind::kMultiLabel;
  Json json = Json::MakeObject();
  json.Set("format", kCalibrationFormat);
  json.Set("version", kSetCalibrationVersion);
  json.Set("kind", is_multi ? kMultiLabelKind : kParentsKind);
  json.Set("model", calibration.made_for.model);
  json.Set("prompt", calibration.made_for.labels);
  Json list = Json::MakeArray(), levels = Json::MakeArray();
  for (size_t i = 0; is_multi && i < names.size(); ++i) {
    const Calibration& part = calibration.parts[i];
    list.Append(Json::MakeObject({{"name", names[i]},
                                  {"temperature", part.temperature},
                                  {"bias", part.biases[0]},
                                  {"threshold", calibration.label_thresholds[i]},
                                  {"thresholds", ThresholdsJson(calibration.thresholds[i])}}));
  }
  if (is_multi) {
    json.Set("labels", std::move(list));
    return json;
  }
  for (size_t g = 0; g < tree.groups().size(); ++g) {
    const LabelGroup& group = tree.groups()[g];
    Json labels = Json::MakeArray();
    for (size_t j = 0; j < group.places.size(); ++j) {
      labels.Append(Json::MakeObject({{"name", names[group.places[j]]}, {"bias", calibration.parts[g].biases[j]}}));
    }
    list.Append(Json::MakeObject({{"parent", group.parent < names.size() ? Json(names[group.parent]) : Json()},
                                  {"temperature", calibration.parts[g].temperature},
                                  {"labels", std::move(labels)}}));
  }
  for (const auto& thresholds : calibration.thresholds) {
    levels.Append(Json::MakeObject({{"thresholds", ThresholdsJson(thresholds)}}));
  }
  json.Set("groups", std::move(list));
  json.Set("levels", std::move(levels));
  return json;
}

Result<SetCalibration> ReadSetCalibration(std::string_view text, SetKind kind, const Fingerprint& here, const LabelTree& tree,
                                          std::span<const std::string> names) {
  LFM_TRY(const Json json, ParseJson(text, {.max_depth = kMaxCalibrationDepth, .max_bytes = kMaxCalibrationBytes}));
  LFM_RETURN_IF_ERROR(CheckHead(json, kSetCalibrationVersion));
  SetCalibration calibration;
  calibration.kind = kind;
  const bool is_multi = kind == SetKind::kMultiLabel;
  if (json["kind"].AsString() != (is_multi ? kMultiLabelKind : kParentsKind)) {
    return BadCalibration(is_multi ? "it was not fitted for --multi-label; fit again"
                                   : "it was fitted for --multi-label; fit again");
  }
  LFM_TRY(calibration.made_for.model, TextOf(json, "model"));
  LFM_TRY(calibration.made_for.labels, TextOf(json, "prompt"));
  LFM_RETURN_IF_ERROR(is_multi ? ReadLabels(json["labels"], names, calibration) : ReadGroups(json, tree, names, calibration));
  LFM_RETURN_IF_ERROR(CheckFingerprint(calibration.made_for, here));
  return calibration;
}

}  // namespace lfm::classify
