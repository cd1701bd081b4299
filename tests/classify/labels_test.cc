// Label sets: lists, files, and what is refused.
#include "classify/labels.h"

#include <gtest/gtest.h>

namespace lfm::classify {
namespace {

std::string ErrorOf(const Result<LabelSet>& set) { return set.ok() ? "" : set.error().message; }

Result<LabelSet> FromText(const std::string& text) {
  auto json = ParseJson(text);
  return json.ok() ? LabelSet::FromJson(*json) : Result<LabelSet>(json.error());
}

TEST(Labels, AList) {
  const auto set = LabelSet::FromList(" refund, book hotel ,other");
  ASSERT_TRUE(set.ok());
  ASSERT_EQ(set->size(), 3u);
  EXPECT_EQ((*set)[1].name, "book hotel");
  EXPECT_TRUE(set->is_flat());
  EXPECT_EQ(set->Find("other"), 2u);
  EXPECT_EQ(set->Find("none"), 3u);
}

TEST(Labels, WhatIsRefused) {
  EXPECT_EQ(ErrorOf(LabelSet::FromList("")), "label 1 is empty");
  EXPECT_EQ(ErrorOf(LabelSet::FromList("a,,b")), "label 2 is empty");
  EXPECT_EQ(ErrorOf(LabelSet::FromList("a,b,a")), "label 3 'a' is the same as label 1");
  EXPECT_EQ(ErrorOf(LabelSet::FromList("a,b\nc")), "label 2 'b\\x0ac' holds a control character");
  EXPECT_EQ(ErrorOf(LabelSet::FromList(std::string(257, 'a'))), "label 1 has 257 bytes; at most 256 are taken");
  EXPECT_EQ(ErrorOf(FromText("[]")), "there are no labels");
  EXPECT_EQ(ErrorOf(FromText("3")), "labels are a list of names or objects, or an object with the list \"labels\"");
  EXPECT_EQ(ErrorOf(FromText(R"(["a", 1])")), "label 2 is neither a text nor an object with \"name\"");
  EXPECT_EQ(ErrorOf(FromText(R"([{"nam": "a"}])")),
            "label 1 has the unknown member 'nam'; known are name, description, examples, parent");
  EXPECT_EQ(ErrorOf(FromText(R"([{"name": " a"}])")), "label 1 ' a' begins or ends with white space");
  EXPECT_EQ(ErrorOf(FromText(R"({"labels": ["a"], "x": 1})")), "unknown member 'x'; known are labels, instructions");
  EXPECT_EQ(ErrorOf(FromText(R"([{"name": "a", "parent": "b"}])")), "label 1 'a' has the parent 'b', which is no label");
  EXPECT_EQ(ErrorOf(FromText(R"([{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}])")),
            "label 1 'a' has more than 16 parents above it, or is its own");
}

TEST(Labels, FiveThousandAreTakenAndTooManyAreNot) {
  std::vector<Label> labels(5000);
  for (size_t i = 0; i < labels.size(); ++i) labels[i].name = std::to_string(i);
  EXPECT_TRUE(LabelSet::Create(labels).ok());
  labels.resize(kMaxLabels + 1);
  EXPECT_EQ(ErrorOf(LabelSet::Create(labels)), "10001 labels are too many; at most 10000 are taken");
}

TEST(Labels, AFileWithAllMembers) {
  const auto set = FromText(R"({"instructions": "Choose.", "labels": ["top",
      {"name": "a", "description": "first", "examples": ["x", "y"], "parent": "top"}, {"name": "b", "parent": "top"}]})");
  ASSERT_TRUE(set.ok()) << ErrorOf(set);
  EXPECT_EQ(set->instructions(), "Choose.");
  EXPECT_EQ((*set)[1], (Label{"a", "first", {"x", "y"}, "top"}));
  EXPECT_FALSE(set->is_flat());
  EXPECT_EQ(set->ParentOf(1), 0u);
  EXPECT_EQ(set->ParentOf(0), 3u);
  EXPECT_EQ(set->ChildrenOf(0), (std::vector<size_t>{1, 2}));
  EXPECT_EQ(set->ChildrenOf(3), (std::vector<size_t>{0}));
}

TEST(Labels, TheHashSeesEverything) {
  const char* const texts[] = {R"(["a", "b"])",
                               R"(["b", "a"])",
                               R"(["ab"])",
                               R"([{"name": "a", "description": "b"}])",
                               R"([{"name": "a", "examples": ["b"]}])",
                               R"(["a", {"name": "b", "parent": "a"}])",
                               R"({"labels": ["a", "b"], "instructions": "c"})"};
  std::vector<uint64_t> hashes;
  for (const char* text : texts) {
    const auto set = FromText(text);
    ASSERT_TRUE(set.ok());
    EXPECT_EQ(std::count(hashes.begin(), hashes.end(), set->Hash()), 0) << text;
    hashes.push_back(set->Hash());
  }
}

}  // namespace
}  // namespace lfm::classify
