#include "classify/trie.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

double Finite(float logit) { return std::isnan(logit) ? kImpossible : double{logit}; }

// Whether a method needs the logits behind a node.
bool IsNeeded(const LabelTrie::Node& node, Method method) {
  return method == Method::kTrie ? node.children.size() > 1 : !node.children.empty();
}

}  // namespace

double LogSumExp(std::span<const float> logits) {
  double best = kImpossible;
  for (const float logit : logits) best = std::max(best, Finite(logit));
  if (!std::isfinite(best)) return best;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(Finite(logit) - best);
  return best + std::log(sum);
}

Result<LabelTrie> LabelTrie::Create(std::span<const std::vector<int32_t>> ids) {
  LabelTrie trie;
  trie.nodes_.emplace_back();
  for (size_t i = 0; i < ids.size(); ++i) {
    int32_t at = 0;
    for (const int32_t token : ids[i]) {
      // Children lie by rising token, so a set of thousands is built in n log n.
      std::vector<int32_t>& children = trie.nodes_[static_cast<size_t>(at)].children;
      const auto place = std::lower_bound(children.begin(), children.end(), token,
                                          [&](int32_t child, int32_t wanted) { return trie[child].token < wanted; });
      if (place != children.end() && trie[*place].token == token) {
        at = *place;
        continue;
      }
      const auto made = static_cast<int32_t>(trie.nodes_.size());
      children.insert(place, made);
      const int32_t depth = trie[at].depth + 1;
      trie.nodes_.push_back({token, at, depth, -1, {}, {}});
      trie.max_depth_ = std::max(trie.max_depth_, depth);
      at = made;
    }
    Node& leaf = trie.nodes_[static_cast<size_t>(at)];
    if (leaf.label >= 0) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat("labels ", leaf.label + 1, " and ", i + 1, " are the same tokens to this model; rename one")};
    }
    leaf.label = static_cast<int32_t>(i);
    trie.leaves_.push_back(at);
  }
  for (Node& node : trie.nodes_) {
    for (const int32_t child : node.children) node.child_tokens.push_back(trie[child].token);
  }
  return trie;
}

std::vector<int32_t> LabelTrie::PathTo(int32_t node) const {
  std::vector<int32_t> path;
  for (int32_t at = node; at > 0; at = (*this)[at].parent) path.push_back((*this)[at].token);
  std::reverse(path.begin(), path.end());
  return path;
}

TrieRead ReadOf(const LabelTrie& trie, Method method, int32_t node) {
  return {trie.PathTo(node), {node}, false, method == Method::kFull ? std::vector<int32_t>() : trie[node].child_tokens};
}

std::vector<TrieRead> AllReads(const LabelTrie& trie, Method method) {
  std::vector<int32_t> order(trie.nodes().size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return trie[a].depth > trie[b].depth; });
  std::vector<uint8_t> covered(trie.nodes().size());
  std::vector<TrieRead> reads;
  for (const int32_t i : order) {
    if (i == 0 || covered[static_cast<size_t>(i)] || !IsNeeded(trie[i], method)) continue;
    TrieRead read;
    for (int32_t at = i; at > 0; at = trie[at].parent) {
      if (covered[static_cast<size_t>(at)] || !IsNeeded(trie[at], method)) continue;
      covered[static_cast<size_t>(at)] = 1;
      read.nodes.push_back(at);
      const std::vector<int32_t>& tokens = trie[at].child_tokens;
      if (method == Method::kTrie) read.ids.insert(read.ids.end(), tokens.begin(), tokens.end());
    }
    std::sort(read.ids.begin(), read.ids.end());
    read.ids.erase(std::unique(read.ids.begin(), read.ids.end()), read.ids.end());
    read.all_rows = read.nodes.size() > 1;
    read.tokens = trie.PathTo(i);
    reads.push_back(std::move(read));
  }
  return reads;
}

TrieScores::TrieScores(const LabelTrie& trie, Method method)
    : trie_(&trie), method_(method), conditional_(trie.nodes().size()), log_(trie.nodes().size()), known_(trie.nodes().size()),
      reached_(trie.nodes().size()) {
  // A forced token is certain. (Of the full likelihood every node is read.)
  for (size_t i = 0; i < known_.size(); ++i) known_[i] = IsNeeded(trie.nodes()[i], method) ? 0 : 1;
}

void TrieScores::Accept(int32_t node, std::span<const float> logits, std::span<const int32_t> ids) {
  const std::vector<int32_t>& tokens = (*trie_)[node].child_tokens;
  std::vector<float> of_children;
  of_children.reserve(tokens.size());
  auto at = ids.begin();
  for (const int32_t token : tokens) {
    if (!ids.empty()) at = std::lower_bound(at, ids.end(), token);
    of_children.push_back(logits[static_cast<size_t>(ids.empty() ? token : at - ids.begin())]);
  }
  const bool wants_all = ids.empty() && (node == 0 || method_ == Method::kFull);
  Accept(node, of_children, wants_all ? LogSumExp(logits) : 0);
}

void TrieScores::Accept(int32_t node, std::span<const float> children, double log_normalizer) {
  const double log_sum = LogSumExp(children);
  if (node == 0) label_mass_ = std::exp(std::min(0.0, log_sum - log_normalizer));
  const double minus = method_ == Method::kFull ? log_normalizer : log_sum;
  const std::vector<int32_t>& nodes = (*trie_)[node].children;
  // A single child of the root is certain among the labels, whatever its logit.
  for (size_t i = 0; i < nodes.size(); ++i) {
    conditional_[static_cast<size_t>(nodes[i])] = std::isfinite(minus) ? Finite(children[i]) - minus : kImpossible;
  }
  known_[static_cast<size_t>(node)] = 1;
}

void TrieScores::Descend() {
  reached_[0] = 1;
  for (size_t i = 1; i < log_.size(); ++i) {
    const auto parent = static_cast<size_t>(trie_->nodes()[i].parent);
    reached_[i] = reached_[parent] & known_[parent];
    log_[i] = log_[parent] + conditional_[i];
  }
}

std::vector<int32_t> TrieScores::Next(int64_t top_k) {
  Descend();
  std::vector<double> best;
  for (size_t i = 0; i < trie_->n_labels(); ++i) {
    const auto leaf = static_cast<size_t>(trie_->LeafOf(i));
    if (reached_[leaf]) best.push_back(log_[leaf]);
  }
  // Nothing below a node is likelier than the node: one that is behind the k-th best label need not be read.
  double bound = kImpossible;
  const auto k = static_cast<size_t>(top_k);
  if (top_k > 0 && best.size() >= k) {
    std::nth_element(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(k) - 1, best.end(), std::greater<>());
    bound = best[k - 1];
  }
  std::vector<int32_t> next;
  for (size_t i = 0; i < known_.size(); ++i) {
    if (reached_[i] && !known_[i] && (top_k == 0 || log_[i] >= bound)) next.push_back(static_cast<int32_t>(i));
  }
  // The likeliest ones first: what they hold often rules out the others.
  if (top_k == 0 || next.size() <= k) return next;
  std::partial_sort(next.begin(), next.begin() + static_cast<std::ptrdiff_t>(k), next.end(), [&](int32_t a, int32_t b) {
    const double x = log_[static_cast<size_t>(a)], y = log_[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  next.resize(k);
  return next;
}

std::vector<double> TrieScores::Probabilities() const {
  TrieScores last = *this;
  last.Descend();
  std::vector<double> probabilities(trie_->n_labels(), kNotComputed);
  double best = kImpossible, sum = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) best = std::max(best, last.log_[static_cast<size_t>(trie_->LeafOf(i))]);
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const auto leaf = static_cast<size_t>(trie_->LeafOf(i));
    if (!last.reached_[leaf]) continue;
    const bool full = method_ == Method::kFull;
    probabilities[i] = full && !std::isfinite(best) ? 1.0 : std::exp(last.log_[leaf] - (full ? best : 0));
    sum += probabilities[i];
  }
  if (method_ == Method::kFull) {
    for (double& probability : probabilities) probability /= sum;
  }
  return probabilities;
}

}  // namespace lfm::classify
