#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/strings.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

constexpr double kSilentSeconds = 0.5, kPauseSeconds = 0.1;

std::string HumanTime(double seconds) {
  if (seconds < 60) return StrCat(std::ceil(seconds), " s");
  if (seconds < 3600) return StrCat(std::floor(seconds / 60), " min ", std::floor(std::fmod(seconds, 60)), " s");
  return StrCat(std::floor(seconds / 3600), " h ", std::floor(std::fmod(seconds, 3600) / 60), " min");
}

}  // namespace

ProgressLine::ProgressLine(std::string label, Unit unit)
    : label_(std::move(label)), unit_(unit), shown_(ErrorsGoToTerminal()), begin_(Clock::now()), last_(begin_) {}

ProgressLine::~ProgressLine() {
  if (drawn_) NoteInPlace("");
}

void ProgressLine::Update(uint64_t done, uint64_t total) {
  if (!shown_ || total == 0) return;
  if (!begun_) first_ = done;
  begun_ = true;
  const auto now = Clock::now();
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double pause = std::chrono::duration<double>(now - last_).count();
  if (elapsed < kSilentSeconds || pause < kPauseSeconds) return;
  last_ = now;
  drawn_ = true;
  const double rate = static_cast<double>(done - std::min(done, first_)) / elapsed;
  const double left = rate > 0 ? static_cast<double>(total - done) / rate : 0;
  const std::string speed = unit_ == Unit::kBytes ? HumanBytes(static_cast<uint64_t>(rate)) + "/s"
                                                  : StrCat(std::round(rate), unit_ == Unit::kRows ? " rows/s" : " tokens/s");
  NoteInPlace(StrCat(label_, " ", 100 * done / total, " %, ", speed, rate > 0 ? StrCat(", ", HumanTime(left), " left") : ""));
}

}  // namespace lfm::cli
