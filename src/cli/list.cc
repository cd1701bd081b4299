// lfm list: the models on this machine, and whether they are whole.
#include <algorithm>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/hub_args.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "hub/cache.h"

namespace lfm::cli {
namespace {

// A folder whose configuration names another family; its weights would be refused.
bool IsForeign(const hub::CachedModel& model) { return !model.model_type.empty() && !model.model_type.starts_with("lfm2"); }

Json ModelJson(const hub::CachedModel& model) {
  Json json = Json::MakeObject();
  json.Set("name", model.name);
  json.Set("path", model.path);
  json.Set("format", model.format == hub::CachedModel::Format::kGguf ? "gguf" : "folder");
  if (!model.type.empty()) json.Set("type", model.type);
  if (!model.model_type.empty()) json.Set("model_type", model.model_type);
  if (!model.commit.empty()) json.Set("commit", model.commit);
  json.Set("bytes", model.bytes);
  json.Set("complete", model.missing.empty());
  if (!model.missing.empty()) json.Set("missing", model.missing);
  return json;
}

Json ChecksJson(const std::vector<hub::FileCheck>& checks) {
  Json list = Json::MakeArray();
  for (const hub::FileCheck& check : checks) {
    const char* const verdict = check.verdict == hub::FileCheck::Verdict::kGood      ? "good"
                                : check.verdict == hub::FileCheck::Verdict::kDamaged ? "damaged"
                                                                                     : "unknown";
    Json row = Json::MakeObject({{"file", check.file}, {"verdict", verdict}});
    if (!check.message.empty()) row.Set("message", check.message);
    list.Append(std::move(row));
  }
  return list;
}

class ListCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Flag("--check", check_, "hash every file and compare with what the hub said of it");
    args.Flag("--all", all_, "also folders of other model families");
    args.Flag("--known", known_, "the short names that lfm knows, instead of what is here");
    args.Flag("--json", json_, "one JSON document");
    args.Footer("With --check the exit code is 3 when something is damaged or incomplete.");
  }

  Result<int> Run() override {
    if (known_) return ListKnown();
    ArmInterrupt();
    std::vector<hub::CachedModel> models = hub::ListModels(HubEnvironment());
    if (!all_) std::erase_if(models, IsForeign);
    size_t width = 4;
    for (const hub::CachedModel& model : models) width = std::max(width, Plain(model.name).size());
    Json list = Json::MakeArray();
    if (!json_ && models.empty()) Note("lfm: no models are here; lfm pull fetches one\n");
    for (const hub::CachedModel& model : models) {
      if (!model.missing.empty()) bad_ = true;
      Json json = ModelJson(model);
      std::vector<hub::FileCheck> checks;
      if (check_) {
        LFM_TRY(checks, Check(model));
        json.Set("checks", ChecksJson(checks));
      }
      if (!json_) PrintModel(model, checks, width);
      list.Append(std::move(json));
    }
    if (json_) WriteJson(Json::MakeObject({{"models", std::move(list)}}));
    return check_ && bad_ ? kExitModel : kExitOk;
  }

 private:
  Result<int> ListKnown() const {
    Json list = Json::MakeArray();
    for (const hub::ShortName& known : hub::ShortNames()) {
      if (!json_) WriteOut(StrCat(Padded(std::string(known.name), 24), known.repo, "\n"));
      list.Append(Json::MakeObject({{"name", known.name}, {"repository", known.repo}}));
    }
    if (json_) WriteJson(Json::MakeObject({{"known", std::move(list)}}));
    return kExitOk;
  }

  Result<std::vector<hub::FileCheck>> Check(const hub::CachedModel& model) {
    ProgressLine line("checking " + model.name, ProgressLine::Unit::kBytes);
    uint64_t done = 0;
    LFM_TRY(auto checks, hub::CheckModel(model, &Interrupted(), [&](uint64_t n) { line.Update(done += n, model.bytes); }));
    for (const hub::FileCheck& check : checks) bad_ = bad_ || check.verdict == hub::FileCheck::Verdict::kDamaged;
    return checks;
  }

  void PrintModel(const hub::CachedModel& model, const std::vector<hub::FileCheck>& checks, size_t width) const {
    std::string state = model.missing.empty() ? "" : "incomplete: " + model.missing + " missing";
    if (check_ && state.empty()) state = "good";
    for (const hub::FileCheck& check : checks) {
      if (check.verdict == hub::FileCheck::Verdict::kDamaged) state = "DAMAGED";
      if (check.verdict == hub::FileCheck::Verdict::kUnknown && state == "good") state = "not all hashes are known";
    }
    WriteOut(StrCat(Padded(Plain(model.name), width + 2), Padded(HumanBytes(model.bytes), state.empty() ? 0 : 12), Plain(state),
                    "\n"));
    for (const hub::FileCheck& check : checks) {
      if (check.verdict == hub::FileCheck::Verdict::kDamaged)
        WriteOut(StrCat("  ", Plain(check.file), ": ", Plain(check.message), "\n"));
    }
  }

  bool check_ = false, all_ = false, known_ = false, json_ = false;
  bool bad_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeList() { return std::make_unique<ListCommand>(); }

}  // namespace lfm::cli
