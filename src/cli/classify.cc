// lfm classify: a table of texts to labels with probabilities; fit and eval work on rows whose label is known.
#include <algorithm>
#include <chrono>
#include <memory>

#include "base/file.h"
#include "base/hash.h"
#include "base/strings.h"
#include "classify/calibration.h"
#include "cli/classify_calibration.h"
#include "cli/classify_job.h"
#include "cli/classify_labelled.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/version.h"
#include "formats/checkpoint.h"
#include "formats/packed_file.h"

namespace lfm::cli {
namespace {

constexpr int64_t kMostTop = 1000;
constexpr int64_t kTimedRows = 128;  // that --dry-run scores to know the speed
// The published prices of LFM2-8B-A1B, dollars for a million tokens.
constexpr double kPromptPrice = 0.01, kAnswerPrice = 0.02;

Status CheckShare(const std::optional<float>& value, const char* flag) {
  if (!value || (*value >= 0 && *value <= 1)) return Ok();
  return Error{ErrorCode::kInvalidArgument, StrCat(flag, ": ", *value, " is not between 0 and 1")};
}

class ClassifyCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("INPUT", input_,
                    "rows: CSV with a header, JSON lines or plain lines, also .gz (default: standard input); or fit: make a "
                    "calibration of labelled rows; or eval: measure on them");
    args_.model.DeclareModel(args);
    args_.DeclareQuestion(args);
    args_.DeclareTable(args);
    args.Text("-o,--output", output_, "FILE",
              "the rows with their labels (default: standard output); the same command goes on after a crash");
    args.Choice("--output-format", output_format_, {"csv", "jsonl"}, "of the output (default: by its name, else as the input)");
    args.Flag("--probabilities", all_probabilities_, "write those of all labels");
    args.Integer("--top-k", top_k_, "K", "write the K first labels");
    args.Real("--threshold", threshold_, "P",
              "abstain below this confidence; with --multi-label: of a label that fits (default 0.5)");
    args.Real("--min-label-mass", label_mass_, "P", "abstain where the model begins any label with less probability than this");
    args.Real("--cost-error", cost_error_, "C", "abstain where handing over is cheaper: the cost of a wrong label ...");
    args.Real("--cost-hand-over", cost_hand_over_, "C", "... and of a row that is handed over");
    args.Real("--until-confidence", until_, "P", "with parents: the last label on the way down that is so likely");
    calibration_.Declare(args);
    args.Text("--errors", errors_, "FILE", "rows that could not be classified, as JSON lines");
    args.Text("--trace", trace_, "FILE", "prompt ids, label ids and probabilities of each row, as JSON lines");
    args.Integer("--limit", limit_, "N", "classify the first N rows alone");
    args.Flag("--dry-run", dry_run_, "classify nothing: rows, tokens, time, and what the published API would cost");
    args.Flag("--explain", explain_, "print the exact prompt of the first row and classify nothing");
    labelled_.Declare(args);
    args_.model.DeclareContext(args);
    args_.model.DeclareCompute(args);
    args.Footer(
        "lfm classify fit --labelled FILE -o CAL.json, lfm classify eval --labelled FILE [--calibration CAL.json]: "
        "docs/classify.md. "
        "A table of the name fit or eval is ./fit or ./eval.");
  }

  Result<int> Run() override {
    const bool is_fit = input_ == "fit", is_eval = input_ == "eval";
    LFM_RETURN_IF_ERROR(CheckFlags());
    LFM_RETURN_IF_ERROR(calibration_.Check(is_fit || is_eval ? labelled_.labelled.value_or("-") : input_.value_or("-")));
    if (is_fit || is_eval) LFM_RETURN_IF_ERROR(CheckLabelledFlags(is_fit));
    if (is_fit) return RunClassifyFit(args_, labelled_, calibration_.precision, output_.value_or(""));
    if (is_eval) return RunClassifyEval(args_, labelled_, calibration_, threshold_);
    if (labelled_.labelled || labelled_.plots || labelled_.label_column || labelled_.json) {
      return Error{ErrorCode::kInvalidArgument,
                   "--labelled, --label-column, --plots and --json are for lfm classify fit and lfm classify eval"};
    }
    LFM_TRY(classify::LabelSet labels, args_.Labels());
    if (until_ && labels.is_flat()) return Error{ErrorCode::kInvalidArgument, "--until-confidence is for labels with parents"};
    LFM_TRY(classify::ClassifierOptions options, args_.Options());
    options.top_k = NeedsAll() ? 0 : std::max<int64_t>(2, top_k_.value_or(0));
    LFM_TRY(const auto threads, args_.model.MakeThreads());
    LFM_TRY(ClassifyJobOptions job, JobOptions());
    job.rows.label_thresholds.assign(labels.size(), job.threshold.value_or(kDefaultLabelThreshold));
    ArmInterrupt();
    LFM_TRY(OpenedTable table, args_.Open(input_.value_or("-")));
    LFM_RETURN_IF_ERROR(CheckFormats(table, job));
    LFM_TRY(const auto loaded, args_.model.Load(*threads));
    LFM_TRY(const auto classifier, classify::Classifier::Create(loaded, *threads, std::move(labels), options));
    if (trace_ && !classifier->labels().is_flat()) {
      return Error{ErrorCode::kInvalidArgument, "--trace: labels with parents are several questions; trace a flat set"};
    }
    if (explain_) return Explain(*classifier, table);
    if (dry_run_) return DryRun(*classifier, table);
    LFM_TRY(Adjustment adjustment, MakeAdjustment(calibration_, args_, input_.value_or("-"), *loaded, *classifier));
    job.adjust = std::move(adjustment.adjust);
    if (adjustment.threshold) job.threshold = adjustment.threshold;
    if (!args_.multi_label) job.level_thresholds = adjustment.thresholds;
    // --threshold is of all labels, and before what a calibration fitted for each.
    if (!adjustment.thresholds.empty() && !threshold_) job.rows.label_thresholds = adjustment.thresholds;
    LFM_TRY(job.settings, Settings(*classifier, table, adjustment));
    LFM_TRY(const ClassifyCounts counts, RunClassifyJob(*classifier, table, job));
    return Report(counts);
  }

 private:
  // Whether more than the first labels must be exact.
  bool NeedsAll() const { return all_probabilities_ || trace_.has_value() || calibration_.changes(); }

  Status CheckFlags() const {
    const auto refuse = [](std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; };
    LFM_RETURN_IF_ERROR(CheckShare(threshold_, "--threshold"));
    LFM_RETURN_IF_ERROR(CheckShare(label_mass_, "--min-label-mass"));
    LFM_RETURN_IF_ERROR(CheckShare(until_, "--until-confidence"));
    if (top_k_ && (*top_k_ < 1 || *top_k_ > kMostTop))
      return refuse(StrCat("--top-k: ", *top_k_, " is not between 1 and ", kMostTop));
    if (limit_ && *limit_ < 0) return refuse(StrCat("--limit: ", *limit_, " is no number of rows"));
    if (cost_error_.has_value() != cost_hand_over_.has_value()) {
      return refuse("--cost-error and --cost-hand-over are given together");
    }
    if (cost_error_) {
      const auto threshold = classify::ThresholdOfCosts(double{*cost_error_}, double{*cost_hand_over_});
      if (!threshold.ok()) return threshold.error().Within("--cost-error, --cost-hand-over");
    }
    if (cost_error_ && threshold_) return refuse("--threshold and the costs both say when to abstain; give one of them");
    if (calibration_.precision && (threshold_ || cost_error_)) {
      return refuse("--target-precision, --threshold and the costs all say when to abstain; give one of them");
    }
    if (calibration_.precision && until_) {
      return refuse("--target-precision and --until-confidence both say how far down to go; give one of them");
    }
    if (cost_error_ && args_.multi_label) {
      return refuse("the costs are of one wrong label; with --multi-label say by --threshold which labels fit");
    }
    if (trace_ && (args_.multi_label || args_.permutations.value_or(1) > 1)) {
      return refuse("--trace shows one prompt a row: it goes with neither --multi-label nor --permutations");
    }
    return Ok();
  }

  // What the other jobs alone take.
  Status CheckLabelledFlags(bool is_fit) const {
    const std::pair<const char*, bool> others[] = {
        {"-o", output_.has_value() && !is_fit},
        {"--output-format", output_format_.has_value()},
        {"--probabilities", all_probabilities_},
        {"--top-k", top_k_.has_value()},
        {"--threshold", threshold_.has_value() && (is_fit || !args_.multi_label)},
        {"--min-label-mass", label_mass_.has_value()},
        {"--cost-error", cost_error_.has_value()},
        {"--until-confidence", until_.has_value()},
        {"--errors", errors_.has_value()},
        {"--trace", trace_.has_value()},
        {"--limit", limit_.has_value()},
        {"--dry-run", dry_run_},
        {"--explain", explain_},
        {"--plots", labelled_.plots.has_value() && is_fit},
        {"--calibration", calibration_.calibration.has_value() && is_fit},
        {"--prior", calibration_.prior.has_value() && is_fit},
    };
    for (const auto& [flag, is_given] : others) {
      if (!is_given) continue;
      return Error{ErrorCode::kInvalidArgument, StrCat(flag, " says nothing to lfm classify ", is_fit ? "fit" : "eval")};
    }
    return Ok();
  }

  Result<ClassifyJobOptions> JobOptions() const {
    ClassifyJobOptions job;
    job.output = output_.value_or("-");
    job.errors = errors_;
    job.trace = trace_;
    job.limit = limit_;
    if (threshold_) job.threshold = *threshold_;
    if (label_mass_) job.label_mass = *label_mass_;
    if (cost_error_) {
      LFM_TRY(job.threshold, classify::ThresholdOfCosts(double{*cost_error_}, double{*cost_hand_over_}));
    }
    job.until_confidence = until_ ? double{*until_} : 0;
    job.rows.all_probabilities = all_probabilities_;
    job.rows.top_k = top_k_.value_or(0);
    job.rows.multi_label = args_.multi_label;
    return job;
  }

  Status CheckFormats(const OpenedTable& table, ClassifyJobOptions& job) const {
    const bool reads_json = table.format == classify::TableFormat::kJsonl;
    const bool named_json = job.output.ends_with(".jsonl") || job.output.ends_with(".ndjson");
    const bool named_csv = job.output.ends_with(".csv");
    job.rows.csv = output_format_ ? *output_format_ == "csv" : named_json ? false : named_csv ? true : !reads_json;
    if (job.rows.csv && reads_json) {
      return Error{ErrorCode::kInvalidArgument, "JSON lines have no columns to write as CSV; use --output-format jsonl"};
    }
    return Ok();
  }

  // All that the output depends on, but for the rows themselves, which are compared one by one.
  Result<std::string> Settings(const classify::Classifier& classifier, const OpenedTable& table,
                               const Adjustment& adjustment) const {
    LFM_TRY(const std::string path, args_.model.Path());
    LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
    LFM_TRY(const std::string prompt, classifier.PromptText(""));
    const classify::ClassifierOptions& options = classifier.options();
    const auto text = [](const auto& value) { return value ? StrCat("=", *value) : std::string("-"); };
    std::string all = StrCat(Version(), " ", Commit(), "\n", formats::SourceKey(checkpoint), " ", checkpoint.packed.source_key,
                             "\n", prompt, "\n", classifier.labels().Hash(), "\n");
    all += StrCat(static_cast<int>(options.method), " ", options.permutations, " ", options.seed, " ", options.multi_label, " ",
                  options.n_ctx, " ", options.top_k, "\n");
    for (const auto* value : {&args_.model.compute, &args_.model.kv_type, &args_.text_column, &args_.text_template, &args_.format,
                              &output_format_, &errors_, &trace_, &output_}) {
      all += text(*value) + "\n";
    }
    for (const auto* value : {&threshold_, &label_mass_, &cost_error_, &cost_hand_over_, &until_}) all += text(*value) + "\n";
    all += StrCat(static_cast<int>(table.format), " ", text(top_k_), " ", text(limit_), " ", all_probabilities_, "\n",
                  adjustment.settings, " ", text(adjustment.threshold));
    return std::to_string(Hash64(std::as_bytes(std::span(all))));
  }

  Result<int> Explain(const classify::Classifier& classifier, OpenedTable& table) const {
    LFM_TRY(const RowBatch batch, ReadBatch(table, 1));
    if (!batch.rows.empty() && !batch.rows[0].status.ok()) return batch.rows[0].status.error().Within("the first row");
    LFM_TRY(const std::string prompt, classifier.PromptText(batch.texts.empty() ? "" : batch.texts[0]));
    WriteOut(prompt + "\n");
    return kExitOk;
  }

  Result<int> DryRun(classify::Classifier& classifier, OpenedTable& table) const {
    const int64_t limit = limit_.value_or(INT64_MAX);
    int64_t n_rows = 0, n_bad = 0, n_prompt = 0, n_answer = 0, n_timed = 0;
    double seconds = 0;
    while (true) {
      if (Interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
      LFM_TRY(const RowBatch batch, ReadBatch(table, limit - n_rows));
      if (batch.rows.empty()) break;
      std::vector<std::string> texts;
      for (size_t i = 0; i < batch.rows.size(); ++i) {
        n_bad += batch.rows[i].status.ok() ? 0 : 1;
        if (!batch.rows[i].status.ok()) continue;
        LFM_TRY(const classify::PromptTrace trace, classifier.Trace(batch.texts[i]));
        n_prompt += static_cast<int64_t>(trace.prompt_ids.size());
        size_t n_longest = 0;
        for (const auto& ids : trace.label_ids) n_longest = std::max(n_longest, ids.size());
        n_answer += static_cast<int64_t>(n_longest);
        texts.push_back(batch.texts[i]);
      }
      n_rows += static_cast<int64_t>(batch.rows.size());
      if (n_timed >= kTimedRows || texts.empty()) continue;
      const auto begin = std::chrono::steady_clock::now();
      LFM_TRY(const std::vector<classify::Scores> scores, classifier.Score(texts, &Interrupted()));
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      n_timed += static_cast<int64_t>(scores.size());
    }
    const int64_t n_good = n_rows - n_bad, n_shared = classifier.n_prefix_tokens();
    const double rate = seconds > 0 ? static_cast<double>(n_timed) / seconds : 0;
    const double cost = (static_cast<double>(n_prompt) * kPromptPrice + static_cast<double>(n_answer) * kAnswerPrice) / 1e6;
    WriteOut(StrCat("rows         ", n_rows, n_bad > 0 ? StrCat(", ", n_bad, " of them bad") : "", "\n"));
    WriteOut(StrCat("labels       ", classifier.labels().size(), ", ", n_shared, " tokens of prompt that are read once\n"));
    WriteOut(StrCat("tokens       ", std::max<int64_t>(0, n_prompt - n_good * n_shared), " of the rows\n"));
    if (rate > 0) {
      WriteOut(StrCat("time         ", Fixed(static_cast<double>(n_good) / rate, 1), " s at ", Fixed(rate, 1),
                      " rows/s, measured on ", n_timed, " rows\n"));
    }
    WriteOut(StrCat("cost here    $0\ncost by API  $", Fixed(cost, 6), ": ", n_prompt, " prompt tokens and at most ", n_answer,
                    " of answers at LFM2-8B-A1B's $0.010 and $0.020 per million, a request a row\n"));
    return kExitOk;
  }

  Result<int> Report(const ClassifyCounts& counts) const {
    if (counts.n_bad > 0 && counts.n_bad == counts.n_rows) {
      return Error{counts.first_code, StrCat("no row has a label", counts.first_bad.empty() ? "" : "; the first: ",
                                             counts.first_bad, errors_ ? "" : "; --errors FILE keeps all of them")};
    }
    const int64_t n_now = counts.n_rows - counts.n_kept;
    const double rate = counts.seconds > 0 ? static_cast<double>(n_now) / counts.seconds : 0;
    if (counts.n_bad > 0) {
      Warn(StrCat(counts.n_bad, counts.n_bad == 1 ? " row has no label" : " rows have no label",
                  counts.first_bad.empty() ? "" : StrCat("; the first: ", counts.first_bad),
                  errors_ ? "" : "; --errors FILE keeps all of them"));
    }
    Note(StrCat("lfm: classified ", counts.n_rows, counts.n_rows == 1 ? " row" : " rows",
                counts.n_kept > 0 ? StrCat(" (", counts.n_kept, " of them before)") : "",
                counts.n_tokens > 0 ? StrCat(", ", Fixed(rate, 1), " rows/s") : "", ", ", counts.n_tokens, " tokens read; ",
                counts.n_abstained, " abstained\n"));
    return kExitOk;
  }

  ClassifyArgs args_;
  CalibrationArgs calibration_;
  LabelledArgs labelled_;
  std::optional<std::string> input_, output_, output_format_, errors_, trace_;
  std::optional<int64_t> top_k_, limit_;
  std::optional<float> threshold_, label_mass_, cost_error_, cost_hand_over_, until_;
  bool all_probabilities_ = false, dry_run_ = false, explain_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeClassify() { return std::make_unique<ClassifyCommand>(); }

}  // namespace lfm::cli
