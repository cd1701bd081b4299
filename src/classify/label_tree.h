// A label set with parents as levels and as groups of siblings. A flat set is a tree of one level and one group.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "classify/labels.h"
#include "classify/metrics.h"

namespace lfm::classify {

// All siblings: a question of their own.
struct LabelGroup {
  size_t parent = 0;           // place of the label above; size() at the top
  std::vector<size_t> places;  // in order
};

// Immutable; thread-safe.
class LabelTree {
 public:
  LabelTree() = default;  // of no labels
  explicit LabelTree(const LabelSet& labels);

  const std::vector<LabelGroup>& groups() const { return groups_; }  // a group stands behind the one that holds its parent
  size_t n_labels() const { return parents_.size(); }
  int n_levels() const { return n_levels_; }
  int LevelOf(size_t place) const { return levels_[place]; }  // from 1, at the top
  bool IsLeaf(size_t place) const { return is_leaf_[place] != 0; }
  // The label itself or the one above it on this level; of a label that ends above the level the label itself.
  size_t At(size_t place, int level) const;
  // What a text can be called on this level: its labels, and the leaves above it. The last level's are all leaves.
  const std::vector<size_t>& Cut(int level) const { return cuts_[static_cast<size_t>(level) - 1]; }

  // Probabilities of all labels among a group's alone: those of its labels divided by its parent's. Where that is 0, all alike.
  std::vector<double> Conditional(const LabelGroup& group, std::span<const double> probabilities) const;
  // The rows whose right label says what is right on this level, with the probabilities of Cut(level); `truth` of `scored` are
  // places of any labels.
  Scored OnLevel(const Scored& scored, int level) const;
  // The rows whose right label lies in or below the group, with conditional probabilities. `rows` gets their places.
  Scored InGroup(const Scored& scored, const LabelGroup& group, std::vector<int64_t>& rows) const;

 private:
  std::vector<size_t> parents_;
  std::vector<int> levels_;
  std::vector<uint8_t> is_leaf_;
  std::vector<LabelGroup> groups_;
  std::vector<std::vector<size_t>> cuts_;
  int n_levels_ = 0;
};

}  // namespace lfm::classify
