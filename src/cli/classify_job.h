// The work of `lfm classify`: rows in, rows with labels out, batch after batch.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "classify/classifier.h"
#include "cli/classify_args.h"
#include "cli/classify_rows.h"
#include "cli/kept_output.h"

namespace lfm::cli {

constexpr size_t kBatchRows = 128;               // scored, written and kept together
constexpr size_t kBatchBytes = size_t{8} << 20;  // of text in a batch, from which on it takes no more rows
constexpr double kDefaultLabelThreshold = 0.5;   // of --multi-label

struct ClassifyJobOptions {
  std::string output;                           // "-" is standard output
  std::optional<std::string> errors, trace;     // files
  std::optional<int64_t> limit;                 // rows
  std::optional<double> threshold, label_mass;  // below one of them a row abstains
  double until_confidence = 0;
  std::vector<double> level_thresholds;  // with parents, where a calibration gave them: in place of the two above
  RowSettings rows;
  std::string settings;  // of all that the output depends on
  // Changes a row's probabilities before it is decided: calibration and priors. Empty: none.
  std::function<void(std::span<double>)> adjust;
};

struct ClassifyCounts {
  int64_t n_rows = 0, n_kept = 0;  // n_kept: of these, what an earlier run had done
  int64_t n_bad = 0, n_abstained = 0;
  int64_t n_tokens = 0;                                // read for the rows of this run
  double seconds = 0;                                  // scoring them
  std::string first_bad;                               // what was wrong with the first bad row
  ErrorCode first_code = ErrorCode::kInvalidArgument;  // kLimit where it was too long
};

// An interrupt ends it between batches with kCancelled; what is done is kept for the next run.
Result<ClassifyCounts> RunClassifyJob(classify::Classifier& classifier, OpenedTable& table, const ClassifyJobOptions& options);

// The next rows of a table, at most `limit`: with their texts. Empty at the end.
struct RowBatch {
  std::vector<ClassifiedRow> rows;
  std::vector<std::string> texts;  // of each row; "" where its status is bad
};
Result<RowBatch> ReadBatch(OpenedTable& table, int64_t limit);

}  // namespace lfm::cli
