// Plots: whole, escaped, and cut where there are too many labels.
#include "classify/plots.h"

#include <gtest/gtest.h>

#include "classify/fixture.h"

namespace lfm::classify {
namespace {

size_t CountOf(const std::string& text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

Metrics MetricsOf(const Scored& scored) { return *Measure(scored, {.n_resamples = 0}); }

TEST(Plots, ReliabilityHasADotForEachBin) {
  const Metrics metrics = MetricsOf(ScoredOf(MetricsFixture()[0]));
  const std::string svg = ReliabilitySvg(metrics, "a <b> & \"c\"");
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_EQ(CountOf(svg, "<circle"), metrics.bins.size());
  EXPECT_EQ(CountOf(svg, "a &lt;b&gt; &amp; &quot;c&quot;"), 2u);
}

TEST(Plots, ConfusionShowsItsCountsAndEscapesLabels) {
  const Metrics metrics = MetricsOf({2, {0.9, 0.1, 0.2, 0.8, 0.7, 0.3}, {0, 1, 1}});
  const std::vector<std::string> names = {"<script>alert('x')</script>", "b\x01\xff\xe2\x80\xae"};
  const std::string svg = ConfusionSvg(metrics, names, "t");
  EXPECT_EQ(CountOf(svg, ">1</text>"), 3u);
  EXPECT_EQ(CountOf(svg, "<script"), 0u);
  EXPECT_EQ(CountOf(svg, "&lt;script&gt;alert(&#39;x&#39;)"), 2u);
  EXPECT_EQ(CountOf(svg, "\x01"), 0u);
  EXPECT_EQ(CountOf(svg, "\xe2\x80\xae"), 0u);
  EXPECT_EQ(CountOf(svg, "b \xef\xbf\xbd<"), 2u);
}

TEST(Plots, LabelsOfSeveralShowWhatBecameOfThem) {
  const MultiScored scored = {2, {.9, .2, .6, .7, .1, .4}, {1, 0, 0, 1, 0, 1}};
  const MultiMetrics metrics = *Measure(scored, GivenLabels(scored, std::vector<double>{.5, .5}), {.n_resamples = 0});
  const std::string svg = LabelCountsSvg(metrics, std::vector<std::string>{"<a>", "b"}, "t");
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_EQ(CountOf(svg, "&lt;a&gt;"), 1u);
  EXPECT_EQ(CountOf(svg, ">1</text>"), 4u);  // each label once right; one missed, one given wrongly
  EXPECT_EQ(CountOf(svg, ">0</text>"), 2u);
  EXPECT_EQ(CountOf(ReliabilitySvg(metrics, "t"), "<circle"), metrics.bins.size());
  EXPECT_EQ(CountOf(ReliabilitySvg(metrics, "t"), "6 decisions"), 1u);
}

TEST(Plots, ManyLabelsAreCutToThoseWithErrors) {
  Scored scored;
  scored.n_labels = 60;
  std::vector<std::string> names;
  for (int i = 0; i < 60; ++i) {
    names.push_back("label_" + std::to_string(i) + "_with_a_name_that_is_long");
    for (int j = 0; j < 60; ++j) scored.probabilities.push_back(i == j || (i == 59 && j == 58) ? 0.5 : 0.5 / 59);
    scored.truth.push_back(i);
  }
  const std::string svg = ConfusionSvg(MetricsOf(scored), names, "t");
  EXPECT_NE(svg.find("the 40 of 60 labels"), std::string::npos);
  EXPECT_EQ(CountOf(svg, ">label_59_with_a_name_tha…<"), 2u);
}

}  // namespace
}  // namespace lfm::classify
