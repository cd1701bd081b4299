// A thread as a Result: std::thread throws where the system has none to give, and threads are started in places where nothing
// may be thrown.
#pragma once

#include <exception>
#include <string_view>
#include <thread>
#include <utility>

#include "base/result.h"
#include "base/strings.h"

namespace lfm {

// Runs body() on a new thread, which the caller joins. `what` names its work in the error: "the ledger".
template <typename Body>
Result<std::thread> StartThread(std::string_view what, Body&& body) {
  try {
    return std::thread(std::forward<Body>(body));
  } catch (const std::exception& error) {  // std::system_error, or std::bad_alloc where not even its name fits
    return Error{ErrorCode::kLimit,
                 StrCat("a thread for ", what, " cannot be started (", error.what(), "); see the limits of ulimit -a")};
  }
}

}  // namespace lfm
