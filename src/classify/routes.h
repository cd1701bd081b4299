// Handlers for messages: a file of routes, and the one that takes a message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "classify/labels.h"

namespace lfm::classify {

enum class TargetKind : uint8_t { kLabel, kTool, kModel, kUrl };

// What a chosen route leads to. kLabel: nothing but its name.
struct RouteTarget {
  TargetKind kind = TargetKind::kLabel;
  std::string value;  // the name of a tool or model, or the address
};
const char* TargetKindName(TargetKind kind);  // "label", "tool", "model", "url"

struct Route {
  Label label;                      // name, description, and utterances as examples
  std::optional<double> threshold;  // the probability from which on it is taken
  RouteTarget target;
};

struct RouteFile {
  std::vector<Route> routes;
  std::string fallback;       // what to do with a message that no route takes; may be empty
  double threshold = 0;       // of routes without one of their own
  double min_label_mass = 0;  // with less probability that any route is meant, none is taken
  std::string instructions;   // empty: the default ones

  // The labels of the routes, for a Classifier.
  Result<LabelSet> Labels() const;
};

// A list of routes, or {"routes": [...], "threshold", "min_label_mass", "fallback", "instructions"}. A route: {"name", "description", "utterances",
// "threshold", and at most one of "tool", "model", "url"}. Semantic-router's members are taken too: "score_threshold" is the
// threshold (here of a probability), of "function_schemas" the first one's name is the tool, "llm" and "metadata" are left
// alone, and so are its files' "encoder_type" and "encoder_name". Other unknown members are errors.
Result<RouteFile> RoutesFromJson(const Json& json);

// Which route takes a message of these probabilities (in the routes' order).
struct RouteDecision {
  std::optional<size_t> route;  // none: the likeliest one stays below its threshold, or the label mass below the file's
  std::vector<size_t> order;    // all routes, the likeliest first
  bool is_foreign = false;      // the label mass is too low
};
RouteDecision Choose(const RouteFile& file, std::span<const double> probabilities, double label_mass);

}  // namespace lfm::classify
