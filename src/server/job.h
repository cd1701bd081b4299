// One request's work: its prompts through the engine, its events through the writer, its bytes to the client.
#pragma once

#include <memory>
#include <vector>

#include "server/backend.h"
#include "server/http.h"
#include "server/translation.h"

namespace lfm::server {

// Starts the work and returns; everything else happens on the reply's workers. A client that leaves cancels it. `backend`,
// the model's text and `pricing` must outlive it.
void StartJob(Translated translated, const ServedModel& model, Backend& backend, std::shared_ptr<Reply> reply);

}  // namespace lfm::server
