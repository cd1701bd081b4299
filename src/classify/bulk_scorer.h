// Many texts under a few questions through the model: prompts and the nodes of their tries share steps.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "classify/question.h"
#include "engine/loaded_model.h"
#include "model/sequence.h"
#include "model/stepper.h"

namespace lfm::classify {

struct Ask {
  size_t question = 0;
  const std::string* text = nullptr;
};

// Not thread-safe.
class BulkScorer {
 public:
  static Result<std::unique_ptr<BulkScorer>> Create(std::shared_ptr<engine::LoadedModel> model, Threads& threads,
                                                    std::span<const Question> questions, const ClassifierOptions& options);

  // In the order of the asks; the labels of Scores are the answers of its question. top_k as in ClassifierOptions.
  Result<std::vector<Scores>> Run(std::span<const Ask> asks, int64_t top_k, const std::atomic<bool>* cancel);
  int64_t n_prefix_tokens() const { return n_prefix_tokens_; }

 private:
  // A question with the state behind what its prompts share.
  struct Prepared {
    const Question* question;
    std::vector<TrieRead> reads;  // of all nodes
    model::Sequence certain, prefix;
  };
  // A text in work: its prompt is read, then the nodes of its trie.
  struct Job {
    Job(const Prepared& owner, model::Sequence start, Method method)
        : prepared(owner), sequence(std::move(start)), scores(owner.question->trie, method) {}
    const Prepared& prepared;
    size_t place = 0;  // of the ask
    std::vector<int32_t> ids;
    model::Sequence sequence;
    TrieScores scores;
    std::vector<TrieRead> reads;  // still to be done
    bool prompt_read = false, failed = false;
    int64_t n_tokens = 0;
  };
  // A part of a step: some of a job's prompt, or one of its reads in a sequence of its own.
  struct Part {
    Job* job;
    TrieRead read;  // no tokens: the prompt
    std::unique_ptr<model::Sequence> branch;
    int64_t n_tokens;
    int64_t first_row = 0;
  };
  struct Row {
    Job* job;
    int32_t node;
    int64_t row;
    std::span<const int32_t> ids = {};  // of the row; empty: all
  };

  BulkScorer(std::shared_ptr<engine::LoadedModel> model, Threads& threads, const ClassifierOptions& options, int64_t n_ctx);
  Status Prepare(const Question& question);
  Status Read(model::Sequence& sequence, std::span<const int32_t> ids);
  Result<std::unique_ptr<Job>> Begin(const Ask& ask, size_t place, Scores& refused);
  Status AddPrompt(Job& job);
  Status AddReads(Job& job);
  Status RunStep(int64_t top_k);
  static bool Finish(const Job& job, Scores& result);
  void TakeRows();
  void Plan(Job& job, int64_t top_k) const;

  const std::shared_ptr<engine::LoadedModel> model_;
  Threads& threads_;
  const ClassifierOptions options_;
  const int64_t n_ctx_;
  int64_t n_batch_ = 0, n_logits_ = 0;
  std::unique_ptr<model::Stepper> stepper_;
  std::list<Prepared> prepared_;  // in the order of the questions
  std::vector<const Prepared*> by_place_;
  int64_t n_prefix_tokens_ = 0;

  // Of the step that is being put together.
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<Part> parts_;
  int64_t tokens_left_ = 0, logits_left_ = 0;
};

}  // namespace lfm::classify
