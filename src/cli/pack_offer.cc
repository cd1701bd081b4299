#include "cli/pack_offer.h"

#include <filesystem>
#include <fstream>

#include "base/strings.h"
#include "cli/environment.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "engine/packed_models.h"
#include "model/config.h"
#include "model/weights.h"

namespace lfm::cli {
namespace {

constexpr uint64_t kLeastBytes = uint64_t{512} << 20;           // smaller models are rearranged in a moment
constexpr uint64_t kSpareBytes = uint64_t{2} << 30;             // stays free on the disk
constexpr uint64_t kUsualBytesPerSecond = uint64_t{400} << 20;  // of a disk that is written to

uint64_t FileBytes(const formats::Checkpoint& checkpoint) {
  uint64_t n = 0;
  for (const MappedFile& file : checkpoint.files) n += file.bytes().size();
  return n;
}

// The empty file that says that this model's user declined.
std::string NoFile(const std::string& target) { return target + ".no"; }

bool Worthwhile(const formats::Checkpoint& checkpoint, const std::string& target) {
  const uint64_t n = FileBytes(checkpoint);
  if (n < kLeastBytes) return false;
  std::error_code error;
  if (std::filesystem::exists(NoFile(target), error)) return false;
  const auto space = std::filesystem::space(std::filesystem::path(target).parent_path(), error);
  return !error && space.available > n + kSpareBytes;
}

}  // namespace

Result<std::string> PackTarget(const formats::Checkpoint& checkpoint) {
  const std::string folder = PackFolder();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (folder.empty() || error) {
    return Error{ErrorCode::kIo, StrCat("cannot make the cache folder ", Quote(folder), "; use -o FILE")};
  }
  return engine::PackedPath(checkpoint, folder);
}

Status PackTo(const formats::Checkpoint& checkpoint, Threads& threads, const std::string& target) {
  LFM_TRY(const model::Config config, model::ReadConfig(checkpoint));
  ProgressLine progress("packing", ProgressLine::Unit::kBytes);
  return model::PackModel(checkpoint, config, threads, target, [&](uint64_t done, uint64_t total) {
    progress.Update(done, total);
    return !Interrupted();
  });
}

formats::Checkpoint OfferPack(formats::Checkpoint checkpoint, Threads& threads) {
  if (!checkpoint.packed.bytes.empty() || !InputIsTerminal() || !ErrorsGoToTerminal()) return checkpoint;
  const auto target = PackTarget(checkpoint);
  if (!target.ok() || !Worthwhile(checkpoint, *target)) return checkpoint;
  const uint64_t n = FileBytes(checkpoint);
  Note(StrCat("lfm: each start rearranges this model's weights. A packed copy starts at once and is shared by all\n",
              "     programs: ", HumanBytes(n), " in ", std::filesystem::path(*target).parent_path().string(), ", about ",
              n / kUsualBytesPerSecond + 1, " s, once.\n"));
  if (!AskUser("lfm: Write it? (You are asked once; `lfm pack` does it later.)")) {
    std::ofstream marker(NoFile(*target));
    return checkpoint;
  }
  ArmInterrupt();
  const Status packed = PackTo(checkpoint, threads, *target);
  if (!packed.ok()) {
    Warn(StrCat(packed.error().message, "; going on without a packed file"));
    ArmInterrupt();
    return checkpoint;
  }
  return engine::PreferPacked(std::move(checkpoint), PackFolder(), threads);
}

}  // namespace lfm::cli
