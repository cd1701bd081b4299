#include "classify/labelled.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr size_t kRowsAtOnce = 256;

Result<TextTemplate> LabelOf(const std::string& column, const std::vector<std::string>& columns) {
  LFM_TRY(TextTemplate label, TextTemplate::Column(column));
  const Status bound = columns.empty() ? Ok() : label.Bind(columns);
  if (!bound.ok()) return Error{ErrorCode::kInvalidArgument, bound.error().message};
  return label;
}

std::string_view WithoutOuterSpace(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

// The label's place; an empty or null one is kNoLabel.
Result<int32_t> PlaceOf(const TableRow& row, const TextTemplate& column, const std::string& name, const LabelSet& labels) {
  if (row.object.is_object() && row.object[name].is_null()) return kNoLabel;
  LFM_TRY(const std::string text, column.Of(row));
  const std::string_view label = WithoutOuterSpace(text);
  if (label.empty()) return kNoLabel;
  const size_t place = labels.Find(label);
  if (place < labels.size()) return static_cast<int32_t>(place);
  return Error{ErrorCode::kInvalidArgument,
               StrCat("there is no label ", Quote(label), "; an empty one means that none is right")};
}

}  // namespace

Result<LabelledRows> ReadLabelled(TableReader& reader, TextTemplate& text, const std::string& label_column,
                                  const LabelSet& labels) {
  if (!reader.columns().empty()) LFM_RETURN_IF_ERROR(text.Bind(reader.columns()));  // JSON lines have members
  LFM_TRY(const TextTemplate label, LabelOf(label_column, reader.columns()));
  LabelledRows rows;
  TableRow row;
  while (true) {
    LFM_TRY(const bool is_there, reader.Next(row));
    if (!is_there) break;
    const std::string where = StrCat("line ", row.line);
    if (!row.status.ok()) return row.status.error().Within(where);
    if (static_cast<int64_t>(rows.texts.size()) == kMostLabelledRows) {
      return Error{ErrorCode::kLimit, StrCat("more than ", kMostLabelledRows, " labelled rows; take a sample of them")};
    }
    auto content = text.Of(row);
    if (!content.ok()) return content.error().Within(where);
    const auto place = PlaceOf(row, label, label_column, labels);
    if (!place.ok()) return place.error().Within(where);
    rows.texts.push_back(std::move(content).value());
    rows.truth.push_back(*place);
  }
  return rows;
}

Result<LabelledScores> ScoreLabelled(Classifier& classifier, const LabelledRows& rows,
                                     const std::function<bool(int64_t done, int64_t total)>& progress) {
  LabelledScores result;
  result.scored.n_labels = static_cast<int64_t>(classifier.labels().size());
  const std::span<const std::string> texts = rows.texts;
  for (size_t begin = 0; begin < texts.size(); begin += kRowsAtOnce) {
    if (progress && !progress(static_cast<int64_t>(begin), static_cast<int64_t>(texts.size()))) {
      return Error{ErrorCode::kCancelled, "interrupted"};
    }
    LFM_TRY(const auto batch, classifier.Score(texts.subspan(begin, std::min(kRowsAtOnce, texts.size() - begin))));
    for (size_t i = 0; i < batch.size(); ++i) {
      const Scores& scores = batch[i];
      if (!scores.status.ok()) return scores.status.error().Within(StrCat("labelled row ", begin + i + 1));
      result.n_tokens += scores.n_tokens;
      const int32_t truth = rows.truth[begin + i];
      auto& probabilities = truth == kNoLabel ? result.none_probabilities : result.scored.probabilities;
      probabilities.insert(probabilities.end(), scores.probabilities.begin(), scores.probabilities.end());
      (truth == kNoLabel ? result.none_label_mass : result.label_mass).push_back(scores.label_mass);
      if (truth != kNoLabel) result.scored.truth.push_back(truth);
    }
  }
  return result;
}

NoneFigures MeasureNone(const LabelledScores& scores) {
  NoneFigures figures;
  figures.n_rows = scores.n_none();
  const size_t k = static_cast<size_t>(scores.scored.n_labels);
  const auto measure = [&](std::span<const double> probabilities, auto of) {
    std::vector<double> values;
    for (size_t i = 0; i + k <= probabilities.size(); i += k) values.push_back(of(probabilities.subspan(i, k)));
    return values;
  };
  const auto confidence = [](std::span<const double> p) { return p[static_cast<size_t>(Best(p))]; };
  const auto& some = scores.scored.probabilities;
  const auto& none = scores.none_probabilities;
  figures.by_label_mass = AreaUnderRoc(scores.label_mass, scores.none_label_mass);
  figures.by_confidence = AreaUnderRoc(measure(some, confidence), measure(none, confidence));
  figures.by_margin = AreaUnderRoc(measure(some, Margin), measure(none, Margin));
  return figures;
}

}  // namespace lfm::classify
