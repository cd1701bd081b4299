// lfm pull: fetches a model by name.
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/hub_args.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

Json PlanJson(const hub::PullPlan& plan) {
  Json json = Json::MakeObject();
  json.Set("name", plan.full_name);
  json.Set("path", plan.path);
  if (!plan.commit.empty()) json.Set("commit", plan.commit);
  if (!plan.reason.empty()) json.Set("reason", plan.reason);
  json.Set("bytes", plan.total_bytes);
  Json files = Json::MakeArray();
  for (const hub::RepoFile& file : plan.files) {
    files.Append(Json::MakeObject({{"file", file.path}, {"bytes", file.size}, {"hash", file.etag}}));
  }
  json.Set("files", std::move(files));
  return json;
}

class PullCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("NAME", name_, "org/name[:TYPE][@REVISION], a short name such as lfm2-8b-a1b, or an address");
    args.Flag("--check", check_, "hash files that are here already, and fetch damaged ones again");
    args.Flag("--dry-run", dry_run_, "only say what would be fetched");
    args.Integer("--connections", n_connections_, "N", "connections for a large file, 1 to 16 (default 4)");
    args.Flag("--json", json_, "one JSON document");
    args.Footer(
        "Prints the path of the file or folder. Interrupted, it goes on where it ended when run again.\n"
        "Short names: lfm list --known. Files lie where huggingface_hub has them; see docs/models.md.");
  }

  Result<int> Run() override {
    if (!name_) return Error{ErrorCode::kInvalidArgument, "no model is named; use lfm pull NAME"};
    if (n_connections_ < 1 || n_connections_ > 16) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--connections: ", n_connections_, " is not between 1 and 16")};
    }
    ArmInterrupt();
    hub::PullOptions options = MakePullOptions();
    options.verify = check_;
    options.download.n_connections = static_cast<int>(n_connections_);
    LFM_TRY(const hub::PullPlan plan, hub::PlanPull(*name_, options));
    Json json = PlanJson(plan);
    if (!json_) Tell(plan);
    if (dry_run_) {
      json.Set("missing_bytes", plan.missing_bytes);
    } else {
      LFM_TRY(const hub::Pulled pulled, PullWithProgress(plan, options));
      json.Set("received_bytes", pulled.received_bytes);
    }
    if (json_)
      WriteJson(json);
    else
      WriteData(plan.path + "\n");
    return kExitOk;
  }

 private:
  void Tell(const hub::PullPlan& plan) const {
    if (!plan.reason.empty()) Note(StrCat("lfm: ", Plain(plan.reason), "\n"));
    if (plan.is_here) {
      Note(StrCat("lfm: ", Plain(plan.full_name), " is here already\n"));
    } else {
      Note(StrCat("lfm: ", Plain(plan.full_name), ": ", plan.files.size(), plan.files.size() == 1 ? " file, " : " files, ",
                  HumanBytes(plan.missing_bytes), " to fetch\n"));
    }
  }

  std::optional<std::string> name_;
  bool check_ = false, dry_run_ = false, json_ = false;
  int64_t n_connections_ = 4;
};

}  // namespace

std::unique_ptr<Command> MakePull() { return std::make_unique<PullCommand>(); }

}  // namespace lfm::cli
