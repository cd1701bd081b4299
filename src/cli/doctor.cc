// lfm doctor: what this machine can do, what a model does on it, and what to change.
#include "report/doctor.h"

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/doctor_page.h"
#include "cli/environment.h"
#include "cli/interrupt.h"
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/tuned.h"
#include "cli/version.h"
#include "engine/packed_models.h"

namespace lfm::cli {
namespace {

// What is being done, on a terminal; wiped at the end.
class StepLine {
 public:
  StepLine() : shown_(ErrorsGoToTerminal()) {}
  ~StepLine() { Wipe(); }
  StepLine(const StepLine&) = delete;
  StepLine& operator=(const StepLine&) = delete;

  bool operator()(std::string_view step) const {
    if (shown_ && !step.empty()) NoteInPlace(StrCat(step, " ..."));
    return !Interrupted();
  }
  void Wipe() const {
    if (shown_) NoteInPlace("");
  }

 private:
  const bool shown_;
};

class DoctorCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Flag("--json", json_, "one JSON document");
    args.Flag("--tune", tune_,
              "measure how far ahead this machine should ask for weights, and keep it for later runs (a second or two)");
    model_.DeclareCompute(args);
    args.Footer(
        "Takes about ten seconds, and longer with a model. The page is made for bug reports: it names no person, "
        "no machine and no folder.");
  }

  Result<int> Run() override {
    LFM_TRY(const std::string isa, model_.Isa());
    LFM_TRY(const auto threads, model_.MakeThreads());
    if (tune_) return Tune(isa, *threads);
    LFM_TRY(const std::optional<formats::Checkpoint> checkpoint, Open(*threads));
    ArmInterrupt();
    const StepLine step;
    const auto progress = [&](std::string_view name) { return step(name); };
    const int n_threads = model_.n_threads ? threads->size() : 0;
    KeptTuning kept = UseTuning(isa);
    LFM_TRY(report::MachineReport machine, report::ExamineMachine(n_threads, isa, progress));
    machine.tuning = std::move(kept.tuning);
    machine.tuning_unused = !kept.unused.empty();
    std::optional<report::ModelReport> report;
    if (checkpoint) {
      LFM_TRY(const engine::LoadOptions options, model_.Options());
      LFM_TRY(report, Examine(*checkpoint, options, machine, *threads, step));
    }
    step.Wipe();
    const report::ModelReport* model = report ? &*report : nullptr;
    if (json_) {
      Json json = Json::MakeObject({{"lfm", Json(Version())}, {"commit", Json(Commit())}});
      const Json rest = report::DoctorJson(machine, model);
      for (const auto& [name, value] : rest.members()) json.Set(name, value);
      WriteJson(json);
    } else {
      WriteOut(DoctorPage(machine, model));
    }
    return kExitOk;
  }

 private:
  Result<int> Tune(const std::string& isa, Threads& threads) const {
    if (model_.model) {
      return Error{ErrorCode::kInvalidArgument, "--tune measures the machine, not a model; leave -m away"};
    }
    LFM_TRY(const kernels::Table* table, kernels::Select(isa));
    LFM_TRY(const report::TuningKey key, KeyOfTuning(isa));
    ArmInterrupt();
    const StepLine step;
    const auto go_on = [&] { return step("measuring distances of prefetching"); };
    LFM_TRY(const report::TuningReport report, report::MeasureTuning(*table, threads, key, {}, go_on));
    step.Wipe();
    LFM_TRY(const std::string path, KeepTuning(report.tuning));
    if (json_) {
      WriteJson(report::TuningReportJson(report));
    } else {
      WriteOut(TuningPage(report));
    }
    NoteWritten(path, "models that are opened from now on follow it");
    return kExitOk;
  }

  // The model that would run: its packed form where there is one. Nothing when none is named.
  Result<std::optional<formats::Checkpoint>> Open(Threads& threads) {
    std::optional<formats::Checkpoint> checkpoint;
    if (!model_.model) return checkpoint;
    LFM_TRY(const std::string path, model_.Path());
    LFM_TRY(checkpoint, formats::OpenCheckpoint(path));
    if (!model_.no_pack) *checkpoint = engine::PreferPacked(std::move(*checkpoint), PackFolder(), threads);
    return checkpoint;
  }

  Result<report::ModelReport> Examine(const formats::Checkpoint& checkpoint, const engine::LoadOptions& options,
                                      const report::MachineReport& machine, Threads& threads, const StepLine& step) {
    const auto progress = [&](std::string_view name) { return step(name); };
    LFM_TRY(report::ModelReport report, report::ExamineFile(checkpoint, machine, options, progress));
    const uint64_t free = machine.memory.available_bytes;
    if (free > 0 && report.needed_bytes > free) {
      report.not_measured = "the weights do not fit into the free memory";
      return report;
    }
    step("reading the weights");
    LFM_TRY(const auto loaded, engine::LoadedModel::Load(checkpoint, threads, options));
    LFM_RETURN_IF_ERROR(report::MeasureModel(*loaded, threads, machine, report, progress));
    return report;
  }

  ModelArgs model_;
  bool json_ = false, tune_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDoctor() { return std::make_unique<DoctorCommand>(); }

}  // namespace lfm::cli
