// Models by name: what -m means when it is no path, and pulling with a line of progress.
#pragma once

#include <string>

#include "base/result.h"
#include "hub/environment.h"
#include "hub/pull.h"

namespace lfm::cli {

// The hub's environment variables.
hub::Environment HubEnvironment();

// Options of a pull that can be interrupted and tells its messages on standard error.
hub::PullOptions MakePullOptions();

// Carries a plan out with progress on a terminal.
Result<hub::Pulled> PullWithProgress(const hub::PullPlan& plan, hub::PullOptions options);

// The path that a -m argument means: itself when it exists, else what is in the cache. What is missing is
// offered to be fetched on a terminal; elsewhere it is an error that says how to.
Result<std::string> ModelPath(const std::string& text);

}  // namespace lfm::cli
