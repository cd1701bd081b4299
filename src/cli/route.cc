// lfm route: which handler takes a message, how sure that is, and what else came near.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "classify/classifier.h"
#include "classify/routes.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

constexpr int64_t kMostAlternatives = 100;

class RouteCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("TEXT", text_, "the message (- for standard input, the default)");
    model_.DeclareModel(args);
    args.Text("--routes", routes_, "FILE", "JSON: routes with name, description, utterances, threshold, and tool, model or url");
    args.Real("--threshold", threshold_, "P", "the probability below which no route is taken (default: the file's, else 0)");
    args.Real("--min-label-mass", label_mass_, "P",
              "no route where the model begins any of their names with less probability than this (default: the file's, else 0)");
    args.Integer("--top", n_top_, "N", "so many alternatives beside the decision (default 2)");
    args.Flag("--explain", explain_, "show the exact prompt too");
    args.Flag("--json", json_, "one JSON document");
    model_.DeclareCompute(args);
    args.Footer("A route's own threshold comes before --threshold. Exit code 0 whether a route was taken or not.");
  }

  Result<int> Run() override {
    LFM_TRY(const classify::RouteFile file, ReadRoutes());
    LFM_TRY(classify::LabelSet labels, file.Labels());
    LFM_TRY(const std::string text, Text());
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    LFM_TRY(const auto classifier, classify::Classifier::Create(loaded, *threads, std::move(labels)));
    LFM_TRY(const auto all, classifier->Score(std::span(&text, 1), &Interrupted()));
    const classify::Scores& scores = all[0];
    if (!scores.status.ok()) return scores.status.error();
    std::string prompt;
    if (explain_) {
      LFM_TRY(prompt, classifier->PromptText(text));
    }
    const classify::RouteDecision decision = classify::Choose(file, scores.probabilities, scores.label_mass);
    if (json_) {
      WriteJson(DecisionJson(file, scores, decision, prompt));
    } else {
      Print(file, scores, decision, prompt);
    }
    return kExitOk;
  }

 private:
  Result<classify::RouteFile> ReadRoutes() const {
    if (!routes_) return Error{ErrorCode::kInvalidArgument, "no routes are given; use --routes FILE.json"};
    if (n_top_ < 0 || n_top_ > kMostAlternatives) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--top: ", n_top_, " is not between 0 and ", kMostAlternatives)};
    }
    for (const auto& [flag, value] : {std::pair("--threshold", threshold_), std::pair("--min-label-mass", label_mass_)}) {
      if (!value || (*value >= 0 && *value <= 1)) continue;
      return Error{ErrorCode::kInvalidArgument, StrCat(flag, ": a probability from 0 to 1 is wanted")};
    }
    LFM_TRY(const Json json, ReadJsonFile(*routes_, "--routes"));
    auto file = classify::RoutesFromJson(json);
    if (!file.ok()) return file.error().Within(StrCat("--routes ", Plain(*routes_)));
    if (threshold_) file->threshold = static_cast<double>(*threshold_);
    if (label_mass_) file->min_label_mass = static_cast<double>(*label_mass_);
    return file;
  }

  Result<std::string> Text() const {
    std::string text = text_.value_or("-");
    if (text == "-") {
      LFM_TRY(text, ReadInputText());
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.empty()) return Error{ErrorCode::kInvalidArgument, "there is no message; give one as TEXT or on standard input"};
    return text;
  }

  size_t AlternativesShown(const classify::RouteDecision& decision) const {
    return std::min(decision.order.size(), static_cast<size_t>(n_top_) + 1);
  }

  Json DecisionJson(const classify::RouteFile& file, const classify::Scores& scores, const classify::RouteDecision& decision,
                    const std::string& prompt) const {
    const size_t best = decision.order[0];
    const classify::Route& route = file.routes[best];
    Json json = Json::MakeObject();
    json.Set("route", decision.route ? Json(route.label.name) : Json());
    json.Set("probability", scores.probabilities[best]);
    json.Set("threshold", route.threshold.value_or(file.threshold));
    if (decision.route) {
      json.Set("target", Json::MakeObject({{"kind", classify::TargetKindName(route.target.kind)},
                                           {"value", route.target.kind == classify::TargetKind::kLabel ? route.label.name
                                                                                                       : route.target.value}}));
    } else {
      json.Set("target", Json());
      json.Set("likeliest", route.label.name);
    }
    if (!file.fallback.empty()) json.Set("fallback", file.fallback);
    Json alternatives = Json::MakeArray();
    for (size_t i = 1; i < AlternativesShown(decision); ++i) {
      const size_t at = decision.order[i];
      alternatives.Append(Json::MakeObject({{"route", file.routes[at].label.name}, {"probability", scores.probabilities[at]}}));
    }
    json.Set("alternatives", std::move(alternatives));
    json.Set("label_mass", scores.label_mass);
    json.Set("min_label_mass", file.min_label_mass);
    if (explain_) json.Set("prompt", prompt);
    return json;
  }

  void Print(const classify::RouteFile& file, const classify::Scores& scores, const classify::RouteDecision& decision,
             const std::string& prompt) const {
    if (explain_) WriteOut(StrCat(prompt, "\n\n"));
    const size_t best = decision.order[0];
    const classify::Route& route = file.routes[best];
    const std::string sure = Fixed(scores.probabilities[best], 4);
    if (decision.route) {
      WriteOut(StrCat(Plain(route.label.name), "  ", sure));
      if (route.target.kind != classify::TargetKind::kLabel) {
        WriteOut(StrCat("  -> ", classify::TargetKindName(route.target.kind), " ", Plain(route.target.value)));
      }
    } else {
      const double needed = decision.is_foreign ? file.min_label_mass : route.threshold.value_or(file.threshold);
      const std::string what = decision.is_foreign ? StrCat("the label mass is ", Fixed(scores.label_mass, 4))
                                                   : StrCat(Plain(route.label.name), " has ", sure);
      WriteOut(StrCat("none  (", what, " and needs ", Fixed(needed, 4), ")"));
      if (!file.fallback.empty()) WriteOut(StrCat("  -> ", Plain(file.fallback)));
    }
    WriteOut("\n");
    for (size_t i = decision.route ? 1 : 0; i < AlternativesShown(decision); ++i) {
      const size_t at = decision.order[i];
      WriteOut(StrCat("  ", Plain(file.routes[at].label.name), "  ", Fixed(scores.probabilities[at], 4), "\n"));
    }
    WriteOut(StrCat("  (label mass, the probability that any of them is meant: ", Fixed(scores.label_mass, 4), ")\n"));
  }

  ModelArgs model_;
  std::optional<std::string> text_, routes_;
  std::optional<float> threshold_, label_mass_;
  int64_t n_top_ = 2;
  bool explain_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeRoute() { return std::make_unique<RouteCommand>(); }

}  // namespace lfm::cli
