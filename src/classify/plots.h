// Pictures of measurements as SVG: whole documents that need nothing else, labels escaped.
#pragma once

#include <span>
#include <string>

#include "classify/metrics.h"
#include "classify/multi_metrics.h"

namespace lfm::classify {

// Accuracy against confidence in each bin, as dots whose area is the bin's share, beside the diagonal where both are the same.
std::string ReliabilitySvg(const Metrics& metrics, const std::string& title);

// The same of all decisions about labels: the share that fits against the probability.
std::string ReliabilitySvg(const MultiMetrics& metrics, const std::string& title);

// Of each label the rows that it was given rightly, that it was missed in, and that it was given wrongly. Of more than
// kMostPlotLabels labels those with the most errors.
std::string LabelCountsSvg(const MultiMetrics& metrics, std::span<const std::string> names, const std::string& title);

// Rows by right label (down) and predicted label (across). Of more than kMostPlotLabels labels those with the most errors.
std::string ConfusionSvg(const Metrics& metrics, std::span<const std::string> names, const std::string& title);

inline constexpr size_t kMostPlotLabels = 40;

}  // namespace lfm::classify
