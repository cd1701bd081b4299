// /v1/classify, and the scoring shapes of SGLang and vLLM: what their bodies hold, and what is asked of the engine for it.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/json.h"
#include "classify/question.h"
#include "server/api_result.h"
#include "server/schema.h"
#include "server/scoring.h"
#include "server/served_model.h"

namespace lfm::server {

// Labels with the prompt and the trie that were made of them.
struct LabelQuestion {
  classify::LabelSet labels;
  classify::Question question;
  std::string id;  // "ls_" and a hash of labels and instructions
};

// The label sets of late, so that one that was seen before can be named by its id. A caller sees his own only. Thread-safe;
// the least recently used go first.
class LabelSets {
 public:
  std::shared_ptr<const LabelQuestion> Find(const std::string& caller, const std::string& id);
  void Add(const std::string& caller, std::shared_ptr<const LabelQuestion> question);

 private:
  static constexpr size_t kMaxSets = 64;
  using Entry = std::pair<std::string, std::shared_ptr<const LabelQuestion>>;  // by caller and id

  std::mutex mutex_;
  std::list<Entry> entries_;  // the most recently used first
};

const Schema& ClassifySchema();
const Schema& ScoreSchema();
ApiResult<ScoringWork> TranslateClassify(const Json& body, const HttpRequest& http, const ServedModel& model, LabelSets& sets);
ApiResult<ScoringWork> TranslateScore(const Json& body, const HttpRequest& http, const ServedModel& model);

}  // namespace lfm::server
