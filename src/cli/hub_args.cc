#include "cli/hub_args.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/strings.h"
#include "cli/environment.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "formats/gguf_reader.h"
#include "formats/hf_folder.h"
#include "hub/choose.h"
#include "model/config.h"

namespace lfm::cli {
namespace {

// "LFM2-8B-A1B-Q4_K_M.gguf", with its place among the files when there are several.
std::string Label(const hub::PullProgress& progress) {
  if (progress.phase == hub::DownloadProgress::Phase::kCheck) return "checking " + progress.file;
  if (progress.n_files < 2) return progress.file;
  return StrCat(progress.file, " (", progress.i_file + 1, " of ", progress.n_files, ")");
}

}  // namespace

hub::Environment HubEnvironment() { return hub::ReadEnvironment(RawVariable); }

hub::PullOptions MakePullOptions() {
  hub::PullOptions options;
  options.environment = HubEnvironment();
  options.download.http.ca_file = options.environment.ca_file;
  options.download.cancel = &Interrupted();
  options.download.on_message = [](std::string_view text) {
    if (ErrorsGoToTerminal()) NoteInPlace("");
    Note(StrCat("lfm: ", Plain(text), "\n"));
  };
  return options;
}

namespace {

// What the loader says to a configuration without weights: that it does not run such a model, or that tensors are missing.
Status CheckFolder(const std::string& folder) {
  LFM_TRY(const formats::Checkpoint texts, formats::OpenHfTexts(folder));
  const auto config = model::ReadConfig(texts);
  return !config.ok() && config.error().code == ErrorCode::kUnsupported ? Status(config.error()) : Ok();
}

// The same to the first bytes of a GGUF file, or that it is none: a page, or a pointer to a file. Whatever else is wrong with
// them shows when the file is there.
Result<bool> CheckBeginning(std::string_view name, std::span<const std::byte> bytes, uint64_t n_file) {
  const auto beginning = formats::ParseGgufBeginning(bytes, n_file, std::string(name));
  const auto unsupported = [](const auto& result) { return !result.ok() && result.error().code == ErrorCode::kUnsupported; };
  constexpr std::string_view kMagic = "GGUF";
  const bool is_gguf = bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin(),
                                                                   [](char a, std::byte b) { return std::byte(a) == b; });
  if (unsupported(beginning) || (!beginning.ok() && !is_gguf)) return beginning.error();
  if (!beginning.ok() || !beginning->checkpoint.metadata.Find("general.architecture")) return !beginning.ok();
  const auto config = model::ReadConfig(beginning->checkpoint);
  if (unsupported(config)) return config.error();
  return beginning->whole;
}

}  // namespace

Result<hub::Pulled> PullWithProgress(const hub::PullPlan& plan, hub::PullOptions options) {
  std::optional<ProgressLine> line;
  std::string label;
  options.check_folder = CheckFolder;
  options.check_beginning = CheckBeginning;
  options.on_progress = [&](const hub::PullProgress& progress) {
    const std::string now = Label(progress);
    if (now != label) {
      line.reset();  // before the next one is begun: each wipes its own
      line.emplace(now, ProgressLine::Unit::kBytes);
      label = now;
    }
    const bool check = progress.phase == hub::DownloadProgress::Phase::kCheck;
    line->Update(check ? progress.file_done : progress.done, check ? progress.file_total : progress.total);
  };
  return hub::RunPull(plan, options);
}

Result<std::string> ModelPath(const std::string& text) {
  const hub::Environment environment = HubEnvironment();
  const auto here = hub::ResolveModel(text, environment, hub::FreeMemory());
  if (here.ok()) {
    if (!here.value().reason.empty() && ErrorsGoToTerminal()) Note(StrCat("lfm: ", Plain(here.value().reason), "\n"));
    return here.value().path;
  }
  const auto name = hub::ParseModelName(text, environment.endpoint);
  const bool remote = name.ok() && name.value().kind != hub::ModelName::Kind::kPath;
  if (!remote || environment.offline || !InputIsTerminal() || !ErrorsGoToTerminal()) return here.error();
  ArmInterrupt();
  const hub::PullOptions options = MakePullOptions();
  LFM_TRY(const hub::PullPlan plan, hub::PlanPull(text, options));
  if (!plan.is_here) {
    if (!plan.reason.empty()) Note(StrCat("lfm: ", Plain(plan.reason), "\n"));
    const std::string question =
        StrCat("lfm: ", plan.full_name, " is not on this machine. Fetch ", HumanBytes(plan.missing_bytes), "?");
    if (!AskUser(question)) return here.error();
  }
  LFM_TRY(const hub::Pulled pulled, PullWithProgress(plan, options));
  return pulled.path;
}

}  // namespace lfm::cli
