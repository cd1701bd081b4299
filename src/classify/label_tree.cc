#include "classify/label_tree.h"

#include <algorithm>

namespace lfm::classify {

LabelTree::LabelTree(const LabelSet& labels) : levels_(labels.size(), 1), is_leaf_(labels.size(), 1) {
  const size_t n = labels.size();
  for (size_t i = 0; i < n; ++i) parents_.push_back(labels.ParentOf(i));
  std::vector<std::vector<size_t>> children(n + 1);
  for (size_t i = 0; i < n; ++i) {
    children[parents_[i]].push_back(i);
    if (parents_[i] < n) is_leaf_[parents_[i]] = 0;
    for (size_t at = parents_[i]; at < n; at = parents_[at]) ++levels_[i];
    n_levels_ = std::max(n_levels_, levels_[i]);
  }
  groups_.push_back({n, children[n]});
  for (size_t g = 0; g < groups_.size(); ++g) {
    const std::vector<size_t> places = groups_[g].places;  // the list grows meanwhile
    for (const size_t place : places) {
      if (!children[place].empty()) groups_.push_back({place, children[place]});
    }
  }
  cuts_.resize(static_cast<size_t>(n_levels_));
  for (int level = 1; level <= n_levels_; ++level) {
    for (size_t i = 0; i < n; ++i) {
      if (levels_[i] == level || (levels_[i] < level && IsLeaf(i))) cuts_[static_cast<size_t>(level) - 1].push_back(i);
    }
  }
}

size_t LabelTree::At(size_t place, int level) const {
  while (levels_[place] > level) place = parents_[place];
  return place;
}

std::vector<double> LabelTree::Conditional(const LabelGroup& group, std::span<const double> probabilities) const {
  const double above = group.parent < parents_.size() ? probabilities[group.parent] : 1;
  std::vector<double> conditional;
  for (const size_t place : group.places) {
    conditional.push_back(above > 0 ? std::min(1.0, probabilities[place] / above) : 1 / static_cast<double>(group.places.size()));
  }
  return conditional;
}

Scored LabelTree::OnLevel(const Scored& scored, int level) const {
  const std::vector<size_t>& cut = Cut(level);
  std::vector<int32_t> place_in_cut(parents_.size(), -1);
  for (size_t j = 0; j < cut.size(); ++j) place_in_cut[cut[j]] = static_cast<int32_t>(j);
  Scored on;
  on.n_labels = static_cast<int64_t>(cut.size());
  for (int64_t i = 0; i < scored.n_rows(); ++i) {
    const int32_t truth = place_in_cut[At(static_cast<size_t>(scored.truth[static_cast<size_t>(i)]), level)];
    if (truth < 0) continue;  // what is right is known further up alone
    const auto row = scored.row(i);
    for (const size_t place : cut) on.probabilities.push_back(row[place]);
    on.truth.push_back(truth);
  }
  return on;
}

Scored LabelTree::InGroup(const Scored& scored, const LabelGroup& group, std::vector<int64_t>& rows) const {
  const int level = levels_[group.places[0]];
  Scored in;
  in.n_labels = static_cast<int64_t>(group.places.size());
  rows.clear();
  for (int64_t i = 0; i < scored.n_rows(); ++i) {
    const size_t at = At(static_cast<size_t>(scored.truth[static_cast<size_t>(i)]), level);
    const auto found = std::find(group.places.begin(), group.places.end(), at);
    if (found == group.places.end()) continue;
    const std::vector<double> conditional = Conditional(group, scored.row(i));
    in.probabilities.insert(in.probabilities.end(), conditional.begin(), conditional.end());
    in.truth.push_back(static_cast<int32_t>(found - group.places.begin()));
    rows.push_back(i);
  }
  return in;
}

}  // namespace lfm::classify
