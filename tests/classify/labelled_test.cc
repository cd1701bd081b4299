// Labelled rows from tables, and how rows without a right label are told apart.
#include "classify/labelled.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace lfm::classify {
namespace {

Result<LabelledRows> LabelledFrom(std::string text, TableFormat format, bool several = false) {
  ByteSource source = [text = std::move(text), at = size_t{0}](char* buffer, size_t size) mutable -> Result<size_t> {
    const size_t n = std::min(size, text.size() - at);
    std::memcpy(buffer, text.data() + at, n);
    at += n;
    return n;
  };
  LFM_TRY(const auto reader, TableReader::Create(std::move(source), format));
  LFM_TRY(TextTemplate column, TextTemplate::Column("text"));
  return ReadLabelled(*reader, column, "label", *LabelSet::FromList("a,b"), several);
}

TEST(Labelled, RowsOfBothFormats) {
  const std::vector<std::string> texts = {"x", "y, z", "w"};
  const std::vector<int32_t> truth = {1, 0, kNoLabel};
  const auto csv = LabelledFrom("text,label\nx,b\n\"y, z\", a \nw,\n", TableFormat::kCsv);
  ASSERT_TRUE(csv.ok()) << csv.error().message;
  EXPECT_EQ(csv->texts, texts);
  EXPECT_EQ(csv->truth, truth);
  const auto jsonl = LabelledFrom(
      "{\"text\": \"x\", \"label\": \"b\"}\n{\"text\": \"y, z\", \"label\": \"a\"}\n{\"text\": \"w\", \"label\": null}\n",
      TableFormat::kJsonl);
  ASSERT_TRUE(jsonl.ok()) << jsonl.error().message;
  EXPECT_EQ(jsonl->texts, texts);
  EXPECT_EQ(jsonl->truth, truth);
}

TEST(Labelled, SeveralLabelsOfBothFormats) {
  const std::vector<std::vector<int32_t>> truths = {{0, 1}, {1}, {}};
  const auto csv = LabelledFrom("text,label\nx, b ;a;b\ny,b;\nw,\n", TableFormat::kCsv, true);
  ASSERT_TRUE(csv.ok()) << csv.error().message;
  EXPECT_EQ(csv->truths, truths);
  EXPECT_TRUE(csv->truth.empty());
  const auto jsonl = LabelledFrom(
      "{\"text\": \"x\", \"label\": [\"b\", \"a\"]}\n{\"text\": \"y\", \"label\": \"b\"}\n{\"text\": \"w\", \"label\": null}\n",
      TableFormat::kJsonl, true);
  ASSERT_TRUE(jsonl.ok()) << jsonl.error().message;
  EXPECT_EQ(jsonl->truths, truths);
  EXPECT_NE(LabelledFrom("text,label\nx,a;c\n", TableFormat::kCsv, true).error().message.find("line 2: there is no label 'c'"),
            std::string::npos);
  EXPECT_FALSE(LabelledFrom("{\"text\": \"x\", \"label\": [1]}\n", TableFormat::kJsonl, true).ok());
  EXPECT_FALSE(LabelledFrom("{\"text\": \"x\", \"label\": {}}\n", TableFormat::kJsonl, true).ok());
}

TEST(Labelled, BadRowsAreErrorsWithTheirLine) {
  const auto says = [](const std::string& text, TableFormat format = TableFormat::kCsv) {
    const auto rows = LabelledFrom(text, format);
    return rows.ok() ? "" : rows.error().message;
  };
  EXPECT_TRUE(says("text,label\nx,b\ny,c\n").starts_with("line 3: there is no label"));
  EXPECT_TRUE(says("text,label\nx\n").starts_with("line 2: "));
  EXPECT_NE(says("text\nx\n"), "");
  EXPECT_TRUE(says("{\"text\": \"x\", \"label\": \"a\"}\n[]\n", TableFormat::kJsonl).starts_with("line 2: "));
}

TEST(Labelled, RowsWithoutARightLabelAreToldApart) {
  LabelledScores scores;
  scores.scored = {2, {0.9, 0.1, 0.2, 0.8}, {0, 1}};
  scores.label_mass = {0.9, 0.6};
  scores.none_probabilities = {0.5, 0.5, 0.15, 0.85};
  scores.none_label_mass = {0.1, 0.2};
  const NoneFigures figures = MeasureNone(scores);
  EXPECT_EQ(figures.n_rows, 2);
  EXPECT_EQ(figures.by_label_mass, 1);
  EXPECT_EQ(figures.by_confidence, 0.75);
  EXPECT_EQ(figures.by_margin, 0.75);
}

}  // namespace
}  // namespace lfm::classify
