// A loaded model as the APIs show it: names, fingerprint, figures, prices.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/loaded_model.h"
#include "formats/checkpoint.h"
#include "server/served_model.h"

namespace lfm::server {

struct ServedOptions {
  std::string id;                    // "": the model's own name, or its file's
  std::vector<std::string> aliases;  // further names, in their order
  bool any_name = false;
  int64_t n_ctx = 0;       // of the engine
  std::string version;     // of the program, and its commit: part of the fingerprint
  std::string price_file;  // path; "": the published prices of the names, where they have any
};

// Reads headers and small tensors only. The result borrows `model`'s text half; `sampling`, `has_seed` and `max_tokens` are
// the caller's to change.
Result<ServedModel> DescribeServed(const engine::LoadedModel& model, const formats::Checkpoint& checkpoint,
                                   const ServedOptions& options);

// Names, types and shapes of all tensors and the bytes of the small ones, as 16 hexadecimal digits: the same for a packed
// copy, another for any other training or quantisation.
std::string WeightsHash(const formats::Checkpoint& checkpoint);

}  // namespace lfm::server
