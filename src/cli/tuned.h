// What `lfm doctor --tune` found on this machine: where the program keeps it, and its use.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "report/doctor.h"
#include "report/tuning.h"

namespace lfm::cli {

// Of this machine, this program and an ISA ("": the best here).
Result<report::TuningKey> KeyOfTuning(const std::string& isa);

struct KeptTuning {
  std::optional<report::Tuning> tuning;  // that the kernels now follow
  std::string unused;                    // why a file that is there is not used; empty: it is, or there is none
  bool stale = false;                    // it is whole, but of another version or processor
};
// Reads what was found for this ISA and makes the kernels follow it. Whatever is wrong with the file, the usual distances do.
KeptTuning UseTuning(const std::string& isa);

// Writes it where UseTuning() looks; the path.
Result<std::string> KeepTuning(const report::Tuning& tuning);

// For the pages of `lfm doctor`, without a path: what is in use, in a line; and all that was measured, as a table.
std::string TuningLine(const report::MachineReport& machine);
std::string TuningPage(const report::TuningReport& report);

}  // namespace lfm::cli
