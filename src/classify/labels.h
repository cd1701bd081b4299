// What a text may be called: labels with their descriptions, examples and parents, from a list or a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace lfm::classify {

constexpr size_t kMaxLabels = 10000;
constexpr size_t kMaxLabelBytes = 256;         // of a name
constexpr size_t kMaxDescriptionBytes = 4096;  // and of an example, and of the instructions
constexpr size_t kMaxExamples = 64;            // of one label
constexpr int kMaxLabelDepth = 16;             // of parents above a label

struct Label {
  std::string name;                   // unique; what the model answers
  std::string description;            // may be empty
  std::vector<std::string> examples;  // texts that this label fits
  std::string parent;                 // the name of another label; empty: at the top

  friend bool operator==(const Label&, const Label&) = default;
};

// A checked set: at least one label, names not empty, without line ends or outer white space, no name twice, parents
// there and without circles. The order is the order of all results.
class LabelSet {
 public:
  // instructions: the sentence above the labels in the prompt; empty: the default one.
  static Result<LabelSet> Create(std::vector<Label> labels, std::string instructions = "");
  // "refund,hotel,other": names alone, white space around them dropped.
  static Result<LabelSet> FromList(std::string_view list);
  // A list of names or of {"name", "description", "examples", "parent"}, or {"labels": [...], "instructions": "..."}.
  // Unknown members are errors, so that a slip does not pass silently.
  static Result<LabelSet> FromJson(const Json& json);

  const std::vector<Label>& labels() const { return labels_; }
  const Label& operator[](size_t i) const { return labels_[i]; }
  size_t size() const { return labels_.size(); }
  const std::string& instructions() const { return instructions_; }

  // The label's place, or size() where there is none of this name.
  size_t Find(std::string_view name) const;
  // The place of a label's parent, or size() at the top.
  size_t ParentOf(size_t i) const { return parents_[i]; }
  // The labels right below this one (size(): those at the top), in order.
  std::vector<size_t> ChildrenOf(size_t i) const;
  bool is_flat() const;  // no label has a parent

  // Of everything that the prompt depends on: names, descriptions, examples, parents, instructions and their order.
  uint64_t Hash() const;

 private:
  std::vector<Label> labels_;
  std::vector<size_t> parents_;
  std::string instructions_;
};

}  // namespace lfm::classify
