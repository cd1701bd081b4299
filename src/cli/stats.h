// Where the time of an answer went, and how near it came to what the machine can do: `lfm run --stats`, /stats.
#pragma once

#include <string>

#include "engine/generate.h"
#include "report/machine.h"
#include "engine/session.h"
#include "model/profile.h"

namespace lfm::cli {

// The profiles of one answer; reading the prompt and writing the answer are told apart.
class StatsRecorder {
 public:
  // From now on `session` counts here; it must not outlive this.
  void Begin(engine::Session& session);
  // To be called for each token of the answer.
  void OnToken(engine::Session& session) { session.profile = &answer_; }
  void Finish(engine::Session& session, const engine::Timings& timings);

  bool empty() const { return timings_.n_predicted == 0 && timings_.n_prompt == 0; }
  // A table for people. `roofline` was measured on this machine with the same threads.
  std::string Text(const report::Roofline& roofline) const;

 private:
  model::Profile prompt_, answer_;
  engine::Timings timings_;
};

}  // namespace lfm::cli
