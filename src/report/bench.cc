#include "report/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/strings.h"
#include "model/memory_check.h"
#include "model/stepper.h"
#include "report/limits.h"

namespace lfm::report {
namespace {

using Clock = std::chrono::steady_clock;
using model::Logits;
using model::Sequence;
using model::StepItem;

// Tokens that no cache and no predictor knows, the same in every run.
std::vector<int32_t> RandomTokens(int64_t n, int64_t vocab_size, uint32_t seed) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  uint64_t x = 0x9E3779B97F4A7C15ull * (seed + 1);
  for (int32_t& id : ids) {
    x = x * 6364136223846793005ull + 1442695040888963407ull;
    id = static_cast<int32_t>((x >> 33) % static_cast<uint64_t>(vocab_size));
  }
  return ids;
}

// The sequences of one case and the steps they take.
class Runner {
 public:
  Runner(engine::LoadedModel& model, Threads& threads, const BenchCase& test, int64_t chunk,
         const std::function<bool()>& cancelled)
      : model_(model), threads_(threads), test_(test), chunk_(chunk), cancelled_(cancelled) {}

  Status Prepare() {
    const int64_t n_positions = test_.n_depth + test_.n_prompt + test_.n_gen;
    if (n_positions > model_.config().context_length) {
      return Error{ErrorCode::kLimit, StrCat(test_.name(), " needs ", n_positions, " positions; the model's context is ",
                                             model_.config().context_length)};
    }
    if (const Status room = model::CheckContextMemory(model_.pages().layout(), n_positions, test_.n_seq); !room.ok()) {
      return room.error().Within(test_.name());
    }
    const int64_t n_rows = std::max(test_.n_seq, std::min(chunk_, std::max(test_.n_depth, test_.n_prompt)));
    LFM_TRY(stepper_, model::Stepper::Create(model_.network(), threads_, {n_rows, test_.n_seq, n_positions}));
    for (int64_t i = 0; i < test_.n_seq; ++i) {
      sequences_.emplace_back(model_.pages());
      tokens_.push_back(RandomTokens(n_positions, model_.config().vocab_size, static_cast<uint32_t>(i)));
      LFM_RETURN_IF_ERROR(Read(static_cast<size_t>(i), 0, test_.n_depth));
    }
    for (Sequence& sequence : sequences_) sequence.Mark();
    return Ok();
  }

  // One repetition; the seconds of its steps. Between them the probe, if there is one, reads memory for a twentieth of
  // the time, or kMostPasses, so that both see the same neighbours.
  Result<double> Run(model::Profile* profile, ReadProbe* probe) {
    for (Sequence& sequence : sequences_) LFM_RETURN_IF_ERROR(sequence.CutAtOrBelow(test_.n_depth));
    stepper_->set_profile(profile);
    probe_ = probe;
    seconds_ = 0;
    const Threads::Step awake(threads_);
    for (size_t i = 0; i < sequences_.size(); ++i) LFM_RETURN_IF_ERROR(Read(i, test_.n_depth, test_.n_prompt));
    for (int64_t step = 0; step < test_.n_gen; ++step) LFM_RETURN_IF_ERROR(Decode(step));
    stepper_->set_profile(nullptr);
    probe_ = nullptr;
    return seconds_;
  }

 private:
  Status Read(size_t i, int64_t first, int64_t n) {
    for (int64_t at = 0; at < n; at += chunk_) {
      if (cancelled_ && cancelled_()) return Error{ErrorCode::kCancelled, "interrupted"};
      const int64_t n_part = std::min(chunk_, n - at);
      const auto part =
          std::span<const int32_t>(tokens_[i]).subspan(static_cast<size_t>(first + at), static_cast<size_t>(n_part));
      const StepItem item{&sequences_[i], part, at + n_part == n ? Logits::kLast : Logits::kNone};
      LFM_RETURN_IF_ERROR(Step({&item, 1}));
    }
    return Ok();
  }

  Status Decode(int64_t step) {
    if (cancelled_ && cancelled_()) return Error{ErrorCode::kCancelled, "interrupted"};
    batch_.clear();
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const auto at = static_cast<size_t>(test_.n_depth + test_.n_prompt + step);
      batch_.push_back({&sequences_[i], std::span<const int32_t>(tokens_[i]).subspan(at, 1), Logits::kLast});
    }
    return Step(batch_);
  }

  Status Step(std::span<const StepItem> batch) {
    const auto begin = Clock::now();
    LFM_RETURN_IF_ERROR(stepper_->Step(batch));
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    seconds_ += seconds;
    if (!probe_) return Ok();
    double probed = 0;
    for (int i = 0; i < kMostPasses && (i == 0 || probed < seconds / 20); ++i) probed += probe_->Pass();
    return Ok();
  }

  static constexpr int kMostPasses = 128;  // also where the probe has no memory

  engine::LoadedModel& model_;
  Threads& threads_;
  const BenchCase test_;
  const int64_t chunk_;
  const std::function<bool()>& cancelled_;
  std::unique_ptr<model::Stepper> stepper_;
  std::vector<Sequence> sequences_;
  std::vector<std::vector<int32_t>> tokens_;
  std::vector<StepItem> batch_;
  ReadProbe* probe_ = nullptr;
  double seconds_ = 0;
};

// Fills the rates from the samples, the profile's counts and the machine's limits.
void Summarise(int64_t repetitions, BenchRow& row) {
  const BenchCase& test = row.test;
  const auto n_tokens = static_cast<double>((test.n_prompt + test.n_gen) * test.n_seq);
  const auto n = static_cast<double>(row.samples_ts.size());
  for (const double ts : row.samples_ts) row.avg_ts += ts / n;
  for (const double ts : row.samples_ts) row.stddev_ts += (ts - row.avg_ts) * (ts - row.avg_ts);
  row.stddev_ts = n > 1 ? std::sqrt(row.stddev_ts / (n - 1)) : 0;
  const double runs = static_cast<double>(repetitions);
  const Work work = WorkOf(row.profile);
  const double seconds = runs * n_tokens / row.avg_ts;
  row.gb_per_s = work.read_bytes / seconds / 1e9;
  row.gop_per_s = work.operations() / seconds / 1e9;
  const double least = LeastSeconds(work, row.roofline);
  if (least <= 0) return;
  row.roofline_ts = std::max(row.avg_ts, runs * n_tokens / least);
  row.roofline_percent = 100 * row.avg_ts / row.roofline_ts;
}

}  // namespace

std::string BenchCase::name() const {
  std::string name;
  if (n_prompt > 0) name += StrCat("pp", n_prompt);
  if (n_gen > 0) name += StrCat(name.empty() ? "" : "+", "tg", n_gen);
  if (n_depth > 0) name += StrCat(" @ d", n_depth);
  return name;
}

Result<BenchRow> RunBench(engine::LoadedModel& model, Threads& threads, const BenchCase& test, int64_t repetitions, int64_t chunk,
                          bool measure_limits, const std::function<bool()>& cancelled) {
  BenchRow row;
  row.test = test;
  Runner runner(model, threads, test, chunk, cancelled);
  LFM_RETURN_IF_ERROR(runner.Prepare());
  LFM_RETURN_IF_ERROR(runner.Run(nullptr, nullptr));  // warm-up
  std::optional<ReadProbe> probe;
  const kernels::Table& kernels = *model.network().kernels;
  if (measure_limits) probe.emplace(kernels, threads);
  const auto add_peaks = [&] {
    if (!measure_limits) return;
    const double share = 1.0 / static_cast<double>(repetitions + 1);
    row.roofline.int8_ops_per_s += share * MeasureInt8Peak(kernels, threads);
    row.roofline.f32_ops_per_s += share * MeasureF32Peak(kernels, threads);
  };
  add_peaks();
  for (int64_t i = 0; i < repetitions; ++i) {
    LFM_TRY(const double seconds, runner.Run(&row.profile, probe ? &*probe : nullptr));
    add_peaks();
    row.samples_ts.push_back(static_cast<double>((test.n_prompt + test.n_gen) * test.n_seq) / seconds);
  }
  if (probe) {
    row.roofline.read = probe->speed();
    row.roofline.cache_bytes = LastLevelBytes(ReadCaches());
  }
  Summarise(repetitions, row);
  return row;
}

Result<bool> CheckBits(engine::LoadedModel& model, Threads& threads, int64_t n_seq) {
  constexpr int64_t kSteps = 8;
  LFM_TRY(const auto stepper, model::Stepper::Create(model.network(), threads, {n_seq, n_seq, kSteps}));
  const auto vocab = static_cast<size_t>(model.config().vocab_size);
  std::vector<std::vector<int32_t>> tokens;
  for (int64_t i = 0; i < n_seq; ++i) {
    tokens.push_back(RandomTokens(kSteps, model.config().vocab_size, static_cast<uint32_t>(i)));
  }
  // The logits after the last step: of all sequences in one batch, or of one alone.
  const auto decode = [&](std::span<const int64_t> members, std::vector<float>& out) -> Status {
    std::vector<Sequence> sequences;
    for (size_t i = 0; i < members.size(); ++i) sequences.emplace_back(model.pages());
    for (size_t step = 0; step < kSteps; ++step) {
      std::vector<StepItem> batch;
      for (size_t i = 0; i < members.size(); ++i) {
        const auto& ids = tokens[static_cast<size_t>(members[i])];
        batch.push_back({&sequences[i], std::span<const int32_t>(ids).subspan(step, 1), Logits::kLast});
      }
      LFM_RETURN_IF_ERROR(stepper->Step(batch));
    }
    for (size_t i = 0; i < members.size(); ++i) {
      const auto row = stepper->logits(static_cast<int64_t>(i));
      out.insert(out.end(), row.begin(), row.end());
    }
    return Ok();
  };
  std::vector<int64_t> all;
  for (int64_t i = 0; i < n_seq; ++i) all.push_back(i);
  std::vector<float> together, alone;
  LFM_RETURN_IF_ERROR(decode(all, together));
  for (const int64_t i : all) LFM_RETURN_IF_ERROR(decode({&i, 1}, alone));
  return std::memcmp(together.data(), alone.data(), static_cast<size_t>(n_seq) * vocab * sizeof(float)) == 0;
}

}  // namespace lfm::report
