// Finds the packed file of a model: beside it, or in the cache folder.
#pragma once

#include <string>

#include "base/threads.h"
#include "formats/checkpoint.h"

namespace lfm::engine {

// Where the packed file of this model belongs in `folder`: its name and its key.
std::string PackedPath(const formats::Checkpoint& source, const std::string& folder);

// The packed form of an opened model where one is at hand (MODEL.lfm beside it, or in `folder`, which may be empty),
// else the model itself. A packed file that is stale or damaged, in its weights too, is not used; a warning in the log
// names it.
formats::Checkpoint PreferPacked(formats::Checkpoint source, const std::string& folder, Threads& threads);

}  // namespace lfm::engine
