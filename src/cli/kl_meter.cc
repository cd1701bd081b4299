#include "cli/kl_meter.h"

#include "base/strings.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/text_windows.h"
#include "engine/loaded_model.h"
#include "quant/perplexity.h"

namespace lfm::cli {
namespace {

constexpr int64_t kWindow = 256;
constexpr size_t kWindows = 8;

Result<quant::PerplexityReport> Read(engine::LoadedModel& loaded, std::span<const quant::Passage> passages, Threads& threads,
                                     quant::PerplexityOptions options, const char* what) {
  ProgressLine progress(what, ProgressLine::Unit::kTokens);
  options.progress = [&](uint64_t done, uint64_t total) {
    progress.Update(done, total);
    return !Interrupted();
  };
  return quant::MeasurePerplexity(loaded.network(), loaded.pages(), passages, threads, options);
}

}  // namespace

Result<KlMeter> KlMeter::Create(const formats::Checkpoint& original, const std::string& text_file, const std::string& beside,
                                Threads& threads) {
  LFM_TRY(const std::string text, ReadFileOrInput(text_file, "--file"));
  engine::LoadOptions options;
  options.compute = model::Compute::kF32;
  LFM_TRY(const auto loaded, engine::LoadedModel::Load(original, threads, options));
  if (!loaded->text_status().ok()) return loaded->text_status().error();
  LFM_TRY(const std::string base, NameBeside(beside, ".base"));
  KlMeter meter(base);
  LFM_TRY(meter.passages_, TextWindows(*loaded, text, text_file, std::min(kWindow, loaded->config().context_length)));
  if (meter.passages_.size() > kWindows) meter.passages_.resize(kWindows);
  quant::PerplexityOptions keep;
  keep.save_base = base;
  LFM_RETURN_IF_ERROR(Read(*loaded, meter.passages_, threads, keep, "reading with the original"));
  return meter;
}

Result<double> KlMeter::Measure(const std::string& path, Threads& threads) const {
  LFM_TRY(const auto loaded, engine::LoadedModel::Load(path, threads));
  quant::PerplexityOptions compare;
  compare.base = base_.path();
  LFM_TRY(const auto report, Read(*loaded, passages_, threads, compare, "reading with the result"));
  return report.kl.value;
}

}  // namespace lfm::cli
