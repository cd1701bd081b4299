// Labels as a trie over tokens, and what a model's logits at its nodes say about each label.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "classify/classifier.h"

namespace lfm::classify {

// Immutable. Node 0 is the root; a node comes after its parent.
class LabelTrie {
 public:
  struct Node {
    int32_t token = -1;
    int32_t parent = -1;
    int32_t depth = 0;
    int32_t label = -1;                 // of a leaf
    std::vector<int32_t> children;      // nodes, by rising token
    std::vector<int32_t> child_tokens;  // of these
  };

  // The tokens of each label, each with its end token, so that none begins another. Two equal lists are an error.
  static Result<LabelTrie> Create(std::span<const std::vector<int32_t>> ids);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& operator[](int32_t i) const { return nodes_[static_cast<size_t>(i)]; }
  size_t n_labels() const { return leaves_.size(); }
  int32_t LeafOf(size_t label) const { return leaves_[label]; }
  int32_t max_depth() const { return max_depth_; }
  std::vector<int32_t> PathTo(int32_t node) const;  // tokens from the root

 private:
  std::vector<Node> nodes_;
  std::vector<int32_t> leaves_;
  int32_t max_depth_ = 0;
};

// Tokens to be read behind a prompt, and the nodes whose logits come of it: node i stands behind tokens[0, depth of i).
struct TrieRead {
  std::vector<int32_t> tokens;
  std::vector<int32_t> nodes;
  bool all_rows = false;     // logits of each token are wanted, not of the last alone
  std::vector<int32_t> ids;  // whose logits are wanted, rising; empty: the whole vocabulary
};

// A read that ends at a node and tells of it alone.
TrieRead ReadOf(const LabelTrie& trie, Method method, int32_t node);
// All reads that a method needs beyond the root, as few as they can be: each goes down to a node that no other passes.
std::vector<TrieRead> AllReads(const LabelTrie& trie, Method method);

// What is known of one prompt's labels. Accept may be called for distinct nodes from distinct threads.
class TrieScores {
 public:
  TrieScores(const LabelTrie& trie, Method method);

  // The logits behind a node: of the whole vocabulary, or of these ids, rising, its children among them.
  void Accept(int32_t node, std::span<const float> logits, std::span<const int32_t> ids = {});
  // The same where only those of its children (in their order) and the log of the sum of exp over all are at hand.
  void Accept(int32_t node, std::span<const float> children, double log_normalizer);

  // kTrie: the nodes to be read next so that the top_k first labels become certain, at most top_k of them; empty when they
  // are. top_k 0: all that are within reach.
  std::vector<int32_t> Next(int64_t top_k);
  // In the order of the labels; kNotComputed below a node that was not read.
  std::vector<double> Probabilities() const;
  double label_mass() const { return label_mass_; }

 private:
  void Descend();

  const LabelTrie* trie_;
  Method method_;
  std::vector<double> conditional_;  // log probability of each node given its parent
  std::vector<double> log_;          // of its whole path; as of Descend()
  std::vector<uint8_t> known_;       // logits behind this node have come
  std::vector<uint8_t> reached_;     // all above it is known; as of Descend()
  double label_mass_ = 0;
};

// log of the sum of exp, in f64; a NaN counts as nothing.
double LogSumExp(std::span<const float> logits);

}  // namespace lfm::classify
