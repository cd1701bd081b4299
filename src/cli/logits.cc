// lfm logits: the door for every comparison. Reads ids chunk by chunk and writes all logits (and layers) as
// .npy.
#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/npy_writer.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/values.h"
#include "model/stepper.h"

namespace lfm::cli {
namespace {

constexpr int64_t kMaxBatch = 4096;

class LogitsCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Text("--ids", ids_, "IDS", "the tokens: 1,2,3, or @FILE, or - for standard input");
    args.Text("-o,--output", output_, "FILE", "logits as float32 .npy [n, vocab]");
    args.Text("--layers", layers_, "FILE", "residual stream as .npy [layers + 2, n, d]: embedding, blocks, final norm");
    args.Integer("--chunk", chunk_, "N", "tokens of a step (default 128); the result is the same for all");
    model_.DeclareCompute(args);
  }

  Result<int> Run() override {
    LFM_TRY(const std::vector<int32_t> ids, Ids());
    if (!output_ && !layers_) {
      return Error{ErrorCode::kInvalidArgument, "nothing to write; use -o FILE.npy, --layers FILE.npy or both"};
    }
    if (chunk_ < 1 || chunk_ > kMaxBatch) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--chunk: ", chunk_, " is not between 1 and ", kMaxBatch)};
    }
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    LFM_RETURN_IF_ERROR(Check(ids, loaded->config()));
    LFM_RETURN_IF_ERROR(Compute(*loaded, ids, *threads));
    return kExitOk;
  }

 private:
  Result<std::vector<int32_t>> Ids() const {
    if (!ids_) return Error{ErrorCode::kInvalidArgument, "no tokens are given; use --ids 1,2,3"};
    std::string text = *ids_;
    if (text == "-") {
      LFM_TRY(text, ReadInput());
    } else if (text.starts_with('@')) {
      LFM_TRY(text, ReadFileOrInput(text.substr(1), "--ids"));
    }
    auto ids = ParseIds(text);
    if (!ids.ok()) return ids.error().Within(Origin());
    if (ids->empty()) return Error{ErrorCode::kInvalidArgument, Origin() + ": the list is empty"};
    return ids;
  }

  std::string Origin() const { return ids_->starts_with('@') ? "--ids " + ids_->substr(1) : "--ids"; }

  Status Check(const std::vector<int32_t>& ids, const model::Config& config) const {
    for (const int32_t id : ids) {
      if (id < config.vocab_size) continue;
      return Error{ErrorCode::kInvalidArgument,
                   StrCat(Origin(), ": token ", id, " is outside of the vocabulary (0 to ", config.vocab_size - 1, ")")};
    }
    if (static_cast<int64_t>(ids.size()) > config.context_length) {
      return Error{ErrorCode::kLimit,
                   StrCat(Origin(), ": ", ids.size(), " tokens exceed the model's context of ", config.context_length)};
    }
    return Ok();
  }

  Status Compute(engine::LoadedModel& loaded, const std::vector<int32_t>& ids, Threads& threads) const {
    const model::Config& config = loaded.config();
    const auto n = static_cast<int64_t>(ids.size());
    const int64_t n_step = std::min(chunk_, n), d = config.d_model, n_slices = config.n_layers + 2;
    LFM_TRY(const auto stepper, model::Stepper::Create(loaded.network(), threads, {n_step, output_ ? n_step : 1, n}));
    std::optional<NpyWriter> logits, layers;
    std::vector<float> capture;
    if (output_) {
      LFM_TRY(NpyWriter writer, NpyWriter::Create(*output_, {n, config.vocab_size}));
      logits.emplace(std::move(writer));
    }
    if (layers_) {
      LFM_TRY(NpyWriter writer, NpyWriter::Create(*layers_, {n_slices, n, d}));
      layers.emplace(std::move(writer));
      capture.resize(static_cast<size_t>(n_slices * n_step * d));
      stepper->set_capture(capture.data());
    }
    model::Sequence sequence(loaded.pages());
    ProgressLine progress("computing", ProgressLine::Unit::kTokens);
    for (int64_t at = 0; at < n; at += n_step) {
      if (Interrupted()) return Error{ErrorCode::kCancelled, "interrupted"};
      const auto part = std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(n_step, n - at)));
      const auto n_part = static_cast<int64_t>(part.size());
      const Status read = stepper->Step(sequence, part, output_ ? model::Logits::kAll : model::Logits::kNone);
      if (!read.ok()) return model_.NamingFile(read.error());
      for (int64_t i = 0; logits && i < n_part; ++i) {
        LFM_RETURN_IF_ERROR(logits->Write((at + i) * config.vocab_size, stepper->logits(i)));
      }
      for (int64_t i = 0; layers && i < n_slices; ++i) {
        const auto slice =
            std::span<const float>(capture).subspan(static_cast<size_t>(i * n_part * d), static_cast<size_t>(n_part * d));
        LFM_RETURN_IF_ERROR(layers->Write((i * n + at) * d, slice));
      }
      progress.Update(static_cast<uint64_t>(at + n_part), static_cast<uint64_t>(n));
    }
    if (logits) LFM_RETURN_IF_ERROR(logits->Commit());
    if (layers) LFM_RETURN_IF_ERROR(layers->Commit());
    if (logits) NoteWritten(*output_, StrCat("logits of ", n, " tokens"));
    if (layers) NoteWritten(*layers_, StrCat("hidden states of ", n, " tokens"));
    return Ok();
  }

  ModelArgs model_;
  std::optional<std::string> ids_, output_, layers_;
  int64_t chunk_ = 128;
};

}  // namespace

std::unique_ptr<Command> MakeLogits() { return std::make_unique<LogitsCommand>(); }

}  // namespace lfm::cli
