#include "cli/stats.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/strings.h"
#include "cli/figures.h"
#include "report/limits.h"

namespace lfm::cli {
namespace {

constexpr size_t kNameWidth = 11;  // of the table's first column

// The share of the machine's limit that `seconds` for this work is: ", 61 % of the limit (memory)".
std::string LimitShare(const report::Work& work, double seconds, const report::Roofline& roofline) {
  const double least = report::LeastSeconds(work, roofline);
  if (least <= 0 || seconds <= 0) return "";
  return StrCat(", ", Fixed(100 * least / seconds, 0), " % of the limit (", report::LimitName(work, roofline), ")");
}

// One half of the table: milliseconds and percent of a step, or of a token.
struct StatsColumn {
  const model::Profile& profile;
  double seconds;  // of everything, the rest included

  double phases() const { return std::accumulate(profile.seconds.begin(), profile.seconds.end(), profile.waiting_seconds); }
  double all() const { return std::max(seconds, phases()); }
  std::string Cells(double part) const {
    if (profile.n_tokens == 0 || all() <= 0) return RightAligned("-", 10) + RightAligned("-", 8);
    return RightAligned(Fixed(1e3 * part / static_cast<double>(profile.n_tokens), 3), 10) +
           RightAligned(Fixed(100 * part / all(), 1), 8);
  }
};

std::string PhaseRow(const std::string& name, const StatsColumn& prompt, double prompt_part, const StatsColumn& answer,
                     double answer_part, uint64_t bytes = 0) {
  std::string row = name + std::string(kNameWidth - name.size(), ' ') + prompt.Cells(prompt_part) + answer.Cells(answer_part);
  if (bytes > 0 && answer.profile.n_tokens > 0) {
    const double n = static_cast<double>(answer.profile.n_tokens);
    row += RightAligned(HumanBytes(static_cast<uint64_t>(static_cast<double>(bytes) / n)), 13);
    if (answer_part > 0) row += RightAligned(Fixed(static_cast<double>(bytes) / answer_part / 1e9, 1), 8);
  }
  return row + "\n";
}

std::string PhaseTable(const StatsColumn& prompt, const StatsColumn& answer) {
  const std::string indent(kNameWidth, ' ');
  std::string text = indent + RightAligned("prompt", 10) + RightAligned("answer", 18) + "\n" + indent +
                     RightAligned("ms/token", 10) + RightAligned("%", 8) + RightAligned("ms/token", 10) + RightAligned("%", 8) +
                     RightAligned("bytes/token", 13) + RightAligned("GB/s", 8) + "\n";
  for (size_t i = 0; i < model::kPhases; ++i) {
    const double a = prompt.profile.seconds[i], b = answer.profile.seconds[i];
    if (a > 0 || b > 0) text += PhaseRow(std::string(model::kPhaseNames[i]), prompt, a, answer, b, answer.profile.read_bytes[i]);
  }
  text += PhaseRow("waiting", prompt, prompt.profile.waiting_seconds, answer, answer.profile.waiting_seconds);
  text += PhaseRow("rest", prompt, prompt.all() - prompt.phases(), answer, answer.all() - answer.phases());
  return text + PhaseRow("all", prompt, prompt.all(), answer, answer.all(), answer.profile.all_read_bytes());
}

}  // namespace

void StatsRecorder::Begin(engine::Session& session) {
  *this = {};
  session.profile = &prompt_;
}

void StatsRecorder::Finish(engine::Session& session, const engine::Timings& timings) {
  session.profile = nullptr;
  timings_ = timings;
}

std::string StatsRecorder::Text(const report::Roofline& roofline) const {
  const engine::Timings& t = timings_;
  const StatsColumn prompt{prompt_, t.prompt_ms / 1e3}, answer{answer_, t.predicted_ms / 1e3};
  std::string text = StrCat("prompt     ", t.n_prompt, " tokens");
  if (t.n_reused > 0) text += StrCat(" (and ", t.n_reused, " reused)");
  text += StrCat(", ", Fixed(t.prompt_ms, 0), " ms, ", Fixed(t.prompt_per_second(), 1), " tokens/s",
                 LimitShare(report::WorkOf(prompt_), prompt.all(), roofline), "\n");
  text += StrCat("answer     ", t.n_predicted, " tokens, ", Fixed(t.predicted_ms, 0), " ms, ", Fixed(t.predicted_per_second(), 1),
                 " tokens/s", LimitShare(report::WorkOf(answer_), answer.all(), roofline), "\n");
  text += StrCat("\n", PhaseTable(prompt, answer));
  text += StrCat("\nlimits     memory ", Fixed(roofline.read.sustained / 1e9, 1), " GB/s, int8 ",
                 Fixed(roofline.int8_ops_per_s / 1e12, 2), " TOPS, f32 ", Fixed(roofline.f32_ops_per_s / 1e12, 2),
                 " TFLOPS, measured just now\n");
  const report::Work work = report::WorkOf(answer_);
  if (answer_.n_steps > 0 && report::MemorySeconds(work, roofline) <= 0) {
    text += StrCat("           what a token reads fits into the cache (", HumanBytes(roofline.cache_bytes),
                   "): memory is no limit\n");
  }
  return text;
}

}  // namespace lfm::cli
