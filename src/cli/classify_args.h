// The flags of every job that classifies rows: labels, the question, and the table that the rows come from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "classify/classifier.h"
#include "classify/labels.h"
#include "classify/table.h"
#include "cli/args.h"
#include "cli/byte_input.h"
#include "cli/model_args.h"

namespace lfm::cli {

// Rows with the text of each. Members are destroyed from the last to the first.
struct OpenedTable {
  std::unique_ptr<ByteInput> input;
  std::unique_ptr<classify::TableReader> reader;
  classify::TextTemplate text;
  classify::TableFormat format = classify::TableFormat::kLines;
};

struct ClassifyArgs {
  ModelArgs model;
  std::optional<std::string> labels, instructions, system, method;
  std::optional<std::string> format, text_column, text_template;
  std::optional<int64_t> permutations, n_batch;
  std::optional<uint64_t> seed;
  bool multi_label = false;

  void DeclareQuestion(Args& args);
  void DeclareTable(Args& args);

  // --labels: a JSON file, or names with commas between them.
  Result<classify::LabelSet> Labels() const;
  Result<classify::ClassifierOptions> Options() const;
  // By --format, else by the name's ending (.gz aside); CSV where columns are named, else lines.
  Result<classify::TableFormat> FormatOf(const std::string& path) const;
  // Opens a table and finds the text's column: --text-column or --template, else the only one, else "text".
  Result<OpenedTable> Open(const std::string& path) const;
};

}  // namespace lfm::cli
