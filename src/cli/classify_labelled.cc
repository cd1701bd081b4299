#include "cli/classify_labelled.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/mapped_files.h"
#include "base/strings.h"
#include "classify/fingerprint.h"
#include "classify/plots.h"
#include "cli/classify_calibration.h"
#include "cli/classify_job.h"
#include "cli/classify_reports.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "formats/checkpoint.h"

namespace lfm::cli {
namespace {

using classify::Metrics;
using classify::MultiMetrics;
using classify::MultiScored;

struct LabelledRun {
  std::unique_ptr<Threads> threads;
  std::shared_ptr<engine::LoadedModel> model;
  std::unique_ptr<classify::Classifier> classifier;
  std::vector<std::string> names;  // of the labels
  classify::LabelTree tree;
  classify::LabelledScores scores;
  double seconds = 0;  // of scoring
};

Result<LabelledRun> ReadAndScore(const ClassifyArgs& args, const LabelledArgs& labelled) {
  if (!labelled.labelled) return Error{ErrorCode::kInvalidArgument, "no labelled rows are given; use --labelled FILE"};
  LFM_TRY(classify::LabelSet labels, args.Labels());
  LFM_TRY(const classify::ClassifierOptions options, args.Options());
  LFM_TRY(OpenedTable table, args.Open(*labelled.labelled));
  if (table.format == classify::TableFormat::kLines) {
    return Error{ErrorCode::kInvalidArgument, "--labelled needs columns: CSV, TSV or JSON lines, by name or --format"};
  }
  auto rows =
      classify::ReadLabelled(*table.reader, table.text, labelled.label_column.value_or("label"), labels, args.multi_label);
  if (!rows.ok()) return rows.error().Within(StrCat("--labelled ", Plain(*labelled.labelled)));
  ArmInterrupt();
  LabelledRun run;
  run.tree = classify::LabelTree(labels);
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
  if (run.scores.scored.probabilities.empty()) {
    return Error{ErrorCode::kInvalidArgument, StrCat("--labelled ", *labelled.labelled, ": there is no row with a label")};
  }
  return run;
}

std::vector<std::string> NamesOf(const classify::Classifier& classifier) {
  std::vector<std::string> names;
  for (const classify::Label& label : classifier.labels().labels()) names.push_back(label.name);
  return names;
}

MultiScored MultiOf(classify::LabelledScores scores) {
  return {scores.scored.n_labels, std::move(scores.scored.probabilities), std::move(scores.fits)};
}

// Names labels without a row; counts[i]: the rows of names[i].
void WarnOfGaps(std::span<const int64_t> counts, std::span<const std::string> names) {
  std::string missing;
  size_t n = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (counts[i] > 0 || n++ >= 5) continue;
    missing += StrCat(missing.empty() ? "" : ", ", Plain(names[i]));
  }
  if (n > 0) Warn(StrCat(n, n == 1 ? " label has" : " labels have", " no row: ", missing, n > 5 ? ", ..." : ""));
}

void WarnOfNoGain(bool helps) {
  if (!helps) Warn("on rows left out the calibration is no better than none; more labelled rows may change that");
}

std::vector<int64_t> RowsOf(const Metrics& metrics) {
  std::vector<int64_t> counts;
  for (const classify::LabelFigures& label : metrics.labels) counts.push_back(label.n_rows);
  return counts;
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

Status WritePlot(const std::string& path, const std::string& svg, std::string_view what) {
  LFM_RETURN_IF_ERROR(WriteText(path, svg));
  NoteWritten(path, what);
  return Ok();
}

// The folder of the plots, made where it is not there.
Status MakeFolder(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (!failed) return Ok();
  return Error{ErrorCode::kIo, StrCat("--plots ", Plain(folder), ": ", failed.message())};
}

Status WritePlots(const std::string& folder, const Metrics& metrics, std::span<const std::string> names) {
  LFM_RETURN_IF_ERROR(MakeFolder(folder));
  LFM_RETURN_IF_ERROR(
      WritePlot(folder + "/reliability.svg", classify::ReliabilitySvg(metrics, "Reliability"), "the reliability diagram"));
  return WritePlot(folder + "/confusion.svg", classify::ConfusionSvg(metrics, names, "Confusion"), "the confusion matrix");
}

// Each level that was measured has its own two; those of the last one have the names of a flat set's.
Status WritePlots(const std::string& folder, std::span<const Metrics> levels, const LabelledRun& run) {
  LFM_RETURN_IF_ERROR(MakeFolder(folder));
  for (size_t i = 0; i < levels.size(); ++i) {
    const int level = static_cast<int>(i) + 1;
    const std::vector<std::string> names = NamesOnLevel(run.tree, level, run.names);
    if (level == run.tree.n_levels()) return WritePlots(folder, levels[i], names);
    const std::string where = StrCat("of level ", level), end = StrCat("-level-", level, ".svg");
    LFM_RETURN_IF_ERROR(WritePlot(StrCat(folder, "/reliability", end),
                                  classify::ReliabilitySvg(levels[i], StrCat("Reliability ", where)),
                                  StrCat("the reliability diagram ", where)));
    LFM_RETURN_IF_ERROR(WritePlot(StrCat(folder, "/confusion", end),
                                  classify::ConfusionSvg(levels[i], names, StrCat("Confusion ", where)),
                                  StrCat("the confusion matrix ", where)));
  }
  return Ok();
}

Status WritePlots(const std::string& folder, const MultiMetrics& metrics, std::span<const std::string> names) {
  LFM_RETURN_IF_ERROR(MakeFolder(folder));
  LFM_RETURN_IF_ERROR(
      WritePlot(folder + "/reliability.svg", classify::ReliabilitySvg(metrics, "Reliability"), "the reliability diagram"));
  return WritePlot(folder + "/labels.svg", classify::LabelCountsSvg(metrics, names, "Labels"), "what became of each label");
}

// Prints figures, with what eval says of every kind of set; the text where --json was not asked for.
void ReportEval(const LabelledArgs& labelled, Json json, double rows_per_second, int64_t n_rows,
                const std::function<void()>& print) {
  if (labelled.json) {
    json.Set("rows_per_second", rows_per_second);
    WriteJson(json);
    return;
  }
  print();
  Note(StrCat("lfm: ", n_rows, " rows at ", Fixed(rows_per_second, 1), " rows/s\n"));
}

Result<int> EvalMulti(LabelledRun& run, const LabelledArgs& labelled, const Adjustment& adjustment,
                      std::optional<float> threshold, const classify::MeasureOptions& options) {
  const MultiScored scored = MultiOf(std::move(run.scores));
  std::vector<double> thresholds(run.names.size(), kDefaultLabelThreshold);
  if (!adjustment.thresholds.empty()) thresholds = adjustment.thresholds;
  if (threshold) std::fill(thresholds.begin(), thresholds.end(), double{*threshold});
  LFM_TRY(const MultiMetrics metrics, classify::Measure(scored, GivenLabels(scored, thresholds), options));
  const double rate = static_cast<double>(scored.n_rows()) / std::max(run.seconds, 1e-9);
  ReportEval(labelled, MetricsJson(metrics, run.names), rate, scored.n_rows(), [&] { PrintEval(metrics, run.names); });
  if (labelled.plots) LFM_RETURN_IF_ERROR(WritePlots(*labelled.plots, metrics, run.names));
  return kExitOk;
}

Result<int> EvalTree(const LabelledRun& run, const LabelledArgs& labelled, const classify::NoneFigures& none,
                     const classify::MeasureOptions& options) {
  std::vector<Metrics> levels;
  Json list = Json::MakeArray();
  for (int level = 1; level <= run.tree.n_levels(); ++level) {
    const classify::Scored on = run.tree.OnLevel(run.scores.scored, level);
    if (on.n_rows() == 0) break;  // no row says what is right so far down
    LFM_TRY(Metrics metrics, classify::Measure(on, options));
    list.Append(MetricsJson(metrics, NamesOnLevel(run.tree, level, run.names)));
    levels.push_back(std::move(metrics));
  }
  const int64_t n_rows = run.scores.scored.n_rows() + none.n_rows;
  const double rate = static_cast<double>(n_rows) / std::max(run.seconds, 1e-9);
  Json json =
      Json::MakeObject({{"rows", run.scores.scored.n_rows()}, {"levels", std::move(list)}, {"without_label", NoneJson(none)}});
  ReportEval(labelled, std::move(json), rate, n_rows, [&] { PrintEval(levels, run.tree, run.names, none); });
  if (labelled.plots) LFM_RETURN_IF_ERROR(WritePlots(*labelled.plots, levels, run));
  return kExitOk;
}

// Writes the calibration's file and says what it gains.
Status ReportFit(const Json& json, const LabelledArgs& labelled, const std::string& output, int64_t n_rows,
                 const std::function<void()>& print) {
  LFM_RETURN_IF_ERROR(WriteText(output, json.Dump(1) + "\n"));
  labelled.json ? WriteJson(json) : print();
  NoteWritten(output, StrCat("a calibration from ", n_rows, " rows"));
  return Ok();
}

Result<int> FitMultiLabel(LabelledRun& run, const LabelledArgs& labelled, const classify::FitOptions& options,
                          const std::string& output) {
  const MultiScored scored = MultiOf(std::move(run.scores));
  LFM_TRY(classify::MultiFit fit, FitMulti(scored, options));
  LFM_TRY(fit.calibration.made_for, FingerprintHere(*run.model, *run.classifier));
  std::vector<int64_t> counts;
  for (const classify::PartFit& part : fit.parts) counts.push_back(part.n_rows);
  LFM_RETURN_IF_ERROR(ReportFit(FitJson(fit, run.names), labelled, output, scored.n_rows(), [&] { PrintFit(fit, run.names); }));
  WarnOfGaps(counts, run.names);
  WarnOfNoGain(fit.after.log_loss.value < fit.before.log_loss.value);
  return kExitOk;
}

Result<int> FitParents(const LabelledRun& run, const LabelledArgs& labelled, const classify::FitOptions& options,
                       const std::string& output) {
  LFM_TRY(classify::TreeFit fit, FitTree(run.tree, run.scores.scored, options));
  LFM_TRY(fit.calibration.made_for, FingerprintHere(*run.model, *run.classifier));
  LFM_RETURN_IF_ERROR(ReportFit(FitJson(fit, run.tree, run.names), labelled, output, run.scores.scored.n_rows(),
                                [&] { PrintFit(fit, run.tree, run.names); }));
  WarnOfGaps(RowsOf(fit.before.back()), NamesOnLevel(run.tree, static_cast<int>(fit.before.size()), run.names));
  WarnOfNoGain(fit.after.back().log_loss.value < fit.before.back().log_loss.value);
  return kExitOk;
}

}  // namespace

void LabelledArgs::Declare(Args& args) {
  args.Text("--labelled", labelled, "FILE", "fit, eval: rows whose label is known (CSV, TSV, JSON lines)");
  args.Text("--label-column", label_column, "NAME",
            "fit, eval: the column with it (default label); empty: none is right; several with ; between them");
  args.Text("--plots", plots, "DIR", "eval: write reliability.svg and confusion.svg (with --multi-label labels.svg) there");
  args.Flag("--json", json, "fit, eval: the figures as one JSON document");
}

Result<classify::Calibration> ReadCalibrationFor(const std::string& path, const engine::LoadedModel& model,
                                                 const classify::Classifier& classifier) {
  LFM_TRY(const std::string text, ReadFileOrInput(path, "--calibration"));
  CountAsMapped(path);  // no output takes its place
  LFM_TRY(const classify::Fingerprint here, FingerprintHere(model, classifier));
  auto calibration = classify::ReadCalibration(text, here, NamesOf(classifier));
  if (!calibration.ok()) return calibration.error().Within(StrCat("--calibration ", Plain(path)));
  return calibration;
}

Result<classify::SetCalibration> ReadSetCalibrationFor(const std::string& path, classify::SetKind kind,
                                                       const engine::LoadedModel& model, const classify::Classifier& classifier) {
  LFM_TRY(const std::string text, ReadFileOrInput(path, "--calibration"));
  CountAsMapped(path);  // no output takes its place
  LFM_TRY(const classify::Fingerprint here, FingerprintHere(model, classifier));
  const classify::LabelTree tree(classifier.labels());
  auto calibration = classify::ReadSetCalibration(text, kind, here, tree, NamesOf(classifier));
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
  if (args.multi_label) return FitMultiLabel(run, labelled, options, output);
  if (run.tree.n_levels() > 1) return FitParents(run, labelled, options, output);
  LFM_TRY(classify::Fit fit, classify::FitCalibration(run.scores.scored, options));
  LFM_TRY(fit.calibration.made_for, FingerprintHere(*run.model, *run.classifier));
  LFM_RETURN_IF_ERROR(ReportFit(FitJson(fit, run.names), labelled, output, fit.before.n_rows, [&] { PrintFit(fit); }));
  WarnOfGaps(RowsOf(fit.before), run.names);
  WarnOfNoGain(fit.helps);
  return kExitOk;
}

Result<int> RunClassifyEval(const ClassifyArgs& args, const LabelledArgs& labelled, const CalibrationArgs& calibration,
                            std::optional<float> threshold) {
  LFM_TRY(LabelledRun run, ReadAndScore(args, labelled));
  // Which rows have no right label is told from what the model says.
  const bool has_parents = run.tree.n_levels() > 1;
  classify::NoneFigures none;
  if (!args.multi_label) none = has_parents ? MeasureNone(run.scores, run.tree) : MeasureNone(run.scores);
  CalibrationArgs flags = calibration;
  if (!args.multi_label || !calibration.calibration) flags.precision.reset();  // there it says which coverage is shown
  LFM_TRY(const Adjustment adjustment, MakeAdjustment(flags, args, *labelled.labelled, *run.model, *run.classifier));
  std::vector<double>& probabilities = run.scores.scored.probabilities;
  for (size_t i = 0; adjustment.adjust && i < probabilities.size(); i += run.names.size()) {
    adjustment.adjust(std::span(probabilities).subspan(i, run.names.size()));
  }
  classify::MeasureOptions options;
  if (calibration.precision) options.precision = ShortestDouble(*calibration.precision);
  if (args.multi_label) return EvalMulti(run, labelled, adjustment, threshold, options);
  if (has_parents) return EvalTree(run, labelled, none, options);
  const classify::Scored& scored = run.scores.scored;
  LFM_TRY(const Metrics metrics, classify::Measure(scored, options));
  const int64_t n_rows = scored.n_rows() + none.n_rows;
  const double rate = static_cast<double>(n_rows) / std::max(run.seconds, 1e-9);
  Json json = MetricsJson(metrics, run.names);
  json.Set("without_label", NoneJson(none));
  ReportEval(labelled, std::move(json), rate, n_rows, [&] { PrintEval(metrics, run.names, none); });
  if (labelled.plots) LFM_RETURN_IF_ERROR(WritePlots(*labelled.plots, metrics, run.names));
  return kExitOk;
}

}  // namespace lfm::cli
