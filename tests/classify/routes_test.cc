// Route files: their members and those of semantic-router, what is refused, and the choice.
#include "classify/routes.h"

#include <gtest/gtest.h>

namespace lfm::classify {
namespace {

Result<RouteFile> Parsed(const std::string& text) {
  LFM_TRY(const Json json, ParseJson(text));
  return RoutesFromJson(json);
}

TEST(Routes, AllMembers) {
  const auto file = Parsed(R"({"threshold": 0.5, "fallback": "a person", "instructions": "Choose.", "routes": [
      {"name": "refund", "description": "money back", "utterances": ["I want my money"], "threshold": 0.8, "tool": "refund_order"},
      {"name": "code", "model": "lfm2-8b-a1b"}, {"name": "web", "url": "https://example.com/hook"}, {"name": "other"}]})");
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_EQ(file->routes.size(), 4u);
  const Route& refund = file->routes[0];
  EXPECT_EQ(refund.label, (Label{"refund", "money back", {"I want my money"}, ""}));
  EXPECT_EQ(refund.threshold, 0.8);
  EXPECT_EQ(refund.target.kind, TargetKind::kTool);
  EXPECT_EQ(refund.target.value, "refund_order");
  EXPECT_EQ(file->routes[1].target.kind, TargetKind::kModel);
  EXPECT_EQ(file->routes[2].target.value, "https://example.com/hook");
  EXPECT_EQ(file->routes[3].target.kind, TargetKind::kLabel);
  EXPECT_FALSE(file->routes[3].threshold.has_value());
  EXPECT_EQ(file->fallback, "a person");
  EXPECT_EQ(file->Labels()->instructions(), "Choose.");
}

TEST(Routes, FilesOfSemanticRouter) {
  const auto file = Parsed(R"({"encoder_type": "openai", "encoder_name": "text-embedding-3-small", "routes": [
      {"name": "politics", "utterances": ["isn't politics the best thing ever"], "description": null, "function_schemas": null,
       "llm": null, "score_threshold": 0.3, "metadata": {"owner": "x"}},
      {"name": "get_time", "utterances": ["what time is it"], "function_schemas": [{"name": "get_time", "inputs": {}}]},
      {"name": "get_day", "utterances": [], "function_schemas": [{"type": "function", "function": {"name": "day"}}]}]})");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->routes[0].threshold, 0.3);
  EXPECT_EQ(file->routes[0].target.kind, TargetKind::kLabel);
  EXPECT_EQ(file->routes[1].target.value, "get_time");
  EXPECT_EQ(file->routes[2].target.value, "day");
}

TEST(Routes, RefuseWithTheRouteAndTheReason) {
  const auto says = [](const std::string& text) {
    const auto file = Parsed(text);
    return file.ok() ? "" : file.error().message;
  };
  EXPECT_NE(says("5").find("a list of objects"), std::string::npos);
  EXPECT_NE(says("[]").find("there are no labels"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a"}, "b"])").find("route 2 is no object"), std::string::npos);
  EXPECT_NE(says(R"([{"description": "x"}])").find("label 1 is empty"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a"}, {"name": "a"}])").find("same as label 1"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "utterance": []}])").find("unknown member"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "utterances": "x"}])").find("no list"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "threshold": 1.5}])").find("from 0 to 1"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "threshold": 0.5, "score_threshold": 0.5}])").find("two thresholds"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "tool": "x", "url": "y"}])").find("two targets"), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "tool": ""}])").find("an empty \"tool\""), std::string::npos);
  EXPECT_NE(says(R"([{"name": "a", "function_schemas": []}])").find("function_schemas"), std::string::npos);
  EXPECT_NE(says(R"({"route": []})").find("unknown member"), std::string::npos);
  EXPECT_NE(says(R"({"routes": [{"name": "a"}], "threshold": "x"})").find("from 0 to 1"), std::string::npos);
}

TEST(Routes, ChooseTheLikeliestThatReachesItsThreshold) {
  const auto file = Parsed(R"({"threshold": 0.4, "routes": [{"name": "a", "threshold": 0.9}, {"name": "b"}, {"name": "c"}]})");
  ASSERT_TRUE(file.ok());
  const RouteDecision low = Choose(*file, std::vector<double>{0.8, 0.1, 0.1}, 1);
  EXPECT_FALSE(low.route.has_value());
  EXPECT_EQ(low.order, (std::vector<size_t>{0, 1, 2}));
  const RouteDecision high = Choose(*file, std::vector<double>{0.3, 0.3, 0.4}, 1);
  EXPECT_EQ(high.route, 2u);
  EXPECT_EQ(high.order, (std::vector<size_t>{2, 0, 1}));
  EXPECT_EQ(Choose(*file, std::vector<double>{0.9, 0.05, 0.05}, 1).route, 0u);
}

TEST(Routes, NoneIsTakenWhereTheLabelMassIsTooLow) {
  const auto file = Parsed(R"({"min_label_mass": 0.5, "routes": [{"name": "a"}, {"name": "b"}]})");
  ASSERT_TRUE(file.ok());
  const RouteDecision low = Choose(*file, std::vector<double>{0.99, 0.01}, 0.49);
  EXPECT_FALSE(low.route.has_value());
  EXPECT_TRUE(low.is_foreign);
  EXPECT_EQ(Choose(*file, std::vector<double>{0.99, 0.01}, 0.5).route, 0u);
}

}  // namespace
}  // namespace lfm::classify
