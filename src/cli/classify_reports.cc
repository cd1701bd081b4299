#include "cli/classify_reports.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "cli/figures.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

using classify::Fit;
using classify::LabelTree;
using classify::Metrics;
using classify::MultiMetrics;

// A table of more labels than this would not be read; --json has them all.
constexpr size_t kMostTableLabels = 60;

constexpr std::pair<const char*, classify::Figure Metrics::*> kFitLines[] = {
    {"log loss", &Metrics::log_loss}, {"ECE", &Metrics::ece},           {"Brier", &Metrics::brier},
    {"accuracy", &Metrics::accuracy}, {"macro-F1", &Metrics::macro_f1}, {"AURC", &Metrics::aurc}};
constexpr std::pair<const char*, classify::Figure MultiMetrics::*> kMultiLines[] = {
    {"rows all right", &MultiMetrics::subset_accuracy},
    {"wrong decisions", &MultiMetrics::hamming_loss},
    {"micro-F1", &MultiMetrics::micro_f1},
    {"macro-F1", &MultiMetrics::macro_f1},
    {"ECE (15 bins)", &MultiMetrics::ece},
    {"Brier", &MultiMetrics::brier},
    {"log loss", &MultiMetrics::log_loss}};

// "0.9640 (0.9480 to 0.9780)".
std::string WithBounds(const classify::Figure& figure, int digits) {
  return StrCat(Fixed(figure.value, digits), " (", Fixed(figure.low, digits), " to ", Fixed(figure.high, digits), ")");
}

void PrintBeforeAndAfter(const std::string& name, const classify::Figure& before, const classify::Figure& after) {
  WriteOut(StrCat(Padded(name, 16), Padded(WithBounds(before, 4), 30), WithBounds(after, 4), "\n"));
}

void PrintHeadOfFit() {
  WriteOut(StrCat(Padded("", 16), Padded("as the model gives them", 30), "calibrated, on rows left out\n"));
}

void PrintThreshold(const classify::PrecisionThreshold& threshold, const std::string& where) {
  WriteOut(StrCat("precision ", Fixed(threshold.precision, 2), where, "  from a confidence of ", Fixed(threshold.confidence, 4),
                  " on: ", Fixed(100 * threshold.coverage, 1), " % of the rows\n"));
}

std::string PartText(const classify::PartFit& part) {
  if (!part.fitted) return "as the model gives it";
  return std::isfinite(part.shrinkage) ? StrCat("biases shrunk by ", part.shrinkage) : std::string("no biases");
}

Json PartJson(const classify::PartFit& part) {
  return Json::MakeObject({{"rows", part.n_rows},
                           {"fitted", part.fitted},
                           {"shrinkage", part.fitted && std::isfinite(part.shrinkage) ? Json(part.shrinkage) : Json()}});
}

template <typename M, typename Lines>
Json BeforeAndAfter(const M& before, const M& after, const Lines& shown) {
  Json report = Json::MakeObject();
  for (const auto& [name, figure] : shown) {
    report.Set(name, Json::MakeObject({{"before", (before.*figure).value}, {"after", (after.*figure).value}}));
  }
  return report;
}

constexpr std::pair<const char*, classify::Figure Metrics::*> kReported[] = {
    {"log_loss", &Metrics::log_loss}, {"ece", &Metrics::ece}, {"brier", &Metrics::brier}, {"accuracy", &Metrics::accuracy}};
constexpr std::pair<const char*, classify::Figure MultiMetrics::*> kMultiReported[] = {
    {"log_loss", &MultiMetrics::log_loss}, {"ece", &MultiMetrics::ece},
    {"brier", &MultiMetrics::brier},       {"micro_f1", &MultiMetrics::micro_f1},
    {"macro_f1", &MultiMetrics::macro_f1}, {"subset_accuracy", &MultiMetrics::subset_accuracy}};

void PrintFigures(const Metrics& metrics) {
  const auto line = [](const std::string& name, const classify::Figure& figure) {
    WriteOut(StrCat(Padded(name, 26), WithBounds(figure, 4), "\n"));
  };
  line("accuracy", metrics.accuracy);
  line("macro-F1", metrics.macro_f1);
  line("ECE (15 bins)", metrics.ece);
  line("Brier", metrics.brier);
  line("log loss", metrics.log_loss);
  line("AURC", metrics.aurc);
  line(StrCat("coverage at ", Fixed(100 * metrics.precision, 1), " % right"), metrics.coverage);
}

void PrintNone(const classify::NoneFigures& none) {
  if (none.n_rows == 0) return;
  WriteOut(StrCat("\n", none.n_rows, " rows without a right label, told apart (AUROC) by label mass ",
                  Fixed(none.by_label_mass, 4), ", confidence ", Fixed(none.by_confidence, 4), ", margin ",
                  Fixed(none.by_margin, 4), "\n"));
}

void PrintLabel(const std::string& name, const classify::LabelFigures& label, const std::string& more) {
  WriteOut(StrCat(Padded(Plain(name, 24), 26), RightAligned(std::to_string(label.n_rows), 9),
                  RightAligned(Fixed(label.precision, 4), 10), RightAligned(Fixed(label.recall, 4), 10),
                  RightAligned(Fixed(label.f1, 4), 10), more, "\n"));
}

void PrintRest(size_t n_labels) {
  if (n_labels > kMostTableLabels) WriteOut(StrCat("... and ", n_labels - kMostTableLabels, " more; --json has them all\n"));
}

void PrintLabels(const Metrics& metrics, std::span<const std::string> names) {
  WriteOut(StrCat("\n", Padded("label", 26), "     rows precision    recall        F1\n"));
  for (size_t i = 0; i < std::min(names.size(), kMostTableLabels); ++i) PrintLabel(names[i], metrics.labels[i], "");
  PrintRest(names.size());
}

std::string LevelTitle(const LabelTree& tree, int level, const Metrics& metrics) {
  return StrCat("level ", level, level == tree.n_levels() ? " (the leaves): " : ": ", metrics.n_labels, " labels, ",
                metrics.n_rows, metrics.n_rows == 1 ? " row\n" : " rows\n");
}

}  // namespace

std::vector<std::string> NamesOnLevel(const LabelTree& tree, int level, std::span<const std::string> names) {
  std::vector<std::string> found;
  for (const size_t place : tree.Cut(level)) found.push_back(names[place]);
  return found;
}

void PrintFit(const Fit& fit) {
  const auto line = [](const std::string& name, const classify::Figure& before, const classify::Figure& after) {
    WriteOut(StrCat(Padded(name, 14), Padded(WithBounds(before, 4), 30), WithBounds(after, 4), "\n"));
  };
  WriteOut(StrCat(Padded("", 14), Padded("as the model gives them", 30), "calibrated, on rows left out\n"));
  line("log loss", fit.before.log_loss, fit.after.log_loss);
  line("ECE", fit.before.ece, fit.after.ece);
  line("Brier", fit.before.brier, fit.after.brier);
  line("accuracy", fit.before.accuracy, fit.after.accuracy);
  line("macro-F1", fit.before.macro_f1, fit.after.macro_f1);
  line("AURC", fit.before.aurc, fit.after.aurc);
  WriteOut(StrCat("\ntemperature   ", Fixed(fit.calibration.temperature, 4), "\n"));
  WriteOut(std::isfinite(fit.shrinkage) ? StrCat("biases        of each label, shrunk by ", fit.shrinkage, "\n")
                                        : std::string("biases        none: they gain nothing on rows left out\n"));
  for (const classify::PrecisionThreshold& threshold : fit.calibration.thresholds) {
    WriteOut(StrCat("precision ", Fixed(threshold.precision, 2), "  from a confidence of ", Fixed(threshold.confidence, 4),
                    " on: ", Fixed(100 * threshold.coverage, 1), " % of the rows\n"));
  }
}

void PrintFit(const classify::TreeFit& fit, const LabelTree& tree, std::span<const std::string> names) {
  PrintHeadOfFit();
  for (size_t i = 0; i < fit.before.size(); ++i) {
    WriteOut(LevelTitle(tree, static_cast<int>(i) + 1, fit.before[i]));
    for (const auto& [name, figure] : kFitLines)
      PrintBeforeAndAfter(StrCat("  ", name), fit.before[i].*figure, fit.after[i].*figure);
  }
  WriteOut(StrCat("\n", Padded("labels below", 26), "     rows temperature\n"));
  for (size_t g = 0; g < std::min(fit.parts.size(), kMostTableLabels); ++g) {
    const size_t parent = tree.groups()[g].parent;
    WriteOut(StrCat(Padded(parent < names.size() ? Plain(names[parent], 24) : "(the top)", 26),
                    RightAligned(std::to_string(fit.parts[g].n_rows), 9),
                    RightAligned(Fixed(fit.calibration.parts[g].temperature, 4), 12), "  ", PartText(fit.parts[g]), "\n"));
  }
  PrintRest(fit.parts.size());
  for (size_t i = 0; i < fit.calibration.thresholds.size(); ++i) {
    for (const auto& threshold : fit.calibration.thresholds[i]) PrintThreshold(threshold, StrCat(" on level ", i + 1));
  }
}

void PrintFit(const classify::MultiFit& fit, std::span<const std::string> names) {
  PrintHeadOfFit();
  for (const auto& [name, figure] : kMultiLines) PrintBeforeAndAfter(name, fit.before.*figure, fit.after.*figure);
  WriteOut(StrCat("\n", Padded("label", 26), "     rows temperature      bias  given from\n"));
  for (size_t i = 0; i < std::min(names.size(), kMostTableLabels); ++i) {
    const classify::Calibration& part = fit.calibration.parts[i];
    WriteOut(StrCat(Padded(Plain(names[i], 24), 26), RightAligned(std::to_string(fit.parts[i].n_rows), 9),
                    RightAligned(Fixed(part.temperature, 4), 12), RightAligned(Fixed(part.biases[0], 4), 10),
                    RightAligned(Fixed(fit.calibration.label_thresholds[i], 4), 12), "  ", PartText(fit.parts[i]), "\n"));
  }
  PrintRest(names.size());
}

void PrintEval(const Metrics& metrics, std::span<const std::string> names, const classify::NoneFigures& none) {
  PrintFigures(metrics);
  PrintNone(none);
  PrintLabels(metrics, names);
}

void PrintEval(std::span<const Metrics> levels, const LabelTree& tree, std::span<const std::string> names,
               const classify::NoneFigures& none) {
  for (size_t i = 0; i < levels.size(); ++i) {
    const int level = static_cast<int>(i) + 1;
    WriteOut((i > 0 ? "\n" : "") + LevelTitle(tree, level, levels[i]));
    PrintFigures(levels[i]);
    PrintLabels(levels[i], NamesOnLevel(tree, level, names));
  }
  PrintNone(none);
}

void PrintEval(const MultiMetrics& metrics, std::span<const std::string> names) {
  for (const auto& [name, figure] : kMultiLines) WriteOut(StrCat(Padded(name, 26), WithBounds(metrics.*figure, 4), "\n"));
  WriteOut(StrCat("\n", Padded("label", 26), "     rows precision    recall        F1     AUROC\n"));
  for (size_t i = 0; i < std::min(names.size(), kMostTableLabels); ++i) {
    PrintLabel(names[i], metrics.labels[i].counts, RightAligned(Fixed(metrics.labels[i].auroc, 4), 10));
  }
  PrintRest(names.size());
}

Json FitJson(const Fit& fit, std::span<const std::string> names) {
  Json json = CalibrationJson(fit.calibration, names);
  Json report = Json::MakeObject();
  report.Set("rows", fit.before.n_rows);
  report.Set("helps", fit.helps);
  report.Set("shrinkage", std::isfinite(fit.shrinkage) ? Json(fit.shrinkage) : Json());
  for (const auto& [name, figure] : kReported) {
    report.Set(name, Json::MakeObject({{"before", (fit.before.*figure).value}, {"after", (fit.after.*figure).value}}));
  }
  json.Set("report", std::move(report));
  return json;
}

Json FitJson(const classify::TreeFit& fit, const LabelTree& tree, std::span<const std::string> names) {
  Json json = SetCalibrationJson(fit.calibration, tree, names);
  Json report = Json::MakeObject(), levels = Json::MakeArray(), groups = Json::MakeArray();
  report.Set("rows", fit.before.front().n_rows);
  for (size_t i = 0; i < fit.before.size(); ++i) {
    Json level = BeforeAndAfter(fit.before[i], fit.after[i], kReported);
    level.Set("rows", fit.before[i].n_rows);
    levels.Append(std::move(level));
  }
  for (const classify::PartFit& part : fit.parts) groups.Append(PartJson(part));
  report.Set("levels", std::move(levels));
  report.Set("groups", std::move(groups));
  json.Set("report", std::move(report));
  return json;
}

Json FitJson(const classify::MultiFit& fit, std::span<const std::string> names) {
  Json json = SetCalibrationJson(fit.calibration, classify::LabelTree(), names);
  Json report = BeforeAndAfter(fit.before, fit.after, kMultiReported), labels = Json::MakeArray();
  report.Set("rows", fit.before.n_rows);
  for (const classify::PartFit& part : fit.parts) labels.Append(PartJson(part));
  report.Set("labels", std::move(labels));
  json.Set("report", std::move(report));
  return json;
}

Json NoneJson(const classify::NoneFigures& none) {
  return Json::MakeObject({{"rows", none.n_rows},
                           {"auroc_label_mass", none.by_label_mass},
                           {"auroc_confidence", none.by_confidence},
                           {"auroc_margin", none.by_margin}});
}

}  // namespace lfm::cli
