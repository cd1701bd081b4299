// lfm pack: the weights of a model in their final layout, as a file that every command then maps.
#include <filesystem>
#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/pack_offer.h"
#include "formats/checkpoint.h"

namespace lfm::cli {
namespace {

class PackCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("MODEL", model_.model, "a .gguf file, a Hugging Face folder, or a name as lfm pull takes it");
    args.Text("-o,--output", output_, "FILE", "where to write (default: the cache, where every command finds it)");
    args.Flag("--json", json_, "one JSON document");
    args.Integer("-t,--threads", model_.n_threads, "N", "threads");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
    LFM_TRY(const std::string target, Target(checkpoint));
    LFM_RETURN_IF_ERROR(PackTo(checkpoint, *threads, target));
    std::error_code not_regular;  // a pipe or a device, which has no size
    const auto size = static_cast<uint64_t>(std::filesystem::file_size(target, not_regular));
    if (json_) {
      WriteJson(Json::MakeObject({{"path", Json(target)}, {"bytes", not_regular ? Json() : Json(size)}}));
    } else {
      WriteOut(StrCat(Plain(target), not_regular ? "" : StrCat("  ", HumanBytes(size)), "\n"));
    }
    return kExitOk;
  }

 private:
  Result<std::string> Target(const formats::Checkpoint& checkpoint) const {
    if (output_) {
      if (output_->empty()) return Error{ErrorCode::kInvalidArgument, "-o: the file name is empty"};
      return *output_;
    }
    return PackTarget(checkpoint);
  }

  ModelArgs model_;
  std::optional<std::string> output_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakePack() { return std::make_unique<PackCommand>(); }

}  // namespace lfm::cli
