// lfm synth: a model of the full shapes with random weights.
#include <memory>

#include "base/file.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "quant/synth.h"

namespace lfm::cli {
namespace {

std::string Joined(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) list += StrCat(list.empty() ? "" : ", ", name);
  return list;
}

class SynthCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Text("--like", options_.like, "NAME", "the model whose shapes to take: " + Joined(quant::SynthModels()));
    args.Text("--type", options_.type, "TYPE", "the type mix of the file: " + Joined(quant::SynthTypes()));
    args.Text("-o,--output", output_, "FILE", "the GGUF file to write");
    args.Unsigned("--seed", seed_, "N", "another seed gives other weights (default 1)");
  }

  Result<int> Run() override {
    if (!output_ || output_->empty()) {
      LFM_TRY(const uint64_t n_bytes, quant::SynthFileBytes(options_));
      return Error{ErrorCode::kInvalidArgument,
                   StrCat("no output is named; use -o FILE.gguf, which will have ", HumanBytes(n_bytes))};
    }
    options_.path = *output_;
    options_.seed = seed_.value_or(options_.seed);
    ArmInterrupt();
    ProgressLine progress("writing", ProgressLine::Unit::kBytes);
    LFM_RETURN_IF_ERROR(quant::WriteSynthetic(options_, [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      return !Interrupted();
    }));
    NoteWritten(*output_, "random weights");
    return kExitOk;
  }

 private:
  quant::SynthOptions options_;
  std::optional<std::string> output_;
  std::optional<uint64_t> seed_;
};

}  // namespace

std::unique_ptr<Command> MakeSynth() { return std::make_unique<SynthCommand>(); }

}  // namespace lfm::cli
