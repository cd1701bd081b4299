// lfm verify: the real LFM2-8B-A1B against its published logits, greedy texts and token ids.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/published.h"
#include "engine/generate.h"
#include "model/stepper.h"

namespace lfm::cli {
namespace {

// Files with 16 bits a weight should meet the published figures; quantised ones come near, each type in its
// own way.
constexpr double kMeanTolerance = published::kMeanTolerance * 5, kMeanToleranceQuantized = 0.5;
constexpr double kFirstTolerance = 0.25, kFirstToleranceQuantized = 2.0;
constexpr int64_t kMaxGreedyTokens = 40;

struct Check {
  std::string name, expected, found;
  enum class Verdict { kEqual, kNear, kDiffers } verdict = Verdict::kDiffers;
};

const char* VerdictName(Check::Verdict verdict) {
  switch (verdict) {
    case Check::Verdict::kEqual: return "equal";
    case Check::Verdict::kNear: return "near";
    case Check::Verdict::kDiffers: return "DIFFERS";
  }
  return "";
}

bool IsTheModel(const model::Config& config) {
  return config.architecture == "lfm2moe" && config.n_layers == 24 && config.d_model == 2048 && config.n_experts == 32 &&
         config.n_experts_used == 4 && config.vocab_size == 65536 && !config.random_weights;
}

std::string Decimal(double value) { return StrCat(std::round(value * 1e4) / 1e4); }

class Verifier {
 public:
  Verifier(engine::Session& session, Threads& threads)
      : session_(session), loaded_(session.model()), threads_(threads),
        quantized_(loaded_.network().weights.layers.front().conv.in_proj.quantized() ||
                   loaded_.network().weights.head.quantized()) {}

  Result<std::vector<Check>> Run() {
    Tokens();
    LFM_RETURN_IF_ERROR(Logits());
    for (const published::Greedy& greedy : published::kGreedy) LFM_RETURN_IF_ERROR(Greedy(greedy));
    return std::move(checks_);
  }

 private:
  void Tokens() {
    const text::Tokenizer& tokenizer = loaded_.text().tokenizer;
    for (const published::Encoding& row : published::kEncodings) {
      const std::vector<int32_t> ids = tokenizer.Encode(row.text, false);
      const bool equal = std::equal(ids.begin(), ids.end(), row.ids.begin(), row.ids.end());
      checks_.push_back({"tokens of " + Quote(row.text, 24), IdsJson(std::vector<int32_t>(row.ids)).Dump(), IdsJson(ids).Dump(),
                         equal ? Check::Verdict::kEqual : Check::Verdict::kDiffers});
    }
    for (const published::Encoding& row : published::kDecodings) {
      const std::string text = tokenizer.Decode(std::vector<int32_t>(row.ids));
      checks_.push_back(
          {"text of ids", Quote(row.text), Quote(text), text == row.text ? Check::Verdict::kEqual : Check::Verdict::kDiffers});
    }
  }

  Status Logits() {
    const auto n = static_cast<int64_t>(std::size(published::kInputIds));
    LFM_TRY(const auto stepper, model::Stepper::Create(loaded_.network(), threads_, {n, n, n}));
    model::Sequence sequence(loaded_.pages());
    LFM_RETURN_IF_ERROR(stepper->Step(sequence, published::kInputIds, model::Logits::kAll));
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (const float x : stepper->logits(i)) sum += double{x};
      const double mean = sum / loaded_.config().vocab_size;
      Number(StrCat("mean logit at position ", i), published::kMeanLogits[i], mean, published::kMeanTolerance,
             quantized_ ? kMeanToleranceQuantized : kMeanTolerance);
    }
    for (size_t i = 0; i < std::size(published::kFirstLogits); ++i) {
      Number(StrCat("logit ", i, " at position 0"), published::kFirstLogits[i], double{stepper->logits(0)[i]},
             published::kMeanTolerance, quantized_ ? kFirstToleranceQuantized : kFirstTolerance);
    }
    return Ok();
  }

  void Number(std::string name, double expected, double found, double equal_within, double near_within) {
    const double difference = std::abs(expected - found);
    checks_.push_back({std::move(name), Decimal(expected), Decimal(found),
                       difference <= equal_within  ? Check::Verdict::kEqual
                       : difference <= near_within ? Check::Verdict::kNear
                                                   : Check::Verdict::kDiffers});
  }

  // A greedy text is near when it agrees for a while, or where quantised weights or padding may change the
  // words.
  Status Greedy(const published::Greedy& greedy) {
    const auto ids = loaded_.text().tokenizer.Encode(greedy.prompt, greedy.raw);
    engine::GenerationParams params;
    params.sampling.temperature = 0;
    params.sampling.min_p = 0;
    params.sampling.repetition_penalty = 1;
    const auto wanted = loaded_.text().tokenizer.Encode(greedy.answer, false);
    params.max_tokens = std::min<int64_t>(static_cast<int64_t>(wanted.size()) + 2, kMaxGreedyTokens);
    LFM_TRY(const auto generation, engine::Generate(session_, ids, params));
    if (generation.stop_reason == engine::StopReason::kCancelled) return Error{ErrorCode::kCancelled, "interrupted"};
    const std::string found = generation.text.substr(0, greedy.answer.size());
    const bool may_differ = quantized_ || greedy.padded;
    checks_.push_back({"greedy after " + Quote(greedy.prompt, 24), Quote(greedy.answer, 100), Quote(found, 100),
                       found == greedy.answer ? Check::Verdict::kEqual
                       : may_differ           ? Check::Verdict::kNear
                                              : Check::Verdict::kDiffers});
    return Ok();
  }

  engine::Session& session_;
  engine::LoadedModel& loaded_;
  Threads& threads_;
  const bool quantized_;
  std::vector<Check> checks_;
};

class VerifyCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    model_.DeclareCompute(args);
    args.Flag("--json", json_, "one JSON document instead of a table");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
    LFM_TRY(const model::Config config, model::ReadConfig(checkpoint));
    if (!IsTheModel(config)) {
      return Error{
          ErrorCode::kUnsupported,
          StrCat("no reference is known for ", config.random_weights ? "random weights" : "this model", " (",
                 config.name.empty() ? path : config.name, "); only the real ", published::kModel, " has published outputs")};
    }
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    LFM_RETURN_IF_ERROR(loaded->text_status());
    LFM_TRY(const auto session, engine::Session::Create(loaded, *threads, {1024}));
    session->cancel = &Interrupted();
    LFM_TRY(const auto checks, Verifier(*session, *threads).Run());
    Print(checks);
    const auto differs = [](const Check& check) { return check.verdict == Check::Verdict::kDiffers; };
    return std::any_of(checks.begin(), checks.end(), differs) ? kExitFailure : kExitOk;
  }

 private:
  void Print(const std::vector<Check>& checks) const {
    if (json_) {
      Json list = Json::MakeArray();
      for (const Check& check : checks) {
        Json row = Json::MakeObject();
        row.Set("check", check.name);
        row.Set("expected", check.expected);
        row.Set("found", check.found);
        row.Set("verdict", VerdictName(check.verdict));
        list.Append(std::move(row));
      }
      Json json = Json::MakeObject();
      json.Set("checks", std::move(list));
      WriteJson(json);
      return;
    }
    for (const Check& check : checks) {
      std::string verdict = VerdictName(check.verdict);
      verdict.resize(8, ' ');
      WriteOut(StrCat(verdict, check.name, "\n"));
      if (check.verdict != Check::Verdict::kEqual) {
        WriteOut(StrCat("          published ", check.expected, "\n          here      ", check.found, "\n"));
      }
    }
    const auto count = [&](Check::Verdict verdict) {
      return std::count_if(checks.begin(), checks.end(), [&](const Check& c) { return c.verdict == verdict; });
    };
    WriteOut(StrCat("\n", count(Check::Verdict::kEqual), " equal, ", count(Check::Verdict::kNear), " near, ",
                    count(Check::Verdict::kDiffers), " differ, of ", checks.size(), "\n"));
  }

  ModelArgs model_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeVerify() { return std::make_unique<VerifyCommand>(); }

}  // namespace lfm::cli
