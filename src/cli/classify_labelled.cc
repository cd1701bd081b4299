#include "cli/classify_labelled.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/strings.h"
#include "classify/fingerprint.h"
#include "classify/plots.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "formats/checkpoint.h"

namespace lfm::cli {
namespace {

using classify::Figure;
using classify::Fit;
using classify::Metrics;

// A table of more labels than this would not be read; --json has them all.
constexpr size_t kMostTableLabels = 60;

struct LabelledRun {
  std::unique_ptr<Threads> threads;
  std::shared_ptr<engine::LoadedModel> model;
  std::unique_ptr<classify::Classifier> classifier;
  std::vector<std::string> names;  // of the labels
  classify::LabelledScores scores;
  double seconds = 0;  // of scoring
};

Result<LabelledRun> ReadAndScore(const ClassifyArgs& args, const LabelledArgs& labelled) {
  if (!labelled.labelled) return Error{ErrorCode::kInvalidArgument, "no labelled rows are given; use --labelled FILE"};
  LFM_TRY(classify::LabelSet labels, args.Labels());
  LFM_TRY(const classify::ClassifierOptions options, args.Options());
  if (!labels.is_flat() || args.multi_label) {
    return Error{ErrorCode::kInvalidArgument, "fit and eval take labels of which one is right: no parents, no --multi-label"};
  }
  LFM_TRY(OpenedTable table, args.Open(*labelled.labelled));
  if (table.format == classify::TableFormat::kLines) {
    return Error{ErrorCode::kInvalidArgument, "--labelled needs columns: CSV, TSV or JSON lines, by name or --format"};
  }
  auto rows = classify::ReadLabelled(*table.reader, table.text, labelled.label_column.value_or("label"), labels);
  if (!rows.ok()) return rows.error().Within(StrCat("--labelled ", Plain(*labelled.labelled)));
  ArmInterrupt();
  LabelledRun run;
  for (const classify::Label& label : labels.labels()) run.names.push_back(label.name);
  LFM_TRY(run.threads, args.model.MakeThreads());
  LFM_TRY(run.model, args.model.Load(*run.threads));
  LFM_TRY(run.classifier, classify::Classifier::Create(run.model, *run.threads, std::move(labels), options));
  ProgressLine progress("scoring", ProgressLine::Unit::kRows);
  const auto begin = std::chrono::steady_clock::now();
  LFM_TRY(run.scores, classify::ScoreLabelled(*run.classifier, *rows, [&](int64_t done, int64_t total) {
            progress.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
            return !Interrupted();
          }));
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (run.scores.scored.truth.empty()) return Error{ErrorCode::kInvalidArgument, "--labelled: there is no row with a label"};
  return run;
}

// "0.9640 (0.9480 to 0.9780)".
std::string WithBounds(const Figure& figure, int digits) {
  return StrCat(Fixed(figure.value, digits), " (", Fixed(figure.low, digits), " to ", Fixed(figure.high, digits), ")");
}

void PrintFitTable(const Fit& fit) {
  const auto line = [](const std::string& name, const Figure& before, const Figure& after) {
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

Json FitJson(const Fit& fit, std::span<const std::string> names) {
  Json json = CalibrationJson(fit.calibration, names);
  Json report = Json::MakeObject();
  report.Set("rows", fit.before.n_rows);
  report.Set("helps", fit.helps);
  report.Set("shrinkage", std::isfinite(fit.shrinkage) ? Json(fit.shrinkage) : Json());
  constexpr std::pair<const char*, Figure Metrics::*> kShown[] = {
      {"log_loss", &Metrics::log_loss}, {"ece", &Metrics::ece}, {"brier", &Metrics::brier}, {"accuracy", &Metrics::accuracy}};
  for (const auto& [name, figure] : kShown) {
    report.Set(name, Json::MakeObject({{"before", (fit.before.*figure).value}, {"after", (fit.after.*figure).value}}));
  }
  json.Set("report", std::move(report));
  return json;
}

void WarnOfGaps(const Fit& fit, std::span<const std::string> names) {
  std::string missing;
  size_t n = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (fit.before.labels[i].n_rows > 0 || n++ >= 5) continue;
    missing += StrCat(missing.empty() ? "" : ", ", Plain(names[i]));
  }
  if (n > 0) Warn(StrCat(n, n == 1 ? " label has" : " labels have", " no row: ", missing, n > 5 ? ", ..." : ""));
  if (!fit.helps) Warn("on rows left out the calibration is no better than none; more labelled rows may change that");
}

void PrintEval(const Metrics& metrics, std::span<const std::string> names, const classify::NoneFigures& none) {
  const auto line = [](const std::string& name, const Figure& figure) {
    WriteOut(StrCat(Padded(name, 26), WithBounds(figure, 4), "\n"));
  };
  line("accuracy", metrics.accuracy);
  line("macro-F1", metrics.macro_f1);
  line("ECE (15 bins)", metrics.ece);
  line("Brier", metrics.brier);
  line("log loss", metrics.log_loss);
  line("AURC", metrics.aurc);
  line(StrCat("coverage at ", Fixed(100 * metrics.precision, 1), " % right"), metrics.coverage);
  if (none.n_rows > 0) {
    WriteOut(StrCat("\n", none.n_rows, " rows without a right label, told apart (AUROC) by label mass ",
                    Fixed(none.by_label_mass, 4), ", confidence ", Fixed(none.by_confidence, 4), ", margin ",
                    Fixed(none.by_margin, 4), "\n"));
  }
  WriteOut(StrCat("\n", Padded("label", 26), "     rows precision    recall        F1\n"));
  for (size_t i = 0; i < std::min(names.size(), kMostTableLabels); ++i) {
    const classify::LabelFigures& label = metrics.labels[i];
    WriteOut(StrCat(Padded(Plain(names[i], 24), 26), RightAligned(std::to_string(label.n_rows), 9),
                    RightAligned(Fixed(label.precision, 4), 10), RightAligned(Fixed(label.recall, 4), 10),
                    RightAligned(Fixed(label.f1, 4), 10), "\n"));
  }
  if (names.size() > kMostTableLabels)
    WriteOut(StrCat("... and ", names.size() - kMostTableLabels, " more; --json has them all\n"));
}

Result<classify::Fingerprint> FingerprintHere(const engine::LoadedModel& model, const classify::Classifier& classifier) {
  LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(model.path()));
  return classify::FingerprintOf(checkpoint, classifier);
}

Status WriteText(const std::string& path, const std::string& text) {
  LFM_TRY(AtomicFile file, AtomicFile::Create(path));
  LFM_RETURN_IF_ERROR(file.Append(text));
  return file.Commit();
}

Status WritePlots(const std::string& folder, const Metrics& metrics, std::span<const std::string> names) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{ErrorCode::kIo, StrCat("--plots ", Plain(folder), ": ", failed.message())};
  const std::string reliability = folder + "/reliability.svg", confusion = folder + "/confusion.svg";
  LFM_RETURN_IF_ERROR(WriteText(reliability, classify::ReliabilitySvg(metrics, "Reliability")));
  LFM_RETURN_IF_ERROR(WriteText(confusion, classify::ConfusionSvg(metrics, names, "Confusion")));
  NoteWritten(reliability, "the reliability diagram");
  NoteWritten(confusion, "the confusion matrix");
  return Ok();
}

}  // namespace

void LabelledArgs::Declare(Args& args) {
  args.Text("--labelled", labelled, "FILE", "fit, eval: rows whose label is known (CSV, TSV, JSON lines)");
  args.Text("--label-column", label_column, "NAME", "fit, eval: the column with it (default label); empty there: none is right");
  args.Text("--plots", plots, "DIR", "eval: write reliability.svg and confusion.svg there");
  args.Flag("--json", json, "fit, eval: the figures as one JSON document");
}

Result<classify::Calibration> ReadCalibrationFor(const std::string& path, const engine::LoadedModel& model,
                                                 const classify::Classifier& classifier) {
  LFM_TRY(const std::string text, ReadFileOrInput(path, "--calibration"));
  LFM_TRY(const classify::Fingerprint here, FingerprintHere(model, classifier));
  std::vector<std::string> names;
  for (const classify::Label& label : classifier.labels().labels()) names.push_back(label.name);
  auto calibration = classify::ReadCalibration(text, here, names);
  if (!calibration.ok()) return calibration.error().Within(StrCat("--calibration ", Plain(path)));
  return calibration;
}

double ShortestDouble(float value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  double read = static_cast<double>(value);
  std::from_chars(text, end, read);
  return read;
}

Result<int> RunClassifyFit(const ClassifyArgs& args, const LabelledArgs& labelled, std::optional<float> precision,
                           const std::string& output) {
  if (output.empty()) return Error{ErrorCode::kInvalidArgument, "lfm classify fit writes a calibration; name it by -o FILE.json"};
  LFM_TRY(LabelledRun run, ReadAndScore(args, labelled));
  classify::FitOptions options;
  if (precision) options.precisions.push_back(ShortestDouble(*precision));
  options.progress = [](int, int) { return !Interrupted(); };
  LFM_TRY(Fit fit, classify::FitCalibration(run.scores.scored, options));
  LFM_TRY(fit.calibration.made_for, FingerprintHere(*run.model, *run.classifier));
  const Json json = FitJson(fit, run.names);
  LFM_RETURN_IF_ERROR(WriteText(output, json.Dump(1) + "\n"));
  if (labelled.json) {
    WriteJson(json);
  } else {
    PrintFitTable(fit);
  }
  WarnOfGaps(fit, run.names);
  NoteWritten(output, StrCat("a calibration from ", fit.before.n_rows, " rows"));
  return kExitOk;
}

Result<int> RunClassifyEval(const ClassifyArgs& args, const LabelledArgs& labelled, std::optional<float> precision,
                            const std::optional<std::string>& calibration) {
  LFM_TRY(LabelledRun run, ReadAndScore(args, labelled));
  const classify::NoneFigures none = classify::MeasureNone(run.scores);
  classify::Scored& scored = run.scores.scored;
  if (calibration) {
    LFM_TRY(const classify::Calibration fitted, ReadCalibrationFor(*calibration, *run.model, *run.classifier));
    fitted.Apply(scored);
  }
  classify::MeasureOptions options;
  if (precision) options.precision = ShortestDouble(*precision);
  LFM_TRY(const Metrics metrics, classify::Measure(scored, options));
  const double rows_per_second = static_cast<double>(scored.n_rows() + none.n_rows) / std::max(run.seconds, 1e-9);
  if (labelled.json) {
    Json json = classify::MetricsJson(metrics, run.names);
    json.Set("without_label", Json::MakeObject({{"rows", none.n_rows},
                                                {"auroc_label_mass", none.by_label_mass},
                                                {"auroc_confidence", none.by_confidence},
                                                {"auroc_margin", none.by_margin}}));
    json.Set("rows_per_second", rows_per_second);
    WriteJson(json);
  } else {
    PrintEval(metrics, run.names, none);
    Note(StrCat("lfm: ", scored.n_rows() + none.n_rows, " rows at ", Fixed(rows_per_second, 1), " rows/s\n"));
  }
  if (labelled.plots) LFM_RETURN_IF_ERROR(WritePlots(*labelled.plots, metrics, run.names));
  return kExitOk;
}

}  // namespace lfm::cli
