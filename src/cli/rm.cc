// lfm rm: removes models from the cache.
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/hub_args.h"
#include "cli/output.h"
#include "hub/cache.h"

namespace lfm::cli {
namespace {

class RmCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positionals("NAME", names_, "as lfm list shows it; without a type the whole repository");
    args.Flag("--dry-run", dry_run_, "only say what would be removed");
    args.Flag("--json", json_, "one JSON document");
  }

  Result<int> Run() override {
    if (names_.empty()) return Error{ErrorCode::kInvalidArgument, "no model is named; use lfm rm NAME"};
    const hub::Environment environment = HubEnvironment();
    // All names first, so that a wrong one is found before anything is gone.
    for (const std::string& name : names_) LFM_RETURN_IF_ERROR(hub::RemoveModel(name, environment, true));
    Json list = Json::MakeArray();
    for (const std::string& name : names_) {
      LFM_TRY(const hub::Removal removal, hub::RemoveModel(name, environment, dry_run_));
      Json models = Json::MakeArray();
      for (const std::string& model : removal.names) {
        if (!json_) WriteOut(StrCat(dry_run_ ? "would remove " : "removed ", Plain(model), "\n"));
        models.Append(model);
      }
      if (!json_) WriteOut(StrCat(HumanBytes(removal.bytes), dry_run_ ? " would be freed\n" : " freed\n"));
      list.Append(Json::MakeObject({{"removed", std::move(models)}, {"bytes", removal.bytes}}));
    }
    if (json_) WriteJson(Json::MakeObject({{"dry_run", dry_run_}, {"removals", std::move(list)}}));
    return kExitOk;
  }

 private:
  std::vector<std::string> names_;
  bool dry_run_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeRm() { return std::make_unique<RmCommand>(); }

}  // namespace lfm::cli
