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

// The places of all labels of a row with several.
Result<std::vector<int32_t>> PlacesOf(const TableRow& row, const TextTemplate& column, const std::string& name,
                                      const LabelSet& labels) {
  std::vector<std::string> found;
  const Json& value = row.object[name];
  if (value.is_array()) {
    for (const Json& item : value.items()) {
      if (!item.is_string()) return Error{ErrorCode::kInvalidArgument, "a label in the list is no text"};
      found.push_back(item.AsString());
    }
  } else if (!row.object.is_object() || !value.is_null()) {
    LFM_TRY(const std::string text, column.Of(row));
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(kLabelSeparator, begin), text.size());
      found.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  std::vector<int32_t> places;
  for (const std::string& one : found) {
    const std::string_view label = WithoutOuterSpace(one);
    if (label.empty()) continue;
    const size_t place = labels.Find(label);
    if (place == labels.size()) return Error{ErrorCode::kInvalidArgument, StrCat("there is no label ", Quote(label))};
    places.push_back(static_cast<int32_t>(place));
  }
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

// Label mass, confidence and margin of rows with and without a right label, k probabilities each.
NoneFigures CompareNone(const LabelledScores& scores, std::span<const double> some, std::span<const double> none, size_t k) {
  NoneFigures figures;
  figures.n_rows = scores.n_none();
  const auto measure = [&](std::span<const double> probabilities, auto of) {
    std::vector<double> values;
    for (size_t i = 0; i + k <= probabilities.size(); i += k) values.push_back(of(probabilities.subspan(i, k)));
    return values;
  };
  const auto confidence = [](std::span<const double> p) { return p[static_cast<size_t>(Best(p))]; };
  figures.by_label_mass = AreaUnderRoc(scores.label_mass, scores.none_label_mass);
  figures.by_confidence = AreaUnderRoc(measure(some, confidence), measure(none, confidence));
  figures.by_margin = AreaUnderRoc(measure(some, Margin), measure(none, Margin));
  return figures;
}

}  // namespace

Result<LabelledRows> ReadLabelled(TableReader& reader, TextTemplate& text, const std::string& label_column,
                                  const LabelSet& labels, bool several) {
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
    rows.texts.push_back(std::move(content).value());
    if (several) {
      auto places = PlacesOf(row, label, label_column, labels);
      if (!places.ok()) return places.error().Within(where);
      rows.truths.push_back(std::move(places).value());
      continue;
    }
    const auto place = PlaceOf(row, label, label_column, labels);
    if (!place.ok()) return place.error().Within(where);
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
      if (!rows.truths.empty()) {
        result.fits.resize(result.fits.size() + classifier.labels().size());
        for (const int32_t place : rows.truths[begin + i]) {
          result.fits[result.fits.size() - classifier.labels().size() + static_cast<size_t>(place)] = 1;
        }
        result.scored.probabilities.insert(result.scored.probabilities.end(), scores.probabilities.begin(),
                                           scores.probabilities.end());
        result.label_mass.push_back(scores.label_mass);
        continue;
      }
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
  return CompareNone(scores, scores.scored.probabilities, scores.none_probabilities, static_cast<size_t>(scores.scored.n_labels));
}

NoneFigures MeasureNone(const LabelledScores& scores, const LabelTree& tree) {
  const std::vector<size_t>& leaves = tree.Cut(tree.n_levels());
  const auto of_leaves = [&](const std::vector<double>& probabilities) {
    std::vector<double> kept;
    for (size_t i = 0; i < probabilities.size(); i += tree.n_labels()) {
      for (const size_t leaf : leaves) kept.push_back(probabilities[i + leaf]);
    }
    return kept;
  };
  return CompareNone(scores, of_leaves(scores.scored.probabilities), of_leaves(scores.none_probabilities), leaves.size());
}

}  // namespace lfm::classify
