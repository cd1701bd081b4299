#include "cli/classify_job.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

#include "base/hash.h"
#include "base/strings.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace lfm::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

uint64_t Chained(const std::string& raw, uint64_t hash) {
  const uint64_t size = raw.size();
  return Hash64(std::as_bytes(std::span(raw)), Hash64(std::as_bytes(std::span(&size, 1)), hash));
}

class Job {
 public:
  Job(classify::Classifier& classifier, OpenedTable& table, const ClassifyJobOptions& options, KeptOutputs outputs)
      : classifier_(classifier), table_(table), options_(options), outputs_(std::move(outputs)),
        writer_(classifier.labels(), table.reader->columns(), options.rows), progress_("classifying", ProgressLine::Unit::kRows) {
  }

  Result<ClassifyCounts> Run() {
    LFM_TRY(const bool resumed, Resume());
    if (!resumed) LFM_RETURN_IF_ERROR(outputs_.Append(0, writer_.Header()));
    while (true) {
      if (Interrupted()) return Error{ErrorCode::kCancelled, "interrupted; the same command goes on from here"};
      LFM_TRY(RowBatch batch, ReadBatch(table_, options_.limit.value_or(kNoLimit) - counts_.n_rows));
      if (batch.rows.empty()) break;
      LFM_RETURN_IF_ERROR(Score(batch));
      LFM_RETURN_IF_ERROR(Write(batch));
      ShowProgress();
    }
    LFM_RETURN_IF_ERROR(outputs_.Finish());
    return counts_;
  }

 private:
  // Goes over the rows that an interrupted run has done. An input that begins in another way is begun anew.
  Result<bool> Resume() {
    const Json& note = outputs_.kept();
    if (note.is_null()) return false;
    const int64_t n_done = note["rows"].AsInt();
    uint64_t hash = 0;
    for (int64_t n = 0; n < n_done; ++n) {
      classify::TableRow row;
      LFM_TRY(const bool more, table_.reader->Next(row));
      if (!more) break;
      hash = Chained(row.raw, hash);
    }
    if (std::to_string(hash) != note["input"].AsString()) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat("the input is not the one whose first ", n_done, " rows were classified into ", Plain(options_.output),
                          ".lfm-part; give that one, or remove ", Plain(options_.output), ".lfm-resume to begin anew")};
    }
    input_hash_ = hash;
    counts_.n_rows = counts_.n_kept = n_done;
    counts_.n_bad = note["bad"].AsInt();
    counts_.n_abstained = note["abstained"].AsInt();
    return true;
  }

  Status Score(RowBatch& batch) {
    std::vector<std::string> texts;
    std::vector<size_t> places;
    for (size_t i = 0; i < batch.rows.size(); ++i) {
      if (!batch.rows[i].status.ok()) continue;
      places.push_back(i);
      texts.push_back(std::move(batch.texts[i]));
    }
    const auto begin = Clock::now();
    LFM_TRY(const std::vector<classify::Scores> scores, classifier_.Score(texts, &Interrupted()));
    counts_.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    trace_.clear();
    for (size_t i = 0; i < places.size(); ++i) {
      ClassifiedRow& row = batch.rows[places[i]];
      counts_.n_tokens += scores[i].n_tokens;
      row.status = scores[i].status;
      if (!row.status.ok()) continue;
      if (options_.trace) LFM_RETURN_IF_ERROR(Trace(texts[i], scores[i]));
      Decide(scores[i], row);
    }
    return Ok();
  }

  void Decide(const classify::Scores& scores, ClassifiedRow& row) {
    row.probabilities = scores.probabilities;
    row.label_mass = scores.label_mass;
    if (options_.adjust) options_.adjust(row.probabilities);
    bool is_sure = true;
    if (options_.rows.multi_label) {
      row.decision = classify::Decide(row.probabilities);
      is_sure = !writer_.LabelsOf(row).empty();
    } else if (!options_.level_thresholds.empty()) {
      row.decision = classify::Decide(classifier_.labels(), row.probabilities, options_.level_thresholds, is_sure);
    } else {
      row.decision = classify::Decide(classifier_.labels(), row.probabilities, options_.until_confidence);
      is_sure = row.decision.confidence >= options_.threshold.value_or(0);
    }
    row.abstained = !is_sure || row.label_mass < options_.label_mass.value_or(0);
  }

  Status Trace(const std::string& text, const classify::Scores& scores) {
    LFM_TRY(const classify::PromptTrace trace, classifier_.Trace(text));
    Json labels = Json::MakeArray();
    for (size_t i = 0; i < trace.label_ids.size(); ++i) {
      labels.Append(Json::MakeObject({{"name", classifier_.labels()[i].name}, {"ids", IdsJson(trace.label_ids[i])}}));
    }
    Json probabilities = Json::MakeArray();
    for (const double p : scores.probabilities) probabilities.Append(Json::MakeNumber(NumberOf(p)));
    const bool full = classifier_.options().method == classify::Method::kFull;
    trace_ += Json::MakeObject({{"prompt_ids", IdsJson(trace.prompt_ids)},
                                {"labels", std::move(labels)},
                                {"probabilities", std::move(probabilities)},
                                {"label_mass", Json::MakeNumber(NumberOf(scores.label_mass))},
                                {"method", full ? "full" : "trie"}})
                  .Dump() +
              "\n";
    return Ok();
  }

  Status Write(const RowBatch& batch) {
    std::string out, errors;
    for (const ClassifiedRow& row : batch.rows) {
      writer_.Append(row, out);
      input_hash_ = Chained(row.row.raw, input_hash_);
      counts_.n_rows += 1;
      counts_.n_abstained += row.status.ok() && row.abstained ? 1 : 0;
      if (row.status.ok()) continue;
      counts_.n_bad += 1;
      if (counts_.first_bad.empty()) {
        if (row.status.error().code == ErrorCode::kLimit) counts_.first_code = ErrorCode::kLimit;
        counts_.first_bad = StrCat("row ", row.row.number, " (line ", row.row.line, "): ", row.status.error().message);
      }
      RowWriter::AppendError(row, errors);
    }
    LFM_RETURN_IF_ERROR(outputs_.Append(0, out));
    size_t file = 1;
    if (options_.errors) LFM_RETURN_IF_ERROR(outputs_.Append(file++, errors));
    if (options_.trace) LFM_RETURN_IF_ERROR(outputs_.Append(file, trace_));
    return outputs_.Keep(Json::MakeObject({{"rows", counts_.n_rows},
                                           {"input", std::to_string(input_hash_)},
                                           {"bad", counts_.n_bad},
                                           {"abstained", counts_.n_abstained}}));
  }

  // Of a file it is known how much of it was read; the number of its rows is reckoned from that.
  void ShowProgress() {
    const uint64_t size = table_.input->size(), n_read = table_.input->n_read();
    const auto done = static_cast<uint64_t>(counts_.n_rows);
    uint64_t total = done;
    if (n_read > 0 && size > 0)
      total = static_cast<uint64_t>(static_cast<double>(done) * static_cast<double>(size) / static_cast<double>(n_read));
    if (options_.limit)
      total = size > 0 ? std::min(total, static_cast<uint64_t>(*options_.limit)) : static_cast<uint64_t>(*options_.limit);
    progress_.Update(done, std::max(done, total));
  }

  classify::Classifier& classifier_;
  OpenedTable& table_;
  const ClassifyJobOptions& options_;
  KeptOutputs outputs_;
  const RowWriter writer_;
  ProgressLine progress_;
  ClassifyCounts counts_;
  uint64_t input_hash_ = 0;  // of all rows that were written
  std::string trace_;        // of the batch
};

}  // namespace

Result<RowBatch> ReadBatch(OpenedTable& table, int64_t limit) {
  RowBatch batch;
  size_t n_bytes = 0;
  while (static_cast<int64_t>(batch.rows.size()) < std::min<int64_t>(kBatchRows, limit) && n_bytes < kBatchBytes) {
    ClassifiedRow row;
    LFM_TRY(const bool more, table.reader->Next(row.row));
    if (!more) break;
    auto text = table.text.Of(row.row);
    if (!text.ok()) row.status = text.error();
    n_bytes += row.row.raw.size();
    batch.texts.push_back(text.ok() ? std::move(*text) : "");
    batch.rows.push_back(std::move(row));
  }
  return batch;
}

Result<ClassifyCounts> RunClassifyJob(classify::Classifier& classifier, OpenedTable& table, const ClassifyJobOptions& options) {
  std::vector<std::string> paths = {options.output};
  if (options.errors) paths.push_back(*options.errors);
  if (options.trace) paths.push_back(*options.trace);
  for (size_t i = 0; i < paths.size(); ++i) {
    if (std::count(paths.begin(), paths.end(), paths[i]) > 1) {
      return Error{ErrorCode::kInvalidArgument, StrCat("two outputs have the name ", Quote(paths[i]))};
    }
    if (paths[i].ends_with(".lfm-part") || paths[i].ends_with(".lfm-resume")) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat(Quote(paths[i]), ": such names are those of outputs that are not done yet; choose another one")};
    }
  }
  LFM_TRY(KeptOutputs outputs, KeptOutputs::Open(paths, options.settings));
  return Job(classifier, table, options, std::move(outputs)).Run();
}

}  // namespace lfm::cli
