// Packed files as the program makes them: where they go, and the offer to write one.
#pragma once

#include <string>

#include "base/result.h"
#include "base/threads.h"
#include "formats/checkpoint.h"

namespace lfm::cli {

// Where the packed form of a model goes in the cache, whose folder is made if need be.
Result<std::string> PackTarget(const formats::Checkpoint& checkpoint);

// Writes the packed form to `target`, with progress on a terminal; Ctrl-C stops it and leaves nothing behind.
Status PackTo(const formats::Checkpoint& checkpoint, Threads& threads, const std::string& target);

// On a terminal, once for each model: offers to pack a model that has no packed form, saying how large it is and where
// it goes. Gives the packed form when it was written, else the checkpoint as it came. A no is remembered in the cache
// folder; models that load in a moment, full disks and read-only homes get no offer.
formats::Checkpoint OfferPack(formats::Checkpoint checkpoint, Threads& threads);

}  // namespace lfm::cli
