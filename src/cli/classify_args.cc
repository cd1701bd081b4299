#include "cli/classify_args.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/mapped_files.h"
#include "base/strings.h"
#include "classify/labelled.h"
#include "cli/input.h"

namespace lfm::cli {
namespace {

using classify::TableFormat;

Error ClassifyUsage(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// "in/TICKETS.CSV.gz" -> "csv".
std::string EndingOf(std::string path) {
  std::transform(path.begin(), path.end(), path.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (path.ends_with(".gz")) path.resize(path.size() - 3);
  const size_t dot = path.find_last_of("./");
  return dot == std::string::npos || path[dot] == '/' ? "" : path.substr(dot + 1);
}

}  // namespace

void ClassifyArgs::DeclareQuestion(Args& args) {
  args.Text("--labels", labels, "LABELS",
            "names with commas between them, or a JSON file: names, descriptions, examples, parents");
  args.Text("--instructions", instructions, "TEXT", "the sentence above the labels in the prompt; {labels} says where they go");
  args.Text("--system", system, "TEXT", "the whole system prompt as it stands, in place of instructions and labels");
  args.Choice("--method", method, {"trie", "full"},
              "trie: softmax where labels part; full: likelihood of all of a label's tokens (default trie)");
  args.Integer("--permutations", permutations, "K",
               "mean over K orders of the labels in the prompt (default 1); with --multi-label 2: also \"no or yes\"");
  args.Unsigned("--seed", seed, "N", "of these orders (default 0)");
  args.Flag("--multi-label", multi_label, "a yes/no question for each label; several may fit");
  args.Integer("--batch", n_batch, "N", "tokens of a step (default 512); no result depends on it");
}

void ClassifyArgs::DeclareTable(Args& args) {
  args.Choice("--format", format, {"csv", "tsv", "jsonl", "lines"}, "of the input (default: by its name)");
  args.Text("--text-column", text_column, "NAME", "the column or member with the text (default: the only one, or \"text\")");
  args.Text("--template", text_template, "TEXT", "the text of several columns: \"{subject}\\n{body}\"");
}

Result<classify::LabelSet> ClassifyArgs::Labels() const {
  if (!labels || labels->empty()) return ClassifyUsage("no labels are given; use --labels a,b,c or --labels FILE.json");
  const bool is_file = labels->ends_with(".json") || (labels->find(',') == std::string::npos && FileExists(*labels));
  Result<classify::LabelSet> set = ClassifyUsage("");
  if (is_file) {
    LFM_TRY(const Json json, ReadJsonFile(*labels, "--labels"));
    CountAsMapped(*labels);
    set = classify::LabelSet::FromJson(json);
  } else {
    set = classify::LabelSet::FromList(*labels);
  }
  if (set.ok() && instructions) set = classify::LabelSet::Create(set->labels(), *instructions);
  if (!set.ok()) return set.error().Within(is_file ? "--labels " + *labels : "--labels");
  for (const classify::Label& label : set->labels()) {
    if (!multi_label || label.name.find(classify::kLabelSeparator) == std::string::npos) continue;
    return ClassifyUsage(
        StrCat("--labels: label ", Quote(label.name), " holds a ';', which stands between labels with --multi-label"));
  }
  return set;
}

Result<classify::ClassifierOptions> ClassifyArgs::Options() const {
  classify::ClassifierOptions options;
  if (method == "full") options.method = classify::Method::kFull;
  if (permutations && (*permutations < 1 || *permutations > classify::kMostPermutations)) {
    return ClassifyUsage(StrCat("--permutations: ", *permutations, " is not between 1 and ", classify::kMostPermutations));
  }
  if (system && system->empty()) {
    return ClassifyUsage("--system: the text is empty; without the flag the prompt is made of instructions and labels");
  }
  options.seed = seed.value_or(0);
  options.permutations = static_cast<int>(permutations.value_or(1));
  options.multi_label = multi_label;
  options.system = system.value_or("");
  LFM_TRY(options.n_ctx, model.Context());
  if (n_batch) {
    if (*n_batch < 1 || *n_batch > 4096) return ClassifyUsage(StrCat("--batch: ", *n_batch, " is not between 1 and 4096"));
    options.n_batch = *n_batch;
  }
  return options;
}

Result<TableFormat> ClassifyArgs::FormatOf(const std::string& path) const {
  const std::string name = format.value_or(EndingOf(path));
  if (name == "csv") return TableFormat::kCsv;
  if (name == "tsv") return TableFormat::kTsv;
  if (name == "jsonl" || name == "ndjson") return TableFormat::kJsonl;
  if (!format && name == "parquet") {
    return ClassifyUsage("Parquet is not read; pipe it through duckdb as CSV, docs/classify.md shows how");
  }
  if (!format && (text_column || text_template)) return TableFormat::kCsv;
  return TableFormat::kLines;
}

Result<OpenedTable> ClassifyArgs::Open(const std::string& path) const {
  if (text_column && text_template) return ClassifyUsage("--text-column and --template exclude each other");
  OpenedTable table;
  LFM_TRY(table.format, FormatOf(path));
  auto input = ByteInput::Open(path);
  if (!input.ok() && input.error().code == ErrorCode::kNotFound) return ClassifyUsage(input.error().message);
  if (!input.ok()) return input.error();
  table.input = std::move(*input);
  CountAsMapped(path == "-" ? "/dev/stdin" : path);  // no output takes the place of what is read
  auto reader = classify::TableReader::Create(table.input->source(), table.format);
  if (!reader.ok()) return reader.error().Within(path == "-" ? "standard input" : Plain(path));
  table.reader = std::move(*reader);
  if (text_template) {
    auto parsed = classify::TextTemplate::Parse(*text_template);
    if (!parsed.ok()) return parsed.error().Within("--template");
    table.text = std::move(*parsed);
  } else {
    const std::vector<std::string>& columns = table.reader->columns();
    const std::string natural = columns.size() == 1 ? columns[0] : "text";
    if (!text_column && natural.find_first_of(";\t|") != std::string::npos) {
      return ClassifyUsage(StrCat(path == "-" ? "standard input" : Plain(path), ": the header is one column ", Quote(natural),
                                  ": fields are parted by commas, or by tabs with --format tsv; ",
                                  "convert the file, or name that column by --text-column"));
    }
    LFM_TRY(table.text, classify::TextTemplate::Column(text_column.value_or(natural)));
  }
  if (table.format != TableFormat::kJsonl) {
    const Status bound = table.text.Bind(table.reader->columns());
    const std::string name = path == "-" ? "standard input" : Plain(path);
    if (!bound.ok())
      return ClassifyUsage(bound.error().message).Within(name + (text_template ? ": --template" : ": --text-column"));
  }
  return table;
}

}  // namespace lfm::cli
