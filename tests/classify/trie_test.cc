// The trie of labels and the distributions over it, on logits made by hand.
#include "classify/trie.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lfm::classify {
namespace {

using Ids = std::vector<std::vector<int32_t>>;

// Token 9 ends a label. The second label begins with all of the first.
const Ids kIds = {{1, 2, 9}, {1, 2, 3, 9}, {1, 4, 9}, {5, 6, 9}};

LabelTrie TrieOf(const Ids& ids) {
  auto trie = LabelTrie::Create(ids);
  EXPECT_TRUE(trie.ok());
  return std::move(trie).value();
}

// The node behind these tokens.
int32_t NodeAt(const LabelTrie& trie, const std::vector<int32_t>& path) {
  for (size_t i = 0; i < trie.nodes().size(); ++i) {
    if (trie.PathTo(static_cast<int32_t>(i)) == path) return static_cast<int32_t>(i);
  }
  return -1;
}

std::vector<float> LogitsOf(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

// Probabilities of tokens 0 to 9 behind three nodes.
const std::vector<float> kRoot = LogitsOf({.1, .3, .1, .1, .1, .1, .05, .05, .05, .05});
const std::vector<float> kBehind1 = LogitsOf({.1, .1, .1, .1, .3, .1, .05, .05, .05, .05});
const std::vector<float> kBehind12 = LogitsOf({.1, .1, .1, .3, .1, .1, .05, .05, .05, .05});

TEST(Trie, Nodes) {
  const LabelTrie trie = TrieOf(kIds);
  EXPECT_EQ(trie.nodes().size(), 11u);
  EXPECT_EQ(trie.max_depth(), 4);
  EXPECT_EQ(trie.PathTo(trie.LeafOf(1)), (std::vector<int32_t>{1, 2, 3, 9}));
  EXPECT_EQ(trie[trie.LeafOf(3)].label, 3);
  const Ids twice = {{1, 9}, {2, 9}, {1, 9}};
  const auto refused = LabelTrie::Create(twice);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "labels 1 and 3 are the same tokens to this model; rename one");
}

TEST(Trie, ReadsAreThoseOfBranchesOrOfAllNodes) {
  const LabelTrie trie = TrieOf(kIds);
  const auto branches = AllReads(trie, Method::kTrie);
  ASSERT_EQ(branches.size(), 1u);  // behind 1 2, and behind 1 on the way
  EXPECT_EQ(branches[0].tokens, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(branches[0].nodes, (std::vector<int32_t>{NodeAt(trie, {1, 2}), NodeAt(trie, {1})}));
  EXPECT_TRUE(branches[0].all_rows);
  size_t n_nodes = 0;
  for (const TrieRead& read : AllReads(trie, Method::kFull)) n_nodes += read.nodes.size();
  EXPECT_EQ(n_nodes, 6u);  // all but the root and the leaves
}

TEST(Trie, ProductsOfSoftmaxOverChildren) {
  const LabelTrie trie = TrieOf(kIds);
  TrieScores scores(trie, Method::kTrie);
  scores.Accept(0, kRoot);
  EXPECT_NEAR(scores.label_mass(), .4, 1e-6);
  EXPECT_EQ(scores.Next(0), (std::vector<int32_t>{NodeAt(trie, {1})}));
  scores.Accept(NodeAt(trie, {1}), kBehind1);
  EXPECT_EQ(scores.Next(0), (std::vector<int32_t>{NodeAt(trie, {1, 2})}));
  EXPECT_EQ(scores.Probabilities()[0], kNotComputed);
  scores.Accept(NodeAt(trie, {1, 2}), kBehind12);
  EXPECT_TRUE(scores.Next(0).empty());
  const std::vector<double> p = scores.Probabilities();
  EXPECT_NEAR(p[0], .75 * .25 * (.05 / .35), 1e-6);
  EXPECT_NEAR(p[1], .75 * .25 * (.30 / .35), 1e-6);
  EXPECT_NEAR(p[2], .75 * .75, 1e-6);
  EXPECT_NEAR(p[3], .25, 1e-6);
}

TEST(Trie, TheFirstLabelsNeedFewNodes) {
  const LabelTrie trie = TrieOf(kIds);
  TrieScores scores(trie, Method::kTrie);
  scores.Accept(0, kRoot);
  scores.Accept(NodeAt(trie, {1}), kBehind1);
  // .5625 and .25 are known; all below {1, 2} is at most .1875.
  EXPECT_TRUE(scores.Next(2).empty());
  EXPECT_EQ(scores.Next(3), (std::vector<int32_t>{NodeAt(trie, {1, 2})}));
  EXPECT_EQ(scores.Probabilities()[0], kNotComputed);
  EXPECT_EQ(scores.Probabilities()[1], kNotComputed);
}

TEST(Trie, TheLikeliestNodesAreReadFirst) {
  const Ids ids = {{1, 2, 9}, {1, 3, 9}, {4, 2, 9}, {4, 3, 9}, {5, 2, 9}, {5, 3, 9}};
  const LabelTrie trie = TrieOf(ids);
  TrieScores scores(trie, Method::kTrie);
  scores.Accept(0, LogitsOf({.1, .5, .1, .05, .05, .15, .05, 0, 0, 0}));  // behind 1, 5 and 4, in this order
  EXPECT_EQ(scores.Next(1), (std::vector<int32_t>{NodeAt(trie, {1})}));
  EXPECT_EQ(scores.Next(2), (std::vector<int32_t>{NodeAt(trie, {1}), NodeAt(trie, {5})}));
  EXPECT_EQ(scores.Next(0).size(), 3u);
  scores.Accept(NodeAt(trie, {1}), LogitsOf({0, 0, .5, .5, 0, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(scores.Next(1).empty());
}

TEST(Trie, ChildrenAloneAreAsGoodAsTheVocabulary) {
  const LabelTrie trie = TrieOf(kIds);
  TrieScores whole(trie, Method::kTrie), few(trie, Method::kTrie);
  whole.Accept(0, kRoot);
  few.Accept(0, kRoot);
  for (const TrieRead& read : AllReads(trie, Method::kTrie)) {
    EXPECT_FALSE(read.ids.empty());
    for (const int32_t node : read.nodes) {
      const auto& row = trie[node].depth == 1 ? kBehind1 : kBehind12;
      std::vector<float> picked;
      for (const int32_t id : read.ids) picked.push_back(row[static_cast<size_t>(id)]);
      whole.Accept(node, row);
      few.Accept(node, picked, read.ids);
    }
  }
  EXPECT_EQ(few.Probabilities(), whole.Probabilities());
  EXPECT_EQ(few.label_mass(), whole.label_mass());
  for (const TrieRead& read : AllReads(trie, Method::kFull)) EXPECT_TRUE(read.ids.empty());
}

TEST(Trie, FullLikelihoodSumsToOne) {
  const Ids ids = {{1, 9}, {2, 9}};
  const LabelTrie trie = TrieOf(ids);
  TrieScores scores(trie, Method::kFull);
  scores.Accept(0, kRoot);
  scores.Accept(NodeAt(trie, {1}), kBehind1);  // .05 for the end
  scores.Accept(NodeAt(trie, {2}), LogitsOf({.1, .1, .1, .1, .1, .1, .05, .05, .0, .3}));
  const std::vector<double> p = scores.Probabilities();
  const double a = .3 * .05, b = .1 * .3;
  EXPECT_NEAR(p[0], a / (a + b), 1e-6);
  EXPECT_NEAR(p[0] + p[1], 1, 1e-12);
}

TEST(Trie, LogSumExpOfExtremes) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(LogSumExp(std::vector<float>{-inf, -inf}), -inf);
  EXPECT_NEAR(LogSumExp(std::vector<float>{1e4f, 1e4f}), 1e4 + std::log(2), 1e-9);
  EXPECT_EQ(LogSumExp(std::vector<float>{std::nanf(""), 2.f}), 2);
}

}  // namespace
}  // namespace lfm::classify
