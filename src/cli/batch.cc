// lfm batch: a file of requests in OpenAI's batch format, without a network.
#include "base/strings.h"
#include "cli/api_args.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "server/batch.h"

namespace lfm::cli {
namespace {

class BatchCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("IN", in_, "requests, one a line: {\"custom_id\", \"method\", \"url\", \"body\"}; - for standard input");
    args.Positional("OUT", out_, "their answers; what it holds already counts as done");
    api_.Declare(args);
  }

  Result<int> Run() override {
    if (!in_ || !out_) return Error{ErrorCode::kInvalidArgument, "two files are needed: lfm batch -m MODEL IN.jsonl OUT.jsonl"};
    LFM_TRY(const std::string in, ReadFileOrInput(*in_, "IN"));
    ArmInterrupt();
    LFM_TRY(const RunningApi running, api_.Start());
    server::Router router;
    server::AddApiRoutes(router, running.api);
    server::BatchOptions options;
    options.n_together = running.engine->options().max_running;
    options.cancel = &Interrupted();
    LFM_TRY(const server::BatchSummary summary,
            server::RunBatch(router, in, *in_ == "-" ? "standard input" : *in_, *out_, options));
    api_.SaveCache(*running.engine);
    const int64_t n_done = summary.n_before + summary.n_answered + summary.n_refused;
    Note(StrCat(n_done, " of ", summary.n_lines, " done: ", summary.n_answered, " answered now, ", summary.n_refused,
                " refused, ", summary.n_before, " before\n"));
    if (n_done < summary.n_lines) return kExitInterrupted;
    return summary.n_refused > 0 ? kExitFailure : kExitOk;
  }

 private:
  ApiArgs api_;
  std::optional<std::string> in_, out_;
};

}  // namespace

std::unique_ptr<Command> MakeBatch() { return std::make_unique<BatchCommand>(); }

}  // namespace lfm::cli
