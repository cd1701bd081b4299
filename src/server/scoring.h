// Requests that ask for logits instead of answers: all of them through the engine, then one document.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/backend.h"
#include "server/http.h"
#include "server/served_model.h"
#include "server/writer.h"

namespace lfm::server {

// The logits of one engine::ScorePoint.
struct PointLogits {
  std::vector<float> logits;
  double log_normalizer = 0;
};

struct ScoringWork {
  std::vector<engine::Request> requests;  // with points
  std::string model;                      // the name that the answer carries
  // By request and point; makes the document.
  std::function<std::string(const std::vector<std::vector<PointLogits>>& results, const Totals& totals)> document;
};

// Starts the work and returns, as StartJob does. A client that leaves cancels it.
void StartScoring(ScoringWork work, const ServedModel& model, Backend& backend, std::shared_ptr<Reply> reply);

}  // namespace lfm::server
