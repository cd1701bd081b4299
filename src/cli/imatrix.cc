// lfm imatrix: which columns of the matrices matter, measured on text.
#include <memory>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "quant/collect.h"

namespace lfm::cli {
namespace {

class ImatrixCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Texts("-f,--file", files_, "TEXT", "text like that of later use; may be repeated");
    args.Text("-o,--output", output_, "FILE", "the importance matrix to write (default imatrix.gguf)");
    args.Integer("-c,--ctx", n_ctx_, "N", "tokens of a window (default 512)");
    args.Integer("-t,--threads", model_.n_threads, "N", "threads (default: what this machine does best)");
    args.Text("--isa", model_.isa, "NAME", "the kernels of this ISA");
  }

  Result<int> Run() override {
    if (files_.empty()) return Error{ErrorCode::kInvalidArgument, "no text is named; use -f FILE"};
    if (n_ctx_ < 2 || n_ctx_ > 65536) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--ctx: ", n_ctx_, " is not between 2 and 65536")};
    }
    std::string text;
    for (const std::string& file : files_) {
      LFM_TRY(const std::string one, ReadFileOrInput(file, "--file"));
      text += one;
    }
    model_.compute = "f32";
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    if (!loaded->text_status().ok()) return loaded->text_status().error();
    const text::Tokenizer& tokenizer = loaded->text().tokenizer;
    LFM_RETURN_IF_ERROR(CheckTokenRoom(text, "the text"));
    const std::vector<int32_t> tokens = tokenizer.Encode(text, true, false);
    quant::CollectOptions options;
    options.n_ctx = n_ctx_;
    options.bos = tokenizer.adds_bos() ? tokenizer.bos().value_or(-1) : -1;
    options.dataset = files_[0];
    ProgressLine progress("reading", ProgressLine::Unit::kTokens);
    options.progress = [&](uint64_t done, uint64_t total) {
      const auto n = static_cast<uint64_t>(n_ctx_);
      progress.Update(done * n, total * n);
      return !Interrupted();
    };
    const auto collected = quant::CollectImatrix(loaded->network(), loaded->pages(), tokens, *threads, options);
    if (!collected.ok()) return model_.NamingFile(collected.error());
    const quant::Imatrix& imatrix = collected.value();
    LFM_RETURN_IF_ERROR(quant::WriteImatrix(imatrix, output_));
    NoteWritten(output_,
                StrCat(imatrix.entries.size(), " matrices, ", imatrix.n_chunks, " windows of ", imatrix.chunk_size, " tokens"));
    return kExitOk;
  }

 private:
  ModelArgs model_;
  std::vector<std::string> files_;
  std::string output_ = "imatrix.gguf";
  int64_t n_ctx_ = 512;
};

}  // namespace

std::unique_ptr<Command> MakeImatrix() { return std::make_unique<ImatrixCommand>(); }

}  // namespace lfm::cli
