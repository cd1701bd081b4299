// lfm quantize: smaller weights, by a named mix of types or by a plan for a wanted size.
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "base/file.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/interrupt.h"
#include "cli/kl_meter.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/values.h"
#include "engine/text_model.h"
#include "formats/checkpoint.h"
#include "quant/mixes.h"
#include "quant/quantize.h"

namespace lfm::cli {
namespace {

constexpr int kMostRounds = 5;        // of --target-kl --file
constexpr double kNearTheWish = 0.8;  // of the wish: a loss that makes good use of it

// "4.2GB", "900MiB", "123456789": bytes.
Result<uint64_t> ParseSize(const std::string& text) {
  size_t end = 0;
  while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.')) ++end;
  const std::string unit = text.substr(end);
  static const std::map<std::string, double> kUnits = {
      {"", 1},         {"B", 1},           {"kB", 1e3},           {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
      {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"M", 1e6},  {"G", 1e9}};
  const auto scale = kUnits.find(unit);
  const auto number = ParseReal(text.substr(0, end));
  if (scale == kUnits.end() || !number.ok() || !(*number > 0)) {
    return Error{ErrorCode::kInvalidArgument, StrCat("--target-size: ", Quote(text), " is no size; write 4.2GB or 900MiB")};
  }
  return static_cast<uint64_t>(std::stod(text.substr(0, end)) * scale->second);
}

void PrintPlan(const quant::Plan& plan, const std::vector<quant::ModelTensor>& tensors) {
  WriteOut("tensor                                    type         bytes  relative error\n");
  for (const quant::PlanRow& row : plan.rows) {
    std::string name = Plain(tensors[row.i_tensor].name);
    name.resize(std::max<size_t>(name.size(), 41), ' ');
    char rest[96];
    std::snprintf(rest, sizeof rest, " %-7s %10llu  %.3e\n", std::string(InfoOf(row.type).name).c_str(),
                  static_cast<unsigned long long>(row.n_bytes), row.error);
    WriteOut(name + rest);
  }
  WriteOut(StrCat("weights: ", HumanBytes(plan.n_bytes), ", sum of relative errors ", Significant(plan.error, 4),
                  ", predicted KL ", Significant(plan.predicted_kl, 3), " nats (an estimate)\n"));
}

class QuantizeCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Positional("IN", in_, "a .gguf file or a Hugging Face folder, best in bf16 or f32");
    args.Positional("OUT", out_, "the .gguf file to write");
    std::string names;
    for (const quant::Mix& mix : quant::Mixes()) names += StrCat(names.empty() ? "" : ", ", mix.name);
    args.Text("--type", type_, "TYPE", "the mix of types: " + names + "; or one type for all, such as q5_0");
    args.Text("--imatrix", imatrix_, "FILE", "importance of columns and experts, from lfm imatrix");
    args.Texts("--tensor-type", overrides_, "REGEX=TYPE", "another type for tensors whose GGUF name matches; may be repeated");
    args.Text("--target-size", target_size_, "SIZE", "choose types per tensor for a file of at most this size: 4.2GB");
    args.Real("--target-kl", target_kl_, "NATS", "choose types per tensor for this loss: predicted, or measured with --file");
    args.Text("-f,--file", text_, "TEXT", "with --target-kl: measure on this text and choose again until the loss is reached");
    args.Integer("-t,--threads", model_.n_threads, "N", "threads (default: what this machine does best)");
  }

  Result<int> Run() override {
    LFM_RETURN_IF_ERROR(CheckArguments());
    quant::QuantizeOptions options;
    options.type = type_.value_or("");
    LFM_RETURN_IF_ERROR(ReadGoal(options.goal));
    LFM_RETURN_IF_ERROR(ReadOverrides(options));
    quant::Imatrix imatrix;
    if (imatrix_) {
      LFM_TRY(imatrix, quant::ReadImatrix(*imatrix_));
      options.imatrix = &imatrix;
      options.imatrix_path = *imatrix_;
    }
    LFM_TRY(const auto threads, model_.MakeThreads());
    LFM_TRY(const formats::Checkpoint source, formats::OpenCheckpoint(*in_));
    ArmInterrupt();
    LFM_TRY(const auto result, text_ ? WorkToKl(source, *threads, options) : Work(source, *out_, *threads, options));
    if (!result.without_importance.empty()) {
      Warn(StrCat("the importance matrix says nothing about ", result.without_importance.size(), " tensors (the first is ",
                  result.without_importance[0], "); their columns count alike"));
    }
    NoteWritten(*out_, StrCat(HumanBytes(result.n_bytes), " (", HumanBytes(result.n_source_bytes), " before)"));
    return kExitOk;
  }

 private:
  Status CheckArguments() const {
    if (!in_ || !out_ || out_->empty()) {
      return Error{ErrorCode::kInvalidArgument, "two names are needed: lfm quantize IN OUT.gguf --type q4_k_m"};
    }
    const int n_goals = (type_ ? 1 : 0) + (target_size_ ? 1 : 0) + (target_kl_ ? 1 : 0);
    if (text_ && !target_kl_) return Error{ErrorCode::kInvalidArgument, "--file is for --target-kl NATS"};
    if (n_goals == 1) return Ok();
    return Error{ErrorCode::kInvalidArgument, n_goals == 0
                                                  ? "no type is named; use --type q4_k_m, --target-size 4.2GB or --target-kl 0.05"
                                                  : "--type, --target-size and --target-kl exclude each other; use one of them"};
  }

  Status ReadGoal(quant::PlanGoal& goal) const {
    if (target_size_) {
      LFM_TRY(goal.n_bytes, ParseSize(*target_size_));
    }
    if (target_kl_) {
      if (!(*target_kl_ > 0)) return Error{ErrorCode::kInvalidArgument, "--target-kl: the loss must be above 0"};
      goal.kl = static_cast<double>(*target_kl_);
    }
    return Ok();
  }

  Status ReadOverrides(quant::QuantizeOptions& options) const {
    for (const std::string& text : overrides_) {
      const size_t equals = text.rfind('=');
      const auto type = TensorTypeFromName(equals == std::string::npos ? "" : text.substr(equals + 1));
      if (equals == std::string::npos || equals == 0 || !type) {
        return Error{ErrorCode::kInvalidArgument,
                     StrCat("--tensor-type: ", Quote(text), " is not REGEX=TYPE, such as ffn_down=q6_k")};
      }
      options.overrides.emplace_back(text.substr(0, equals), *type);
    }
    return Ok();
  }

  // Writes plans until the measured loss is at most the wish and near it; nothing remains where that cannot be.
  Result<quant::QuantizeResult> WorkToKl(const formats::Checkpoint& source, Threads& threads,
                                         quant::QuantizeOptions& options) const {
    LFM_TRY(const std::string name, NameBeside(*out_, ".attempt"));
    const UnfinishedFile attempt(name);
    LFM_TRY(const KlMeter meter, KlMeter::Create(source, *text_, *out_, threads));
    const double wish = *options.goal.kl;
    options.goal.or_nearest = true;
    quant::MeasuredErrors measured;
    options.measured = &measured;
    double good = 0, bad = INFINITY, last = 0;  // sums of errors whose loss was low enough, and was not
    for (int round = 1;; ++round) {
      LFM_TRY(const auto result, Work(source, attempt.path(), threads, options));
      LFM_TRY(const double kl, meter.Measure(attempt.path(), threads));
      WriteOut(StrCat("measured KL ", Significant(kl, 3), " nats, wanted at most ", Significant(wish, 3), "\n"));
      const double error = result.plan_error;
      (kl <= wish ? good : bad) = kl <= wish ? std::max(good, error) : std::min(bad, error);
      if (kl <= wish && (kl >= kNearTheWish * wish || round > kMostRounds || error == last)) {
        LFM_RETURN_IF_ERROR(MoveFile(attempt.path(), *out_));
        return result;
      }
      if ((round > kMostRounds || error == last) && good == 0) {
        return Error{ErrorCode::kInvalidArgument, StrCat("--target-kl: the best plan that was tried loses ", Significant(kl, 3),
                                                         " nats on this text; name a larger loss, or use bf16")};
      }
      // The loss grows about as the sum of errors does; where that leads nowhere, half-way between what is known.
      double budget = error * wish / std::max(kl, 1e-9) * 0.97;
      if (!(budget > good && budget < bad)) budget = good > 0 ? std::sqrt(good * std::min(bad, 4 * good)) : bad / 2;
      if (round >= kMostRounds && good > 0) budget = good;
      options.goal.kl_per_error = wish / (budget * (1 + 1e-9));
      last = error;
    }
  }

  Result<quant::QuantizeResult> Work(const formats::Checkpoint& source, const std::string& out, Threads& threads,
                                     quant::QuantizeOptions& options) const {
    ProgressLine measuring("measuring", ProgressLine::Unit::kTokens), writing("quantising", ProgressLine::Unit::kBytes);
    options.on_plan = PrintPlan;
    options.plan_progress = [&](uint64_t done, uint64_t total) {
      measuring.Update(done, total);
      return !Interrupted();
    };
    options.progress = [&](uint64_t done, uint64_t total) {
      writing.Update(done, total);
      return !Interrupted();
    };
    return quant::Quantize(source, out, threads, options);
  }

  ModelArgs model_;
  std::optional<std::string> in_, out_, type_, imatrix_, target_size_, text_;
  std::vector<std::string> overrides_;
  std::optional<float> target_kl_;
};

}  // namespace

std::unique_ptr<Command> MakeQuantize() { return std::make_unique<QuantizeCommand>(); }

}  // namespace lfm::cli
