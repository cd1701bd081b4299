// Measuring how far ahead decoding should ask for weights.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/host.h"
#include "base/strings.h"
#include "base/topology.h"
#include "report/machine.h"
#include "report/tuning.h"

namespace lfm::report {
namespace {

using TrialClock = std::chrono::steady_clock;

// The types that decode at memory's speed and that files hold most. Each is measured for itself.
constexpr TensorType kTunedTypes[] = {TensorType::kQ4_0, TensorType::kQ4_K, TensorType::kQ5_K,
                                      TensorType::kQ6_K, TensorType::kQ8_0, TensorType::kBF16};
// To the second level and to the first. The usual ones of every ISA are added.
constexpr kernels::Prefetch kTried[] = {{0, 0},        {0, 1024},     {0, 2048},    {0, 4096},    {0, 8192},
                                        {4096, 0},     {8192, 0},     {16384, 0},   {4096, 1024}, {8192, 1024},
                                        {12288, 1536}, {16384, 2048}, {24576, 1536}};
constexpr double kClearGain = 1.02, kLeastGainOfFew = 0.99;
constexpr int kMostTokens = 3;
constexpr int64_t kColumns = 2048, kBlocks = kColumns / kernels::kBlock;
constexpr int64_t kPassBytesOfThread = 8 << 20;  // about half a millisecond
constexpr size_t kLeastRounds = 5;
constexpr double kSearchShare = 0.7;  // of a type's time; the rest is for the pairs
// As bytes of scales and quants it is a small normal f16, and as BF16 a small normal float: no product is slow.
constexpr int kFill = 0x11;

int64_t TrialBytes() {
  constexpr uint64_t kLeast = uint64_t{256} << 20, kMost = uint64_t{2} << 30;
  return static_cast<int64_t>(std::clamp(2 * LastLevelBytes(ReadCaches()), kLeast, kMost));
}

double Quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

// Products of kMostTokens tokens or fewer with weights of one type, round and round through the memory.
class DecodeProbe {
 public:
  DecodeProbe(const kernels::Table& table, Threads& threads, const ProbeMemory& memory, TensorType type)
      : table_(table), threads_(threads), memory_(memory), type_(type),
        unit_bytes_(2 * static_cast<int64_t>(kernels::PanelBytes(type, kColumns))),
        n_units_(std::max<int64_t>(1, std::min(kPassBytesOfThread * threads.size(), memory.size() / 4) / unit_bytes_)) {
    for (kernels::F32Block& block : floats_) std::fill(std::begin(block.x), std::end(block.x), 1.0F);
    for (kernels::Q8Block& block : quants_) {
      std::fill(std::begin(block.q), std::end(block.q), int8_t{1});
      block.d = 1;
      block.dsum = kernels::kBlock;
      block.nsum0 = block.nsum1 = -kernels::kBlock / 2;
      for (auto& half : block.nsums) half[0] = half[1] = -kernels::kBlock / 4;
    }
  }

  // Bytes per second of one pass.
  double Pass(const kernels::Prefetch& prefetch, int n_tokens) {
    kernels::SetPrefetch(table_.isa, type_, prefetch);
    if ((next_ + n_units_) * unit_bytes_ > memory_.size()) next_ = 0;
    const std::byte* const begin = memory_.data() + next_ * unit_bytes_;
    next_ += n_units_;
    const auto index = static_cast<size_t>(kernels::TypeIndex(type_));
    const auto start = TrialClock::now();
    threads_.For(n_units_, 4, [&](int64_t first, int64_t last, int) {
      float out[kMostTokens * kernels::kUnitRows];
      for (int64_t i = first; i < last; ++i) {
        const std::byte* const unit = begin + i * unit_bytes_;
        if (InfoOf(type_).quantized) {
          table_.matmul_q8[index](unit, unit + unit_bytes_ / 2, kBlocks, quants_.data(), n_tokens, out, kernels::kUnitRows);
        } else {
          table_.matmul_f32[index](unit, unit + unit_bytes_ / 2, kBlocks, floats_.data(), n_tokens, out, kernels::kUnitRows);
        }
      }
    });
    const double seconds = std::chrono::duration<double>(TrialClock::now() - start).count();
    return static_cast<double>(n_units_ * unit_bytes_) / std::max(seconds, 1e-9);
  }

 private:
  const kernels::Table& table_;
  Threads& threads_;
  const ProbeMemory& memory_;
  const TensorType type_;
  const int64_t unit_bytes_, n_units_;  // of a pass
  int64_t next_ = 0;
  std::vector<kernels::Q8Block> quants_ = std::vector<kernels::Q8Block>(kMostTokens * kBlocks);
  std::vector<kernels::F32Block> floats_ = std::vector<kernels::F32Block>(kMostTokens * kBlocks);
};

// Until `seconds` have gone, but kLeastRounds at least; false: told to stop.
template <typename Round>
bool ForRounds(double seconds, const std::function<bool()>& go_on, Round&& round) {
  const auto end = TrialClock::now() + std::chrono::duration<double>(seconds);
  for (size_t i = 0; i < kLeastRounds || TrialClock::now() < end; ++i) {
    if (go_on && !go_on()) return false;
    round(i);
  }
  return true;
}

Result<TypeTrials> TryType(DecodeProbe& probe, TensorType type, const kernels::Prefetch& usual,
                           const std::vector<kernels::Prefetch>& tried, double seconds, const std::function<bool()>& go_on) {
  const Error stopped{ErrorCode::kCancelled, "interrupted"};
  TypeTrials trials;
  trials.type = type;
  trials.usual = usual;
  std::vector<std::vector<double>> speeds(tried.size());
  probe.Pass(usual, 1);  // wakes what sleeps
  bool whole = ForRounds(kSearchShare * seconds, go_on, [&](size_t round) {
    for (size_t i = 0; i < tried.size(); ++i) {  // from another one on each time
      const size_t at = (i + round) % tried.size();
      speeds[at].push_back(probe.Pass(tried[at], 1));
    }
  });
  if (!whole) return stopped;
  double best = -1;
  for (size_t i = 0; i < tried.size(); ++i) {
    trials.bytes_per_s.push_back(Quantile(speeds[i], 0.5));
    if (tried[i] == usual || trials.bytes_per_s[i] <= best) continue;
    best = trials.bytes_per_s[i];
    trials.best = tried[i];
  }
  const auto duel = [&](int n_tokens) {
    std::vector<double> gains;
    whole = ForRounds((1 - kSearchShare) * seconds, go_on, [&](size_t round) {
      const bool usual_first = round % 2 == 0;
      const double first = probe.Pass(usual_first ? usual : trials.best, n_tokens);
      const double second = probe.Pass(usual_first ? trials.best : usual, n_tokens);
      gains.push_back(usual_first ? second / first : first / second);
    });
    return whole ? gains : std::vector<double>{0};
  };
  const std::vector<double> gains = duel(1);
  if (!whole) return stopped;
  trials.gain = Quantile(gains, 0.5);
  trials.clear = trials.gain >= kClearGain && Quantile(gains, 0.25) > 1;
  if (!trials.clear || !InfoOf(type).quantized) return trials;  // more tokens than one take another way with floats
  trials.gain_few = Quantile(duel(kMostTokens), 0.5);
  if (!whole) return stopped;
  trials.clear = trials.gain_few >= kLeastGainOfFew;
  return trials;
}

}  // namespace

Result<TuningReport> MeasureTuning(const kernels::Table& table, Threads& threads, const TuningKey& key,
                                   const TuningEffort& effort, const std::function<bool()>& go_on) {
  const int64_t n_bytes = effort.n_bytes > 0 ? effort.n_bytes : TrialBytes();
  const uint64_t free = ReadMemory().available_bytes;
  if (free > 0 && static_cast<uint64_t>(n_bytes) > free / 2) {
    return Error{ErrorCode::kOutOfMemory,
                 StrCat("measuring takes ", HumanBytes(static_cast<uint64_t>(n_bytes)), " that no cache holds, and ",
                        HumanBytes(free), " of memory are free; end other programs first")};
  }
  const ProbeMemory memory(threads, n_bytes, kFill);
  if (!memory.data()) return Error{ErrorCode::kOutOfMemory, "the system gives no memory to measure with"};

  TuningReport report;
  report.tuning.key = key;
  report.n_threads = threads.size();
  report.tried.assign(std::begin(kTried), std::end(kTried));
  const int n_lanes = kernels::LanesOf(table.isa);
  for (const TensorType type : kTunedTypes) {
    const kernels::Prefetch usual = kernels::UsualPrefetch(n_lanes, type);
    if (std::find(report.tried.begin(), report.tried.end(), usual) == report.tried.end()) report.tried.push_back(usual);
  }
  const Threads::Step awake(threads);
  const kernels::FloatMode mode;
  for (const TensorType type : kTunedTypes) {
    const kernels::Prefetch before = kernels::GetPrefetch(table.isa, type);
    DecodeProbe probe(table, threads, memory, type);
    auto trials = TryType(probe, type, kernels::UsualPrefetch(n_lanes, type), report.tried,
                          effort.seconds / static_cast<double>(std::size(kTunedTypes)), go_on);
    kernels::SetPrefetch(table.isa, type, before);
    if (!trials.ok()) return trials.error();
    if (trials->clear) report.tuning.types.push_back({type, trials->best});
    report.types.push_back(std::move(*trials));
  }
  return report;
}

}  // namespace lfm::report
