// How long jobs on files report, and how they are cancelled.
#pragma once

#include <cstdint>
#include <functional>

namespace lfm::formats {

// Called now and then, on the thread that writes, with bytes done and in total. False cancels: the job ends
// with kCancelled and leaves no file. May be empty.
using Progress = std::function<bool(uint64_t done, uint64_t total)>;

}  // namespace lfm::formats
