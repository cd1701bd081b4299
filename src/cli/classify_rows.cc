#include "cli/classify_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/strings.h"
#include "classify/labelled.h"

namespace lfm::cli {
namespace {

void AppendFields(std::span<const std::string> fields, std::string& out) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out += ',';
    classify::AppendCsvField(fields[i], ',', out);
  }
}

Json NumberJson(double value) { return value < 0 || !std::isfinite(value) ? Json() : Json::MakeNumber(NumberOf(value)); }

std::string NumberField(double value) { return value < 0 || !std::isfinite(value) ? "" : NumberOf(value); }

}  // namespace

std::string NumberOf(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

RowWriter::RowWriter(const classify::LabelSet& labels, std::vector<std::string> columns, const RowSettings& settings)
    : labels_(labels), columns_(std::move(columns)), settings_(settings) {
  own_ = {"label", "confidence", "margin", "label_mass", "abstained"};
  if (!settings_.csv) {
    own_.insert(own_.end(), {"top", "probabilities", "error", "raw"});
    return;
  }
  for (int64_t i = 2; i <= settings_.top_k; ++i) {
    own_.push_back(StrCat("label_", i));
    own_.push_back(StrCat("confidence_", i));
  }
  if (!settings_.all_probabilities) return;
  for (const classify::Label& label : labels_.labels()) own_.push_back(StrCat("p_", label.name));
}

std::string RowWriter::NameFor(const std::string& column, const std::function<bool(const std::string&)>& others) const {
  const auto is_own = [&](const std::string& name) { return std::find(own_.begin(), own_.end(), name) != own_.end(); };
  if (!is_own(column)) return column;
  std::string name = StrCat("input_", column);
  while (is_own(name) || others(name)) name = StrCat("input_", name);
  return name;
}

std::string RowWriter::NameOf(size_t column) const {
  return NameFor(columns_[column],
                 [&](const std::string& name) { return std::find(columns_.begin(), columns_.end(), name) != columns_.end(); });
}

std::string RowWriter::Header() const {
  if (!settings_.csv) return "";
  std::vector<std::string> names;
  for (size_t i = 0; i < columns_.size(); ++i) names.push_back(NameOf(i));
  names.insert(names.end(), own_.begin(), own_.end());
  std::string out;
  AppendFields(names, out);
  return out + "\n";
}

std::vector<std::string> RowWriter::LabelsOf(const ClassifiedRow& row) const {
  if (!row.status.ok()) return {};
  if (!settings_.multi_label) return {labels_[row.decision.label].name};
  std::vector<std::string> names;
  for (size_t i = 0; i < labels_.size(); ++i) {
    if (row.probabilities[i] >= settings_.label_thresholds[i]) names.push_back(labels_[i].name);
  }
  return names;
}

std::vector<size_t> RowWriter::TopOf(const ClassifiedRow& row) const {
  std::vector<size_t> order(row.probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return row.probabilities[a] > row.probabilities[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(settings_.top_k)));
  return order;
}

void RowWriter::Append(const ClassifiedRow& row, std::string& out) const {
  settings_.csv ? AppendCsv(row, out) : AppendJson(row, out);
}

void RowWriter::AppendCsv(const ClassifiedRow& row, std::string& out) const {
  // The row's own status tells whether its fields are to be trusted.
  std::vector<std::string> fields = row.row.fields;
  if (!row.row.status.ok()) fields = {row.row.raw};
  if (columns_.empty()) fields = {};
  fields.resize(columns_.size());
  const size_t n_own = own_.size();
  std::vector<std::string> own(n_own);
  if (row.status.ok()) {
    std::string joined;
    for (const std::string& name : LabelsOf(row))
      joined += StrCat(joined.empty() ? "" : std::string(1, classify::kLabelSeparator), name);
    own[0] = joined;
    own[1] = NumberField(row.decision.confidence);
    own[2] = NumberField(row.decision.margin);
    own[3] = NumberField(row.label_mass);
    own[4] = row.abstained ? "true" : "false";
    size_t at = 5;
    const std::vector<size_t> top = TopOf(row);
    for (size_t i = 1; i < static_cast<size_t>(std::max<int64_t>(1, settings_.top_k)); ++i, at += 2) {
      if (i >= top.size() || row.probabilities[top[i]] < 0) continue;
      own[at] = labels_[top[i]].name;
      own[at + 1] = NumberField(row.probabilities[top[i]]);
    }
    for (size_t i = 0; settings_.all_probabilities && i < labels_.size(); ++i) own[at + i] = NumberField(row.probabilities[i]);
  }
  fields.insert(fields.end(), own.begin(), own.end());
  AppendFields(fields, out);
  out += '\n';
}

void RowWriter::AppendJson(const ClassifiedRow& row, std::string& out) const {
  Json json = Json::MakeObject();
  if (row.row.object.is_object()) {
    const Json& object = row.row.object;
    const auto is_member = [&](const std::string& name) { return object.Find(name) != nullptr; };
    for (const auto& [name, value] : object.members()) json.Set(NameFor(name, is_member), value);
  } else if (row.row.status.ok()) {
    for (size_t i = 0; i < std::min(columns_.size(), row.row.fields.size()); ++i) json.Set(NameOf(i), row.row.fields[i]);
  } else {
    json.Set("raw", row.row.raw);
  }
  if (!row.status.ok()) {
    json.Set("label", nullptr);
    json.Set("error", row.status.error().message);
    out += json.Dump() + "\n";
    return;
  }
  if (settings_.multi_label) {
    Json names = Json::MakeArray();
    for (const std::string& name : LabelsOf(row)) names.Append(name);
    json.Set("label", std::move(names));
  } else {
    json.Set("label", labels_[row.decision.label].name);
  }
  json.Set("confidence", NumberJson(row.decision.confidence));
  json.Set("margin", NumberJson(row.decision.margin));
  json.Set("label_mass", NumberJson(row.label_mass));
  json.Set("abstained", row.abstained);
  if (settings_.top_k > 0) {
    Json top = Json::MakeArray();
    for (const size_t i : TopOf(row)) {
      if (row.probabilities[i] < 0) continue;
      top.Append(Json::MakeObject({{"label", labels_[i].name}, {"probability", NumberJson(row.probabilities[i])}}));
    }
    json.Set("top", std::move(top));
  }
  if (settings_.all_probabilities) {
    Json all = Json::MakeObject();
    for (size_t i = 0; i < labels_.size(); ++i) all.Set(labels_[i].name, NumberJson(row.probabilities[i]));
    json.Set("probabilities", std::move(all));
  }
  out += json.Dump() + "\n";
}

void RowWriter::AppendError(const ClassifiedRow& row, std::string& out) {
  out += Json::MakeObject({{"row", row.row.number},
                           {"line", row.row.line},
                           {"error", row.status.error().message},
                           {"raw", std::string_view(row.row.raw).substr(0, size_t{1} << 16)}})
             .Dump() +
         "\n";
}

}  // namespace lfm::cli
