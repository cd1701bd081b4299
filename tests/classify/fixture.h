// The cases of tests/data/classify/metrics.json.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/json.h"
#include "classify/metrics.h"

namespace lfm::classify {

inline const Json::Array& MetricsFixture() {
  static const Json fixtures = [] {
    const auto text = ReadWholeFile(std::string(LFM_TEST_DATA) + "/classify/metrics.json");
    auto json = ParseJson(text.ok() ? *text : "");
    EXPECT_TRUE(json.ok());
    return json.ok() ? *json : Json();
  }();
  return fixtures.items();
}

inline Scored ScoredOf(const Json& fixture) {
  Scored scored;
  scored.n_labels = fixture["labels"].AsInt();
  for (const Json& p : fixture["probabilities"].items()) scored.probabilities.push_back(p.AsDouble());
  for (const Json& label : fixture["truth"].items()) scored.truth.push_back(static_cast<int32_t>(label.AsInt()));
  return scored;
}

}  // namespace lfm::classify
