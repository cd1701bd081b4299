// lfm convert: a Hugging Face folder to GGUF, and back.
#include <chrono>
#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "engine/text_model.h"
#include "formats/checkpoint.h"
#include "quant/convert.h"

namespace lfm::cli {
namespace {

class ConvertCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("IN", in_, "a Hugging Face folder or a .gguf file");
    args.Positional("OUT", out_, "what to write: a .gguf file, or a new folder");
    args.Text("--type", type_, "TYPE", "type of the matrices: f32, f16, bf16, or q8_0 and the like for GGUF (default: as in IN)");
    args.Integer("-t,--threads", model_.n_threads, "N", "threads (default: what this machine does best)");
  }

  Result<int> Run() override {
    if (!in_ || !out_ || out_->empty()) {
      return Error{ErrorCode::kInvalidArgument, "two names are needed: lfm convert IN OUT"};
    }
    quant::ConvertOptions options;
    if (type_) {
      options.type = TensorTypeFromName(*type_);
      if (!options.type) {
        return Error{ErrorCode::kInvalidArgument, StrCat("--type: ", Quote(*type_), " is no type; use f32, f16, bf16 or ",
                                                         "q8_0, or lfm quantize for mixes of types")};
      }
    }
    LFM_TRY(const auto threads, model_.MakeThreads());
    LFM_TRY(const formats::Checkpoint source, formats::OpenCheckpoint(*in_));
    // What the tokenizer cannot be, its reader says best.
    LFM_TRY(const auto text, engine::ReadTextModel(source));
    ArmInterrupt();
    ProgressLine progress("converting", ProgressLine::Unit::kBytes);
    options.progress = [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      return !Interrupted();
    };
    LFM_TRY(const auto result, quant::Convert(source, *out_, *threads, options));
    if (result.rounded) {
      Warn(StrCat("the quantised weights became ", result.type_name, " and were rounded; --type f32 keeps them exactly"));
    }
    NoteWritten(*out_, StrCat(result.type_name, ", ", HumanBytes(result.n_bytes)));
    return kExitOk;
  }

 private:
  ModelArgs model_;
  std::optional<std::string> in_, out_, type_;
};

}  // namespace

std::unique_ptr<Command> MakeConvert() { return std::make_unique<ConvertCommand>(); }

}  // namespace lfm::cli
