#include "classify/routes.h"

#include <algorithm>
#include <numeric>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr size_t kMaxTargetBytes = 4096;

Error BadRoute(size_t i, std::string_view what) { return {ErrorCode::kInvalidArgument, StrCat("route ", i + 1, " ", what)}; }

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<double> ProbabilityOf(const Json& value, const std::string& name) {
  const double number = value.AsDouble(-1);
  if (value.is_number() && number >= 0 && number <= 1) return number;
  return Error{ErrorCode::kInvalidArgument, StrCat("\"", name, "\" must be a probability from 0 to 1")};
}

Result<std::string> RouteText(const Json& value, const std::string& name, size_t i) {
  if (!value.is_string()) return BadRoute(i, StrCat("has no text in \"", name, "\""));
  if (value.AsString().size() > kMaxTargetBytes)
    return BadRoute(i, StrCat("has more than ", kMaxTargetBytes, " bytes in \"", name, "\""));
  return value.AsString();
}

// One member of a route.
Status TakeMember(const std::string& name, const Json& value, size_t i, Route& route) {
  if (IsOneOf(name, {"llm", "metadata"}) || (value.is_null() && name != "name")) return Ok();
  if (name == "name") {
    LFM_TRY(route.label.name, RouteText(value, name, i));
  } else if (name == "description") {
    LFM_TRY(route.label.description, RouteText(value, name, i));
  } else if (name == "utterances") {
    if (!value.is_array()) return BadRoute(i, "has no list in \"utterances\"");
    for (const Json& item : value.items()) {
      LFM_TRY(std::string text, RouteText(item, name, i));
      route.label.examples.push_back(std::move(text));
    }
  } else if (name == "threshold" || name == "score_threshold") {
    if (route.threshold) return BadRoute(i, "has two thresholds; keep one");
    const auto threshold = ProbabilityOf(value, name);
    if (!threshold.ok()) return threshold.error().Within(StrCat("route ", i + 1));
    route.threshold = *threshold;
  } else if (IsOneOf(name, {"tool", "model", "url", "function_schemas"})) {
    if (route.target.kind != TargetKind::kLabel) return BadRoute(i, "leads to two targets; keep one of tool, model, url");
    route.target.kind = name == "model" ? TargetKind::kModel : name == "url" ? TargetKind::kUrl : TargetKind::kTool;
    const Json* text = &value;
    if (name == "function_schemas") {
      if (!value.is_array() || value.items().empty()) return BadRoute(i, "has no list in \"function_schemas\"");
      const Json& first = value.items()[0];
      text = first["function"].is_object() ? &first["function"]["name"] : &first["name"];
    }
    LFM_TRY(route.target.value, RouteText(*text, name, i));
    if (route.target.value.empty()) return BadRoute(i, StrCat("has an empty \"", name, "\""));
  } else {
    return BadRoute(i, StrCat("has the unknown member ", Quote(name),
                              "; known are name, description, utterances, threshold, tool, model, url"));
  }
  return Ok();
}

Result<Route> RouteFromJson(const Json& json, size_t i) {
  if (!json.is_object()) return BadRoute(i, "is no object");
  Route route;
  for (const auto& [name, value] : json.members()) LFM_RETURN_IF_ERROR(TakeMember(name, value, i, route));
  return route;
}

Status TakeFileMember(const std::string& name, const Json& value, RouteFile& file) {
  if (IsOneOf(name, {"routes", "encoder_type", "encoder_name", "llm"}) || value.is_null()) return Ok();
  if (name == "threshold" || name == "min_label_mass") {
    LFM_TRY((name == "threshold" ? file.threshold : file.min_label_mass), ProbabilityOf(value, name));
    return Ok();
  }
  if (name != "fallback" && name != "instructions") {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("unknown member ", Quote(name), "; known are routes, threshold, min_label_mass, fallback, instructions")};
  }
  if (!value.is_string()) return Error{ErrorCode::kInvalidArgument, StrCat("\"", name, "\" must be a text")};
  (name == "fallback" ? file.fallback : file.instructions) = value.AsString();
  return Ok();
}

}  // namespace

const char* TargetKindName(TargetKind kind) {
  switch (kind) {
    case TargetKind::kLabel: return "label";
    case TargetKind::kTool: return "tool";
    case TargetKind::kModel: return "model";
    case TargetKind::kUrl: return "url";
  }
  return "label";
}

Result<LabelSet> RouteFile::Labels() const {
  std::vector<Label> labels;
  for (const Route& route : routes) labels.push_back(route.label);
  return LabelSet::Create(std::move(labels), instructions);
}

Result<RouteFile> RoutesFromJson(const Json& json) {
  RouteFile file;
  if (json.is_object()) {
    for (const auto& [name, value] : json.members()) LFM_RETURN_IF_ERROR(TakeFileMember(name, value, file));
  }
  const Json& list = json.is_object() ? json["routes"] : json;
  if (!list.is_array()) {
    return Error{ErrorCode::kInvalidArgument,
                 "routes are a list of objects with \"name\", or an object with the list \"routes\""};
  }
  for (const Json& item : list.items()) {
    if (file.routes.size() > kMaxLabels) break;  // LabelSet says so
    LFM_TRY(Route route, RouteFromJson(item, file.routes.size()));
    file.routes.push_back(std::move(route));
  }
  const auto labels = file.Labels();
  if (!labels.ok()) return labels.error().Within("routes");
  return file;
}

RouteDecision Choose(const RouteFile& file, std::span<const double> probabilities, double label_mass) {
  RouteDecision decision;
  decision.order.resize(probabilities.size());
  std::iota(decision.order.begin(), decision.order.end(), size_t{0});
  std::stable_sort(decision.order.begin(), decision.order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  if (decision.order.empty()) return decision;
  const size_t best = decision.order[0];
  decision.is_foreign = label_mass < file.min_label_mass;
  if (!decision.is_foreign && probabilities[best] >= file.routes[best].threshold.value_or(file.threshold)) decision.route = best;
  return decision;
}

}  // namespace lfm::classify
