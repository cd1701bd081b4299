#include "cli/tuned.h"

#include <filesystem>

#include "base/encoding.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/strings.h"
#include "cli/environment.h"
#include "cli/figures.h"
#include "cli/output.h"
#include "cli/version.h"

namespace lfm::cli {
namespace {

// One file a processor and ISA: a home may serve several machines.
std::string TuningPath(const report::TuningKey& key) {
  const std::string folder = TuningFolder();
  if (folder.empty()) return "";
  char hash[20];
  std::snprintf(hash, sizeof hash, "%016llx",
                static_cast<unsigned long long>(Hash64(std::as_bytes(std::span(key.cpu.data(), key.cpu.size())))));
  return StrCat(folder, "/prefetch-", key.isa, "-", hash, ".json");
}

// "L2 12288, L1 1536"
std::string DistanceText(const kernels::Prefetch& prefetch) {
  std::string text;
  if (prefetch.to_second > 0) text += StrCat("L2 ", prefetch.to_second);
  if (prefetch.to_first > 0) text += StrCat(text.empty() ? "" : ", ", "L1 ", prefetch.to_first);
  return text.empty() ? "none" : text;
}

}  // namespace

Result<report::TuningKey> KeyOfTuning(const std::string& isa) {
  LFM_TRY(const kernels::Table* table, kernels::Select(isa));
  return report::TuningKey{report::CpuKey(), table->isa, std::string(Version())};
}

KeptTuning UseTuning(const std::string& isa) {
  KeptTuning kept;
  const auto key = KeyOfTuning(isa);
  if (!key.ok()) return kept;
  const std::string path = TuningPath(*key);
  if (path.empty() || !FileExists(path)) return kept;
  const auto text = ReadWholeFile(path, report::kMostTuningBytes);
  if (!text.ok()) {
    kept.unused = text.error().message;
    return kept;
  }
  auto tuning = report::ReadTuning(*text);
  if (!tuning.ok()) {
    kept.unused = StrCat(Plain(path), ": ", tuning.error().message);
  } else if (tuning->key != *key) {
    kept.unused = StrCat(Plain(path), " is of another version of lfm, or of another processor");
    kept.stale = true;
  } else {
    report::Apply(*tuning);
    kept.tuning = std::move(*tuning);
  }
  return kept;
}

Result<std::string> KeepTuning(const report::Tuning& tuning) {
  const std::string path = TuningPath(tuning.key);
  std::error_code error;
  if (!path.empty()) std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (path.empty() || error) {
    return Error{ErrorCode::kIo, StrCat("cannot make the cache folder ", Quote(TuningFolder()), "; set LFM_CACHE to one")};
  }
  LFM_TRY(AtomicFile file, AtomicFile::Create(path));
  LFM_RETURN_IF_ERROR(file.Append(report::TuningText(tuning)));
  LFM_RETURN_IF_ERROR(file.Commit());
  return path;
}

std::string TuningLine(const report::MachineReport& machine) {
  if (machine.tuning_unused) return "the usual distances: what was tuned is stale or damaged; lfm doctor --tune measures anew";
  if (!machine.tuning) return "the usual distances; lfm doctor --tune measures which are best here";
  if (machine.tuning->types.empty()) return "tuned here: the usual distances are best";
  std::string text;
  for (const report::TunedType& one : machine.tuning->types) {
    text += StrCat(text.empty() ? "tuned here: " : "; ", InfoOf(one.type).name, " ", DistanceText(one.prefetch));
  }
  return text;
}

std::string TuningPage(const report::TuningReport& report) {
  const report::TuningKey& key = report.tuning.key;
  constexpr size_t kFirst = 20, kColumn = 12;
  const auto row = [&](const std::string& label, const auto& cell) {
    std::string line = "  " + Padded(label, kFirst);
    for (const report::TypeTrials& one : report.types) line += RightAligned(cell(one), kColumn);
    return line + "\n";
  };
  std::string text =
      StrCat("How far ahead products of one token ask for weights: bytes, to L2 and to L1\n", Plain(key.cpu), "\n", key.isa, ", ",
             report.n_threads, report.n_threads == 1 ? " thread" : " threads", "; GB/s, medians of runs in turn\n\n");
  text += row("", [](const report::TypeTrials& one) { return std::string(InfoOf(one.type).name); });
  for (size_t i = 0; i < report.tried.size(); ++i) {
    text += row(DistanceText(report.tried[i]), [&](const report::TypeTrials& one) {
      return Fixed(one.bytes_per_s[i] * 1e-9, 1) + (report.tried[i] == one.usual ? "*" : " ");
    });
  }
  text += "\n" + row("best against usual", [](const report::TypeTrials& one) { return Fixed(one.gain, 3) + " "; });
  text += row("with three tokens",
              [](const report::TypeTrials& one) { return one.gain_few > 0 ? Fixed(one.gain_few, 3) + " " : std::string("- "); });
  text += row("chosen", [](const report::TypeTrials& one) { return std::string(one.clear ? "best " : "usual "); });
  text +=
      "\n  * the usual one. The best other is chosen where it is 2 % faster (pairs in turn, median), three of four pairs agree,\n"
      "    and three tokens at a time are not slower.\n";
  for (const report::TypeTrials& one : report.types) {
    if (one.clear) text += StrCat("  ", InfoOf(one.type).name, ": ", DistanceText(one.best), "\n");
  }
  return text;
}

}  // namespace lfm::cli
