#include "classify/bulk_scorer.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace lfm::classify {
namespace {

constexpr int64_t kMostRows = 256;  // of logits in a step: 64 MiB for the vocabulary of LFM2

}  // namespace

BulkScorer::BulkScorer(std::shared_ptr<engine::LoadedModel> model, Threads& threads, const ClassifierOptions& options,
                       int64_t n_ctx)
    : model_(std::move(model)), threads_(threads), options_(options), n_ctx_(n_ctx) {}

Result<std::unique_ptr<BulkScorer>> BulkScorer::Create(std::shared_ptr<engine::LoadedModel> model, Threads& threads,
                                                       std::span<const Question> questions, const ClassifierOptions& options) {
  const int64_t most = model->config().context_length;
  if (options.n_ctx < 0 || options.n_ctx > most) {
    return Error{ErrorCode::kInvalidArgument, StrCat("the context is ", options.n_ctx, "; it must be 1 to ", most, " positions")};
  }
  const int64_t n_ctx = options.n_ctx == 0 ? most : options.n_ctx;
  std::unique_ptr<BulkScorer> scorer(new BulkScorer(std::move(model), threads, options, n_ctx));
  // A label is read in one piece.
  int64_t depth = 1;
  for (const Question& question : questions) depth = std::max<int64_t>(depth, question.trie.max_depth());
  scorer->n_batch_ = std::clamp<int64_t>(options.n_batch, depth, 4096);
  const int64_t n_rows = std::max(depth, std::min(kMostRows, scorer->n_batch_));
  scorer->n_logits_ = n_rows * scorer->model_->config().vocab_size;
  const model::StepSizes sizes{scorer->n_batch_, n_rows, n_ctx};
  LFM_TRY(scorer->stepper_, model::Stepper::Create(scorer->model_->network(), threads, sizes));
  for (const Question& question : questions) LFM_RETURN_IF_ERROR(scorer->Prepare(question));
  return scorer;
}

Status BulkScorer::Prepare(const Question& question) {
  const std::span<const int32_t> prefix = question.prompt.prefix(), certain = question.prompt.certain();
  const auto needs = static_cast<int64_t>(prefix.size()) + question.trie.max_depth() + 1;
  if (needs > n_ctx_) {
    return Error{ErrorCode::kLimit, StrCat("the labels and instructions are ", prefix.size(), " tokens, and the context has ",
                                           n_ctx_, ": give fewer labels, shorter descriptions, or groups by \"parent\"")};
  }
  model::Sequence base(model_->pages());
  LFM_RETURN_IF_ERROR(Read(base, certain));
  LFM_TRY(model::Sequence whole, base.Copy());
  LFM_RETURN_IF_ERROR(Read(whole, prefix.subspan(certain.size())));
  prepared_.push_back({&question, AllReads(question.trie, options_.method), std::move(base), std::move(whole)});
  by_place_.push_back(&prepared_.back());
  n_prefix_tokens_ += static_cast<int64_t>(prefix.size());
  return Ok();
}

Status BulkScorer::Read(model::Sequence& sequence, std::span<const int32_t> ids) {
  while (!ids.empty()) {
    const size_t n = std::min(ids.size(), static_cast<size_t>(n_batch_));
    LFM_RETURN_IF_ERROR(stepper_->Step(sequence, ids.first(n), model::Logits::kNone));
    ids = ids.subspan(n);
  }
  return Ok();
}

// A job behind the longest beginning that its prompt shares; null where the text is refused.
Result<std::unique_ptr<BulkScorer::Job>> BulkScorer::Begin(const Ask& ask, size_t place, Scores& refused) {
  const Prepared& prepared = *by_place_[ask.question];
  refused.status = CheckIsText(*ask.text);
  if (!refused.status.ok()) return std::unique_ptr<Job>();
  LFM_TRY(std::vector<int32_t> ids, prepared.question->prompt.Encode(*ask.text));
  const auto n = static_cast<int64_t>(ids.size());
  if (n + prepared.question->trie.max_depth() > n_ctx_) {
    refused.status = Error{ErrorCode::kLimit, StrCat("the prompt of ", n, " tokens (", prepared.prefix.n_tokens(),
                                                     " of them labels and instructions) exceeds the context of ", n_ctx_)};
    return std::unique_ptr<Job>();
  }
  const auto starts_with = [&](const model::Sequence& sequence) {
    return sequence.n_tokens() < n && sequence.CommonPrefix(ids) == sequence.n_tokens();
  };
  const model::Sequence& start = starts_with(prepared.prefix) ? prepared.prefix : prepared.certain;
  std::unique_ptr<Job> job;
  if (starts_with(start)) {
    LFM_TRY(model::Sequence copy, start.Copy());
    job = std::make_unique<Job>(prepared, std::move(copy), options_.method);
  } else {
    job = std::make_unique<Job>(prepared, model::Sequence(model_->pages()), options_.method);
  }
  job->place = place;
  job->ids = std::move(ids);
  return job;
}

Status BulkScorer::AddPrompt(Job& job) {
  const int64_t n_unread = static_cast<int64_t>(job.ids.size()) - job.sequence.n_tokens();
  const int64_t n = std::min(n_unread, tokens_left_);
  const int64_t n_vocab = model_->config().vocab_size;
  if (n == 0 || (n == n_unread && logits_left_ < n_vocab)) return Ok();
  parts_.push_back({&job, {}, nullptr, n});
  tokens_left_ -= n;
  if (n == n_unread) logits_left_ -= n_vocab;  // label_mass is a share of all
  return Ok();
}

Status BulkScorer::AddReads(Job& job) {
  while (!job.reads.empty()) {
    TrieRead& read = job.reads.back();
    const auto n = static_cast<int64_t>(read.tokens.size());
    const int64_t n_ids = read.ids.empty() ? model_->config().vocab_size : static_cast<int64_t>(read.ids.size());
    const int64_t n_logits = (read.all_rows ? n : 1) * n_ids;
    if (n > tokens_left_ || n_logits > logits_left_) return Ok();
    LFM_TRY(model::Sequence copy, job.sequence.Copy());
    parts_.push_back({&job, std::move(read), std::make_unique<model::Sequence>(std::move(copy)), n});
    job.reads.pop_back();
    tokens_left_ -= n;
    logits_left_ -= n_logits;
  }
  return Ok();
}

Result<std::vector<Scores>> BulkScorer::Run(std::span<const Ask> asks, int64_t top_k, const std::atomic<bool>* cancel) {
  std::vector<Scores> results(asks.size());
  jobs_.clear();
  size_t next = 0;
  while (next < asks.size() || !jobs_.empty()) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return Error{ErrorCode::kCancelled, "interrupted"};
    parts_.clear();
    tokens_left_ = n_batch_;
    logits_left_ = n_logits_;
    // Those that have begun first, so that few states are held at a time.
    for (const auto& job : jobs_) LFM_RETURN_IF_ERROR(job->prompt_read ? AddReads(*job) : AddPrompt(*job));
    while (tokens_left_ > 0 && logits_left_ >= model_->config().vocab_size && next < asks.size()) {
      LFM_TRY(std::unique_ptr<Job> job, Begin(asks[next], next, results[next]));
      ++next;
      if (!job) continue;
      LFM_RETURN_IF_ERROR(AddPrompt(*job));
      jobs_.push_back(std::move(job));
    }
    if (parts_.empty()) continue;
    LFM_RETURN_IF_ERROR(RunStep(top_k));
    std::erase_if(jobs_, [&](const std::unique_ptr<Job>& job) { return Finish(*job, results[job->place]); });
  }
  return results;
}

// Whether a job is at its end; then its result is there.
bool BulkScorer::Finish(const Job& job, Scores& result) {
  if (!job.failed && !(job.prompt_read && job.reads.empty())) return false;
  result.n_tokens = job.n_tokens;
  if (job.failed) {
    result.status = Error{ErrorCode::kCorrupt, "the model computed a number that is not finite: its weights are damaged"};
    return true;
  }
  result.probabilities = job.scores.Probabilities();
  result.label_mass = job.scores.label_mass();
  return true;
}

Status BulkScorer::RunStep(int64_t top_k) {
  std::vector<model::StepItem> items;
  int64_t n_rows = 0;
  for (Part& part : parts_) {
    Job& job = *part.job;
    part.first_row = n_rows;
    job.n_tokens += part.n_tokens;
    if (part.branch) {
      const auto logits = part.read.all_rows ? model::Logits::kAll : model::Logits::kLast;
      n_rows += part.read.all_rows ? part.n_tokens : 1;
      items.push_back({part.branch.get(), part.read.tokens, logits, part.read.ids});
      continue;
    }
    const auto at = static_cast<size_t>(job.sequence.n_tokens()), n = static_cast<size_t>(part.n_tokens);
    const bool ends = at + n == job.ids.size();
    n_rows += ends ? 1 : 0;
    items.push_back({&job.sequence, std::span(job.ids).subspan(at, n), ends ? model::Logits::kLast : model::Logits::kNone});
  }
  const Threads::Step awake(threads_);
  LFM_RETURN_IF_ERROR(stepper_->Step(items));
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (!stepper_->ItemStatus(i).ok()) parts_[i].job->failed = true;
  }
  TakeRows();
  for (Part& part : parts_) {
    Job& job = *part.job;
    if (part.branch || static_cast<size_t>(job.sequence.n_tokens()) < job.ids.size()) continue;
    job.prompt_read = true;
    if (top_k == 0 || options_.method == Method::kFull) job.reads = job.prepared.reads;
  }
  if (top_k == 0 || options_.method == Method::kFull) return Ok();
  for (const auto& job : jobs_) Plan(*job, top_k);
  return Ok();
}

// What the rows of the step say, on all threads.
void BulkScorer::TakeRows() {
  std::vector<Row> rows;
  for (const Part& part : parts_) {
    if (!part.branch) {
      if (static_cast<size_t>(part.job->sequence.n_tokens()) == part.job->ids.size())
        rows.push_back({part.job, 0, part.first_row});
      continue;
    }
    for (const int32_t node : part.read.nodes) {
      const int64_t depth = part.job->prepared.question->trie[node].depth;
      rows.push_back({part.job, node, part.first_row + (part.read.all_rows ? depth - 1 : 0), part.read.ids});
    }
  }
  threads_.For(static_cast<int64_t>(rows.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = rows[static_cast<size_t>(i)];
      row.job->scores.Accept(row.node, stepper_->logits(row.row), row.ids);
    }
  });
}

// The next nodes of a job that has none under way: those that could still hold one of the first labels.
void BulkScorer::Plan(Job& job, int64_t top_k) const {
  if (!job.prompt_read || job.failed || !job.reads.empty()) return;
  const LabelTrie& trie = job.prepared.question->trie;
  for (const int32_t node : job.scores.Next(top_k)) {
    job.reads.push_back(ReadOf(trie, options_.method, node));
  }
}

}  // namespace lfm::classify
