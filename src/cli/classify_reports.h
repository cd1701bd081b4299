// What `lfm classify fit` and `lfm classify eval` print and write, of each kind of label set.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "classify/calibration.h"
#include "classify/labelled.h"
#include "classify/set_calibration.h"

namespace lfm::cli {

// Tables on standard output. `names`: of the labels.
void PrintFit(const classify::Fit& fit);
void PrintFit(const classify::TreeFit& fit, const classify::LabelTree& tree, std::span<const std::string> names);
void PrintFit(const classify::MultiFit& fit, std::span<const std::string> names);
void PrintEval(const classify::Metrics& metrics, std::span<const std::string> names, const classify::NoneFigures& none);
// levels: of each level that a row says something about, from the top. leaves: the names of the last level.
void PrintEval(std::span<const classify::Metrics> levels, const classify::LabelTree& tree, std::span<const std::string> names,
               const classify::NoneFigures& none);
void PrintEval(const classify::MultiMetrics& metrics, std::span<const std::string> names);

// The calibration's file, with a report beside its figures.
Json FitJson(const classify::Fit& fit, std::span<const std::string> names);
Json FitJson(const classify::TreeFit& fit, const classify::LabelTree& tree, std::span<const std::string> names);
Json FitJson(const classify::MultiFit& fit, std::span<const std::string> names);
Json NoneJson(const classify::NoneFigures& none);

// The names of the labels of a level.
std::vector<std::string> NamesOnLevel(const classify::LabelTree& tree, int level, std::span<const std::string> names);

}  // namespace lfm::cli
