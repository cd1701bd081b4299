// What `lfm classify` writes for each row: the row itself, and what came of it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "classify/classifier.h"
#include "classify/table.h"

namespace lfm::cli {

// A row with all that is to be written about it.
struct ClassifiedRow {
  classify::TableRow row;
  Status status;  // why it has no label: of the row, or of its text
  std::vector<double> probabilities;
  classify::Decision decision;
  double label_mass = 0;
  bool abstained = false;
};

struct RowSettings {
  bool csv = true;  // else JSON lines
  bool all_probabilities = false;
  int64_t top_k = 0;                     // the k first labels with their probabilities
  bool multi_label = false;              // the label is all those whose probability reaches its threshold
  std::vector<double> label_thresholds;  // of multi_label: of each label
};

// A number as the shortest text that reads back as the same one.
std::string NumberOf(double value);

// Columns of the row that bear the name of one of ours are written as input_NAME (with one more "input_" where that is there). A row that could not be read stands with
// what there is of it in its first column (CSV) or as the member "raw". Immutable.
class RowWriter {
 public:
  RowWriter(const classify::LabelSet& labels, std::vector<std::string> columns, const RowSettings& settings);

  std::string Header() const;  // empty for JSON lines
  void Append(const ClassifiedRow& row, std::string& out) const;
  // A line of --errors: {"row", "line", "error", "raw"}.
  static void AppendError(const ClassifiedRow& row, std::string& out);
  // The label, or those of multi_label.
  std::vector<std::string> LabelsOf(const ClassifiedRow& row) const;

 private:
  std::vector<size_t> TopOf(const ClassifiedRow& row) const;
  void AppendCsv(const ClassifiedRow& row, std::string& out) const;
  void AppendJson(const ClassifiedRow& row, std::string& out) const;
  std::string NameOf(size_t column) const;
  // of `column` in the output, where `others` are there too
  std::string NameFor(const std::string& column, const std::function<bool(const std::string&)>& others) const;

  const classify::LabelSet& labels_;
  const std::vector<std::string> columns_;
  const RowSettings settings_;
  std::vector<std::string> own_;  // names of our columns
};

}  // namespace lfm::cli
