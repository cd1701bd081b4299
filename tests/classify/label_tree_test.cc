// Levels, groups and cuts of a set with parents, and what rows say on each of them.
#include "classify/label_tree.h"

#include <gtest/gtest.h>

#include "classify/classifier.h"

namespace lfm::classify {
namespace {

// travel (hotel (cheap, dear), flight), refund
LabelSet TreeSet() {
  auto set = LabelSet::Create({{"hotel", "", {}, "travel"},
                               {"travel", "", {}, ""},
                               {"cheap", "", {}, "hotel"},
                               {"refund", "", {}, ""},
                               {"flight", "", {}, "travel"},
                               {"dear", "", {}, "hotel"}});
  EXPECT_TRUE(set.ok());
  return std::move(set).value();
}
constexpr size_t kHotel = 0, kTravel = 1, kCheap = 2, kRefund = 3, kFlight = 4, kDear = 5;

// hotel .5, travel .8, cheap .2, refund .2, flight .3, dear .3
const std::vector<double> kRow = {.5, .8, .2, .2, .3, .3};

TEST(LabelTree, LevelsGroupsAndCuts) {
  const LabelTree tree(TreeSet());
  EXPECT_EQ(tree.n_levels(), 3);
  EXPECT_EQ(tree.LevelOf(kTravel), 1);
  EXPECT_EQ(tree.LevelOf(kDear), 3);
  EXPECT_TRUE(tree.IsLeaf(kRefund) && tree.IsLeaf(kFlight) && !tree.IsLeaf(kHotel));
  ASSERT_EQ(tree.groups().size(), 3u);
  EXPECT_EQ(tree.groups()[0].parent, 6u);
  EXPECT_EQ(tree.groups()[0].places, (std::vector<size_t>{kTravel, kRefund}));
  EXPECT_EQ(tree.groups()[1].places, (std::vector<size_t>{kHotel, kFlight}));
  EXPECT_EQ(tree.groups()[2].parent, kHotel);
  EXPECT_EQ(tree.Cut(1), (std::vector<size_t>{kTravel, kRefund}));
  EXPECT_EQ(tree.Cut(2), (std::vector<size_t>{kHotel, kRefund, kFlight}));
  EXPECT_EQ(tree.Cut(3), (std::vector<size_t>{kCheap, kRefund, kFlight, kDear}));
  EXPECT_EQ(tree.At(kDear, 1), kTravel);
  EXPECT_EQ(tree.At(kDear, 2), kHotel);
  EXPECT_EQ(tree.At(kRefund, 3), kRefund);
}

TEST(LabelTree, AFlatSetIsOneLevelOfOneGroup) {
  const LabelTree tree(*LabelSet::FromList("a,b,c"));
  EXPECT_EQ(tree.n_levels(), 1);
  EXPECT_EQ(tree.groups().size(), 1u);
  EXPECT_EQ(tree.Cut(1).size(), 3u);
}

TEST(LabelTree, ConditionalProbabilitiesSumToOneAlsoBelowNothing) {
  const LabelTree tree(TreeSet());
  const std::vector<double> hotels = tree.Conditional(tree.groups()[2], kRow);
  EXPECT_NEAR(hotels[0], .4, 1e-15);
  EXPECT_NEAR(hotels[1], .6, 1e-15);
  const std::vector<double> none = tree.Conditional(tree.groups()[2], std::vector<double>{0, 1, 0, 0, 1, 0});
  EXPECT_EQ(none, (std::vector<double>{.5, .5}));
}

TEST(LabelTree, AnInnerLabelSaysWhatIsRightDownToItsLevel) {
  const LabelTree tree(TreeSet());
  Scored scored{6, {}, {static_cast<int32_t>(kDear), static_cast<int32_t>(kTravel), static_cast<int32_t>(kRefund)}};
  for (int i = 0; i < 3; ++i) scored.probabilities.insert(scored.probabilities.end(), kRow.begin(), kRow.end());
  EXPECT_EQ(tree.OnLevel(scored, 1).truth, (std::vector<int32_t>{0, 0, 1}));
  EXPECT_EQ(tree.OnLevel(scored, 2).truth, (std::vector<int32_t>{0, 1}));  // hotel, refund
  const Scored leaves = tree.OnLevel(scored, 3);
  EXPECT_EQ(leaves.truth, (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(leaves.row(0)[0], .2);
  std::vector<int64_t> rows;
  EXPECT_EQ(tree.InGroup(scored, tree.groups()[0], rows).truth, (std::vector<int32_t>{0, 0, 1}));
  EXPECT_EQ(tree.InGroup(scored, tree.groups()[1], rows).truth, (std::vector<int32_t>{0}));
  EXPECT_EQ(rows, (std::vector<int64_t>{0}));
}

TEST(LabelTree, DecisionsGoDownAsFarAsEachLevelIsSure) {
  const LabelSet set = TreeSet();
  const auto decide = [&](std::vector<double> of_levels, bool& is_sure) { return Decide(set, kRow, of_levels, is_sure); };
  bool is_sure = false;
  EXPECT_EQ(decide({.5, .5, .3}, is_sure).label, kTravel);  // the likeliest leaf, flight, is on level 2
  EXPECT_TRUE(is_sure);
  EXPECT_EQ(decide({.5, .3, .3}, is_sure).label, kFlight);
  EXPECT_TRUE(is_sure);
  const Decision top = decide({.7, .9, .9}, is_sure);
  EXPECT_EQ(top.label, kTravel);
  EXPECT_TRUE(is_sure);
  EXPECT_NEAR(top.margin, .6, 1e-15);
  EXPECT_EQ(decide({.9, .9, .9}, is_sure).label, kTravel);
  EXPECT_FALSE(is_sure);
}

}  // namespace
}  // namespace lfm::classify
