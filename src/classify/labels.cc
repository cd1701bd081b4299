#include "classify/labels.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/strings.h"

namespace lfm::classify {
namespace {

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

Error BadLabel(size_t i, std::string_view what) {
  return Error{ErrorCode::kInvalidArgument, StrCat("label ", i + 1, what.starts_with(':') ? "" : " ", what)};
}

Status CheckText(const std::string& text, size_t i, const char* what) {
  if (text.size() > kMaxDescriptionBytes) {
    return BadLabel(i, StrCat("has ", what, " of ", text.size(), " bytes; at most ", kMaxDescriptionBytes, " are taken"));
  }
  if (text.find('\0') != std::string::npos) return BadLabel(i, StrCat("has ", what, " with a NUL byte"));
  return Ok();
}

Status CheckLabel(const Label& label, size_t i) {
  if (label.name.empty()) return BadLabel(i, "is empty");
  if (label.name.size() > kMaxLabelBytes) {
    return BadLabel(i, StrCat("has ", label.name.size(), " bytes; at most ", kMaxLabelBytes, " are taken"));
  }
  if (Trimmed(label.name) != label.name) return BadLabel(i, StrCat(Quote(label.name), " begins or ends with white space"));
  const bool control =
      std::any_of(label.name.begin(), label.name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (ToValidUtf8(label.name) != label.name) return BadLabel(i, StrCat(Quote(label.name), " holds bytes that are no UTF-8"));
  if (control) return BadLabel(i, StrCat(Quote(label.name), " holds a control character"));
  LFM_RETURN_IF_ERROR(CheckText(label.description, i, "a description"));
  if (label.examples.size() > kMaxExamples) {
    return BadLabel(i, StrCat("has ", label.examples.size(), " examples; at most ", kMaxExamples, " are taken"));
  }
  for (const std::string& example : label.examples) LFM_RETURN_IF_ERROR(CheckText(example, i, "an example"));
  return Ok();
}

Result<std::string> TextMember(const Json& value, const std::string& name, size_t i) {
  if (value.is_string()) return value.AsString();
  return BadLabel(i, StrCat(": \"", name, "\" must be a text"));
}

Result<Label> LabelFromJson(const Json& json, size_t i) {
  Label label;
  if (json.is_string()) {
    label.name = json.AsString();
    return label;
  }
  if (!json.is_object()) return BadLabel(i, "is neither a text nor an object with \"name\"");
  for (const auto& [name, value] : json.members()) {
    if (name == "name") {
      LFM_TRY(label.name, TextMember(value, name, i));
    } else if (name == "description") {
      if (value.is_null()) continue;
      LFM_TRY(label.description, TextMember(value, name, i));
    } else if (name == "parent") {
      if (value.is_null()) continue;
      LFM_TRY(label.parent, TextMember(value, name, i));
    } else if (name == "examples") {
      if (!value.is_array()) return BadLabel(i, ": \"examples\" must be a list of texts");
      for (const Json& example : value.items()) {
        LFM_TRY(std::string text, TextMember(example, name, i));
        label.examples.push_back(std::move(text));
      }
    } else {
      return BadLabel(i, StrCat("has the unknown member ", Quote(name), "; known are name, description, examples, parent"));
    }
  }
  return label;
}

// The place of each label's parent; size() at the top.
Result<std::vector<size_t>> FindParents(const std::vector<Label>& labels) {
  std::unordered_map<std::string_view, size_t> places;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto [it, is_new] = places.emplace(labels[i].name, i);
    if (!is_new) return BadLabel(i, StrCat(Quote(labels[i].name), " is the same as label ", it->second + 1));
  }
  std::vector<size_t> parents(labels.size(), labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i].parent.empty()) continue;
    const auto it = places.find(labels[i].parent);
    if (it == places.end()) {
      return BadLabel(i, StrCat(Quote(labels[i].name), " has the parent ", Quote(labels[i].parent), ", which is no label"));
    }
    parents[i] = it->second;
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    int depth = 0;
    for (size_t at = parents[i]; at < labels.size(); at = parents[at]) {
      if (++depth > kMaxLabelDepth) {
        return BadLabel(i, StrCat(Quote(labels[i].name), " has more than ", kMaxLabelDepth, " parents above it, or is its own"));
      }
    }
  }
  return parents;
}

}  // namespace

Result<LabelSet> LabelSet::Create(std::vector<Label> labels, std::string instructions) {
  if (labels.empty()) return Error{ErrorCode::kInvalidArgument, "there are no labels"};
  if (labels.size() > kMaxLabels) {
    return Error{ErrorCode::kLimit, StrCat(labels.size(), " labels are too many; at most ", kMaxLabels, " are taken")};
  }
  for (size_t i = 0; i < labels.size(); ++i) LFM_RETURN_IF_ERROR(CheckLabel(labels[i], i));
  if (instructions.size() > kMaxDescriptionBytes) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("the instructions have ", instructions.size(), " bytes; at most ", kMaxDescriptionBytes, " are taken")};
  }
  LabelSet set;
  LFM_TRY(set.parents_, FindParents(labels));
  set.labels_ = std::move(labels);
  set.instructions_ = std::move(instructions);
  return set;
}

Result<LabelSet> LabelSet::FromList(std::string_view list) {
  std::vector<Label> labels;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    labels.push_back({std::string(Trimmed(list.substr(begin, end - begin))), "", {}, ""});
    begin = end + 1;
  }
  return Create(std::move(labels));
}

Result<LabelSet> LabelSet::FromJson(const Json& json) {
  const Json* list = &json;
  std::string instructions;
  if (json.is_object()) {
    list = &json["labels"];
    for (const auto& [name, value] : json.members()) {
      if (name == "labels") continue;
      if (name != "instructions") {
        return Error{ErrorCode::kInvalidArgument, StrCat("unknown member ", Quote(name), "; known are labels, instructions")};
      }
      if (!value.is_string()) return Error{ErrorCode::kInvalidArgument, "\"instructions\" must be a text"};
      instructions = value.AsString();
    }
  }
  if (!list->is_array()) {
    return Error{ErrorCode::kInvalidArgument, "labels are a list of names or objects, or an object with the list \"labels\""};
  }
  std::vector<Label> labels;
  for (const Json& item : list->items()) {
    if (labels.size() > kMaxLabels) break;  // Create says so
    LFM_TRY(Label label, LabelFromJson(item, labels.size()));
    labels.push_back(std::move(label));
  }
  return Create(std::move(labels), std::move(instructions));
}

size_t LabelSet::Find(std::string_view name) const {
  const auto it = std::find_if(labels_.begin(), labels_.end(), [&](const Label& label) { return label.name == name; });
  return static_cast<size_t>(it - labels_.begin());
}

std::vector<size_t> LabelSet::ChildrenOf(size_t i) const {
  std::vector<size_t> children;
  for (size_t j = 0; j < size(); ++j) {
    if (parents_[j] == i) children.push_back(j);
  }
  return children;
}

bool LabelSet::is_flat() const {
  return std::all_of(parents_.begin(), parents_.end(), [&](size_t parent) { return parent == size(); });
}

uint64_t LabelSet::Hash() const {
  uint64_t hash = 0;
  const auto add = [&](std::string_view text) {  // with its length, so that no two sets give the same bytes
    const uint64_t size = text.size();
    hash = Hash64(std::as_bytes(std::span(&size, 1)), hash);
    hash = Hash64(std::as_bytes(std::span(text)), hash);
  };
  add(instructions_);
  for (const Label& label : labels_) {
    add(label.name);
    add(label.description);
    add(label.parent);
    add(std::to_string(label.examples.size()));
    for (const std::string& example : label.examples) add(example);
  }
  return hash;
}

}  // namespace lfm::classify
