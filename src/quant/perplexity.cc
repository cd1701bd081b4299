#include "quant/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "model/memory_check.h"
#include "model/stepper.h"
#include "quant/base_logits.h"

namespace lfm::quant {
namespace {

constexpr int64_t kStep = 128;  // tokens of a step: bounds the memory for logits

// The figures of one passage's counted tokens.
struct Scores {
  std::vector<float> logprob, base_logprob, kl;
  std::vector<uint8_t> same_top;
};

// KL(base || model) of one position; both are log-probabilities.
double Divergence(std::span<const float> base, std::span<const float> logprobs) {
  double sum = 0;
  for (size_t i = 0; i < base.size(); ++i) {
    const auto b = static_cast<double>(base[i]);
    if (b > -40) sum += std::exp(b) * (b - static_cast<double>(logprobs[i]));
  }
  return std::max(sum, 0.0);  // rounding of the saved values can leave a trace below zero
}

// Mean over all tokens with an interval from the spread of passages: of a ratio of sums.
template <typename Value>
Estimate MeanOf(const std::vector<Scores>& scores, const Value& value) {
  double total = 0, n = 0;
  std::vector<std::pair<double, double>> sums;  // of each passage: values, tokens
  for (const Scores& passage : scores) {
    double sum = 0;
    for (size_t i = 0; i < passage.logprob.size(); ++i) sum += value(passage, i);
    sums.emplace_back(sum, static_cast<double>(passage.logprob.size()));
    total += sum;
    n += static_cast<double>(passage.logprob.size());
  }
  Estimate estimate;
  estimate.value = total / n;
  double square = 0, m = 0, unit = n;
  if (sums.size() > 1) {
    m = static_cast<double>(sums.size());
    for (const auto& [sum, tokens] : sums) square += std::pow(sum - estimate.value * tokens, 2);
  } else {
    m = n;
    for (size_t i = 0; i < scores[0].logprob.size(); ++i) square += std::pow(value(scores[0], i) - estimate.value, 2);
  }
  if (m > 1) estimate.interval = 1.96 * std::sqrt(square * m / (m - 1)) / unit;
  return estimate;
}

double Quantile(std::vector<float>& sorted, double share) {
  const auto at = static_cast<size_t>(std::llround(share * static_cast<double>(sorted.size() - 1)));
  return static_cast<double>(sorted[at]);
}

Estimate Exponential(const Estimate& nll) {
  const double value = std::exp(nll.value);
  return {value, nll.has_interval() ? value * nll.interval : nll.interval};
}

PerplexityReport Summarize(const std::vector<Scores>& scores, bool has_base) {
  PerplexityReport report;
  report.n_passages = static_cast<int64_t>(scores.size());
  std::vector<float> kl;
  double sum = 0, squares = 0;
  for (const Scores& passage : scores) {
    report.n_tokens += static_cast<int64_t>(passage.logprob.size());
    kl.insert(kl.end(), passage.kl.begin(), passage.kl.end());
    for (const float logprob : passage.logprob) {
      sum -= static_cast<double>(logprob);
      squares += static_cast<double>(logprob) * static_cast<double>(logprob);
    }
  }
  const auto n = static_cast<double>(report.n_tokens);
  report.nll = MeanOf(scores, [](const Scores& s, size_t i) { return -static_cast<double>(s.logprob[i]); });
  report.perplexity = Exponential(report.nll);
  const double variance = squares / n - (sum / n) * (sum / n);
  if (n > 1) report.standard_error = std::sqrt(std::max(0.0, variance) / (n - 1)) * report.perplexity.value;
  if (!has_base) return report;
  report.has_base = true;
  report.base_perplexity =
      Exponential(MeanOf(scores, [](const Scores& s, size_t i) { return -static_cast<double>(s.base_logprob[i]); }));
  report.kl = MeanOf(scores, [](const Scores& s, size_t i) { return static_cast<double>(s.kl[i]); });
  report.same_top = MeanOf(scores, [](const Scores& s, size_t i) { return static_cast<double>(s.same_top[i]); });
  std::sort(kl.begin(), kl.end());
  report.kl_median = Quantile(kl, 0.5);
  report.kl_99 = Quantile(kl, 0.99);
  report.kl_max = static_cast<double>(kl.back());
  return report;
}

class Measurement {
 public:
  Measurement(const model::Model& model, model::PagePool& pages, Threads& threads, const PerplexityOptions& options)
      : model_(model), pages_(pages), sequence_(pages), threads_(threads), options_(options) {}

  Result<PerplexityReport> Run(std::span<const Passage> passages) {
    LFM_RETURN_IF_ERROR(Prepare(passages));
    std::vector<Scores> scores;
    uint64_t done = 0, total = 0, i_row = 0;
    for (const Passage& passage : passages) total += passage.tokens.size();
    for (size_t i = 0; i < passages.size(); ++i) {
      scores.emplace_back();
      if (writer_ && static_cast<int64_t>(i) < n_resumed_) {
        LFM_TRY(scores.back().logprob, writer_->Logprobs(static_cast<int64_t>(i)));
      } else {
        LFM_RETURN_IF_ERROR(Score(passages[i], i_row, scores.back()));
        if (writer_) LFM_RETURN_IF_ERROR(writer_->EndPassage());
      }
      i_row += static_cast<uint64_t>(passages[i].n_counted());
      done += passages[i].tokens.size();
      if (options_.progress && !options_.progress(done, total)) {
        return Error{ErrorCode::kCancelled, writer_ ? "interrupted; the same command goes on where it stopped" : "interrupted"};
      }
    }
    if (writer_) LFM_RETURN_IF_ERROR(writer_->Finish());
    return Summarize(scores, reader_.has_value());
  }

 private:
  Status Prepare(std::span<const Passage> passages) {
    int64_t longest = 0, n_counted = 0;
    for (const Passage& passage : passages) {
      longest = std::max(longest, static_cast<int64_t>(passage.tokens.size()));
      n_counted += passage.n_counted();
      for (const int32_t token : passage.tokens) {
        if (token >= 0 && token < model_.config.vocab_size) continue;
        return Error{ErrorCode::kInvalidArgument, StrCat("token ", token, " is outside of the model's vocabulary")};
      }
    }
    if (n_counted == 0) {
      return Error{ErrorCode::kInvalidArgument,
                   "the text is too short: no token counts; give more text, or make the passages shorter"};
    }
    if (const Status room = model::CheckContextMemory(pages_.layout(), longest); !room.ok())
      return room.error().Within("passages");
    const int64_t n_vocab = model_.config.vocab_size;
    if (!options_.base.empty()) {
      LFM_TRY(BaseReader reader, BaseReader::Open(options_.base, passages, n_vocab));
      reader_.emplace(std::move(reader));
      base_row_.resize(static_cast<size_t>(n_vocab) * static_cast<size_t>(threads_.size()));
    }
    if (!options_.save_base.empty()) {
      LFM_TRY(BaseWriter writer, BaseWriter::Open(options_.save_base, passages, n_vocab));
      writer_.emplace(std::move(writer));
      // What was compared with a base is not kept, so that such a run begins anew.
      n_resumed_ = reader_ ? 0 : writer_->n_done();
      if (reader_ && writer_->n_done() > 0) {
        return Error{ErrorCode::kInvalidArgument, StrCat(options_.save_base,
                                                         ".partial is an interrupted run; finish it "
                                                         "without comparing, or remove it")};
      }
    }
    LFM_TRY(stepper_, model::Stepper::Create(model_, threads_, {std::min(kStep, longest), std::min(kStep, longest), longest}));
    return Ok();
  }

  Status Score(const Passage& passage, uint64_t i_row, Scores& scores) {
    const auto n = static_cast<int64_t>(passage.tokens.size());
    sequence_.Clear();
    // The last token predicts nothing that is known.
    for (int64_t at = 0; at < n - 1; at += kStep) {
      const int64_t n_part = std::min(kStep, n - 1 - at);
      const auto begin = static_cast<size_t>(at);
      const auto part = std::span(passage.tokens).subspan(begin, static_cast<size_t>(n_part));
      const auto counts = std::span(passage.counts).subspan(begin + 1, static_cast<size_t>(n_part));
      const bool any = std::any_of(counts.begin(), counts.end(), [](uint8_t c) { return c != 0; });
      LFM_RETURN_IF_ERROR(stepper_->Step(sequence_, part, any ? model::Logits::kAll : model::Logits::kNone));
      if (any) ScoreRows(passage, at, n_part, i_row, scores);
    }
    return Ok();
  }

  void ScoreRows(const Passage& passage, int64_t at, int64_t n_part, uint64_t& i_row, Scores& scores) {
    std::vector<int64_t> rows;
    for (int64_t j = 0; j < n_part; ++j) {
      if (passage.counts[static_cast<size_t>(at + j + 1)]) rows.push_back(j);
    }
    const size_t first = scores.logprob.size();
    scores.logprob.resize(first + rows.size());
    if (reader_) {
      scores.kl.resize(first + rows.size());
      scores.base_logprob.resize(first + rows.size());
      scores.same_top.resize(first + rows.size());
    }
    threads_.For(static_cast<int64_t>(rows.size()), 1, [&](int64_t begin, int64_t end, int i_thread) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t j = rows[static_cast<size_t>(r)];
        const int32_t token = passage.tokens[static_cast<size_t>(at + j + 1)];
        const std::span<float> logprobs = stepper_->logits(j);
        LogSoftmax(logprobs);
        const size_t out = first + static_cast<size_t>(r);
        scores.logprob[out] = logprobs[static_cast<size_t>(token)];
        if (reader_) Compare(i_row + static_cast<uint64_t>(r), logprobs, i_thread, out, scores);
      }
    });
    if (writer_) {
      for (const int64_t j : rows) writer_->Add(stepper_->logits(j), passage.tokens[static_cast<size_t>(at + j + 1)]);
    }
    i_row += rows.size();
  }

  void Compare(uint64_t i_row, std::span<const float> logprobs, int i_thread, size_t out, Scores& scores) {
    const std::span<float> base = std::span(base_row_).subspan(static_cast<size_t>(i_thread) * logprobs.size(), logprobs.size());
    const BaseRow row = reader_->Row(i_row);
    row.Decode(base);
    scores.base_logprob[out] = row.logprob;
    scores.kl[out] = static_cast<float>(Divergence(base, logprobs));
    const auto best = std::max_element(base.begin(), base.end()) - base.begin();
    const auto own = std::max_element(logprobs.begin(), logprobs.end()) - logprobs.begin();
    scores.same_top[out] = best == own;
  }

  const model::Model& model_;
  const model::PagePool& pages_;
  model::Sequence sequence_;
  Threads& threads_;
  const PerplexityOptions& options_;
  std::unique_ptr<model::Stepper> stepper_;
  std::optional<BaseReader> reader_;
  std::optional<BaseWriter> writer_;
  std::vector<float> base_row_;  // [threads][n_vocab]
  int64_t n_resumed_ = 0;
};

}  // namespace

void LogSoftmax(std::span<float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += static_cast<double>(std::exp(logit - top));
  const float log_sum = static_cast<float>(std::log(sum)) + top;
  for (float& logit : logits) logit -= log_sum;
}

Result<PerplexityReport> MeasurePerplexity(const model::Model& model, model::PagePool& pages, std::span<const Passage> passages,
                                           Threads& threads, const PerplexityOptions& options) {
  return Measurement(model, pages, threads, options).Run(passages);
}

}  // namespace lfm::quant
