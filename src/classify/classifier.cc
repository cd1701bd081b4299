#include "classify/classifier.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/strings.h"
#include "classify/bulk_scorer.h"
#include "engine/random.h"

namespace lfm::classify {
namespace {

constexpr int kMostYesNoOrders = 2;

// `places` in a seeded order; round 0 leaves them as they are.
std::vector<size_t> Shuffled(std::vector<size_t> places, uint64_t seed, int round) {
  if (round == 0) return places;
  for (size_t i = places.size(); i > 1; --i) {
    const double draw = engine::UniformDraw(seed + static_cast<uint64_t>(round), i);
    std::swap(places[i - 1], places[static_cast<size_t>(draw * static_cast<double>(i))]);
  }
  return places;
}

std::vector<std::string> NamesOf(const LabelSet& labels, std::span<const size_t> places) {
  std::vector<std::string> names;
  for (const size_t place : places) names.push_back(labels[place].name);
  return names;
}

// Labels that are asked for together: all siblings, or with multi_label one.
struct Group {
  size_t parent;               // place of the label above, or size()
  std::vector<size_t> places;  // of the labels, in the order of the answers
  size_t first_question;       // of as many as there are permutations
};

Status CheckClassifierOptions(const LabelSet& labels, const ClassifierOptions& options) {
  const auto refuse = [](std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; };
  if (options.permutations < 1 || options.permutations > kMostPermutations) {
    return refuse(StrCat("permutations is ", options.permutations, "; it must be 1 to ", kMostPermutations));
  }
  if (options.top_k < 0) return refuse(StrCat("top_k is ", options.top_k, "; it must be 0 (all) or more"));
  if (options.n_batch < 1) return refuse(StrCat("the batch is ", options.n_batch, "; it must be 1 token or more"));
  if (options.multi_label && (!labels.is_flat() || !options.system.empty())) {
    return refuse("a yes/no question for each label goes with no parents and no system prompt of your own");
  }
  if (options.multi_label && options.permutations > kMostYesNoOrders) {
    return refuse(StrCat("permutations is ", options.permutations, "; a yes/no question has ", kMostYesNoOrders, " orders"));
  }
  if (!options.system.empty() && (!labels.is_flat() || options.permutations > 1)) {
    return refuse("a system prompt of your own goes with no parents among the labels and no permutations");
  }
  return Ok();
}

// A label as a decision; the margin is to its likeliest sibling.
Decision AmongSiblings(const LabelSet& labels, std::span<const double> probabilities, size_t at) {
  double second = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i != at && labels.ParentOf(i) == labels.ParentOf(at)) second = std::max(second, probabilities[i]);
  }
  return {at, probabilities[at], probabilities[at] - second};
}

class BulkClassifier : public Classifier {
 public:
  BulkClassifier(std::shared_ptr<engine::LoadedModel> model, LabelSet labels, const ClassifierOptions& options)
      : model_(std::move(model)), labels_(std::move(labels)), options_(options) {}

  Status Prepare(Threads& threads) {
    if (options_.multi_label) {
      for (size_t i = 0; i < labels_.size(); ++i) {
        groups_.push_back({labels_.size(), {i}, questions_.size()});
        const std::string text = YesNoText(labels_, i, false);
        LFM_RETURN_IF_ERROR(AddQuestion(text, {"yes", "no"}));
        if (options_.permutations == 1) continue;
        const std::string reversed = YesNoText(labels_, i, true);
        if (reversed == text) {
          return Error{ErrorCode::kInvalidArgument, StrCat("label ", Quote(labels_[i].name),
                                                           " has one order alone: the instructions do not say \"yes or no\"")};
        }
        LFM_RETURN_IF_ERROR(AddQuestion(reversed, {"yes", "no"}));
      }
    } else {
      group_of_.assign(labels_.size() + 1, kNone);
      for (size_t above = 0; above <= labels_.size(); ++above) {
        std::vector<size_t> places = labels_.ChildrenOf(above);
        if (places.empty()) continue;
        group_of_[above] = groups_.size();
        groups_.push_back({above, places, questions_.size()});
        for (int k = 0; k < options_.permutations; ++k) {
          const std::string system = SystemText(labels_, Shuffled(places, options_.seed, k));
          LFM_RETURN_IF_ERROR(AddQuestion(options_.system.empty() ? system : options_.system, NamesOf(labels_, places)));
        }
      }
    }
    LFM_TRY(scorer_, BulkScorer::Create(model_, threads, questions_, options_));
    return Ok();
  }

  const LabelSet& labels() const override { return labels_; }
  const ClassifierOptions& options() const override { return options_; }
  int64_t n_prefix_tokens() const override { return scorer_->n_prefix_tokens(); }

  Result<std::vector<Scores>> Score(std::span<const std::string> texts, const std::atomic<bool>* cancel) override {
    if (options_.multi_label) return ScoreEach(texts, cancel);
    std::vector<Scores> results(texts.size());
    for (Scores& scores : results) scores.probabilities.assign(labels_.size(), kNotComputed);
    // Level by level: who goes down into which group depends on what came of the one above.
    std::vector<Descent> wanted;
    for (size_t i = 0; i < texts.size(); ++i) wanted.push_back({i, group_of_[labels_.size()]});
    while (!wanted.empty()) {
      LFM_RETURN_IF_ERROR(AskGroups(texts, wanted, cancel, results));
      wanted = NextGroups(wanted, results);
    }
    return results;
  }

  Result<PromptTrace> Trace(const std::string& text) const override {
    const Question& question = questions_[groups_[FirstGroup()].first_question];
    PromptTrace trace;
    LFM_TRY(trace.prompt_ids, question.prompt.Encode(text));
    trace.label_ids = question.answer_ids;
    return trace;
  }

  Result<std::string> PromptText(const std::string& text) const override {
    return questions_[groups_[FirstGroup()].first_question].prompt.Text(text);
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Descent {
    size_t text, group;
  };

  size_t FirstGroup() const { return options_.multi_label ? 0 : group_of_[labels_.size()]; }

  Status AddQuestion(std::string system, const std::vector<std::string>& answers) {
    LFM_TRY(Question question, Question::Create(model_->text(), std::move(system), answers));
    questions_.push_back(std::move(question));
    return Ok();
  }

  // Exactness of the first labels alone spares work only where one question gives the answer.
  int64_t TopK() const { return labels_.is_flat() && options_.permutations == 1 ? options_.top_k : 0; }

  Status AskGroups(std::span<const std::string> texts, const std::vector<Descent>& wanted, const std::atomic<bool>* cancel,
                   std::vector<Scores>& results) {
    const auto n_rounds = static_cast<size_t>(options_.permutations);
    std::vector<Ask> asks;
    for (const Descent& descent : wanted) {
      for (size_t k = 0; k < n_rounds; ++k) asks.push_back({groups_[descent.group].first_question + k, &texts[descent.text]});
    }
    LFM_TRY(const std::vector<Scores> answers, scorer_->Run(asks, TopK(), cancel));
    for (size_t i = 0; i < wanted.size(); ++i) {
      const Group& group = groups_[wanted[i].group];
      Scores& result = results[wanted[i].text];
      TakeGroup(group, std::span(answers).subspan(i * n_rounds, n_rounds), result);
    }
    return Ok();
  }

  // The mean over the orders of the labels, below what is known of the label above.
  void TakeGroup(const Group& group, std::span<const Scores> answers, Scores& result) const {
    std::vector<double> mean(group.places.size());
    double mass = 0;
    const auto n = static_cast<double>(answers.size());
    for (const Scores& answer : answers) {
      result.n_tokens += answer.n_tokens;
      if (!answer.status.ok() && result.status.ok()) result.status = answer.status;
      if (!answer.status.ok()) continue;
      for (size_t j = 0; j < mean.size(); ++j) {
        const double p = answer.probabilities[j];
        mean[j] = p == kNotComputed || mean[j] == kNotComputed ? kNotComputed : mean[j] + p / n;
      }
      mass += answer.label_mass / n;
    }
    if (!result.status.ok()) {
      result.probabilities.clear();
      return;
    }
    const bool at_top = group.parent == labels_.size();
    if (at_top) result.label_mass = mass;
    const double above = at_top ? 1 : result.probabilities[group.parent];
    for (size_t j = 0; j < mean.size(); ++j) {
      result.probabilities[group.places[j]] = mean[j] == kNotComputed ? kNotComputed : mean[j] * above;
    }
  }

  // The groups right below those that were asked; with top_k for each text the likeliest one that was not, while it can
  // still hold one of the first leaves.
  std::vector<Descent> NextGroups(const std::vector<Descent>& asked, const std::vector<Scores>& results) const {
    std::vector<Descent> next;
    for (const Descent& descent : asked) {
      const Scores& scores = results[descent.text];
      if (!scores.status.ok()) continue;
      if (options_.top_k > 0) {
        const size_t place = LikeliestOpen(scores.probabilities);
        if (place < labels_.size()) next.push_back({descent.text, group_of_[place]});
        continue;
      }
      for (const size_t place : groups_[descent.group].places) {
        if (group_of_[place] != kNone) next.push_back({descent.text, group_of_[place]});
      }
    }
    return next;
  }

  // The likeliest label whose group was not asked; size() where there is none, or none that is as likely as the top_k-th leaf.
  size_t LikeliestOpen(std::span<const double> probabilities) const {
    size_t open = labels_.size();
    std::vector<double> leaves;
    for (size_t i = 0; i < labels_.size(); ++i) {
      const double p = probabilities[i];
      if (p == kNotComputed) continue;
      if (group_of_[i] == kNone) {
        leaves.push_back(p);
      } else if (probabilities[groups_[group_of_[i]].places[0]] == kNotComputed &&
                 (open == labels_.size() || p > probabilities[open])) {
        open = i;
      }
    }
    const auto k = static_cast<size_t>(options_.top_k);
    if (open == labels_.size() || leaves.size() < k) return open;
    std::nth_element(leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(k) - 1, leaves.end(), std::greater<>());
    return probabilities[open] < leaves[k - 1] ? labels_.size() : open;
  }

  Result<std::vector<Scores>> ScoreEach(std::span<const std::string> texts, const std::atomic<bool>* cancel) {
    std::vector<Ask> asks;
    for (const std::string& text : texts) {
      for (size_t question = 0; question < questions_.size(); ++question) asks.push_back({question, &text});
    }
    LFM_TRY(const std::vector<Scores> answers, scorer_->Run(asks, 0, cancel));
    const auto n_orders = static_cast<size_t>(options_.permutations);
    std::vector<Scores> results(texts.size());
    for (size_t i = 0; i < answers.size(); ++i) {
      Scores& result = results[i / questions_.size()];
      const Scores& answer = answers[i];
      result.n_tokens += answer.n_tokens;
      if (!answer.status.ok() && result.status.ok()) result.status = answer.status;
      if (!result.status.ok()) continue;
      if (i % n_orders == 0) result.probabilities.push_back(0);
      result.probabilities.back() += answer.probabilities[0] / static_cast<double>(n_orders);
      result.label_mass += answer.label_mass / static_cast<double>(questions_.size());
    }
    for (Scores& result : results) {
      if (!result.status.ok()) result.probabilities.clear();
    }
    return results;
  }

  const std::shared_ptr<engine::LoadedModel> model_;
  const LabelSet labels_;
  const ClassifierOptions options_;
  std::vector<Group> groups_;
  std::vector<size_t> group_of_;  // below each label, and at the end that of the top; kNone
  std::vector<Question> questions_;
  std::unique_ptr<BulkScorer> scorer_;
};

}  // namespace

Decision Decide(std::span<const double> probabilities) {
  Decision decision;
  if (probabilities.empty()) return decision;
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  decision.label = static_cast<size_t>(best - probabilities.begin());
  decision.confidence = *best;
  double second = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (i != decision.label) second = std::max(second, probabilities[i]);
  }
  decision.margin = decision.confidence - second;
  return decision;
}

Decision Decide(const LabelSet& labels, std::span<const double> probabilities, double until_confidence) {
  if (labels.is_flat()) return Decide(probabilities);
  std::vector<uint8_t> is_parent(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels.ParentOf(i) < labels.size()) is_parent[labels.ParentOf(i)] = 1;
  }
  std::vector<double> leaves(probabilities.begin(), probabilities.end());
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (is_parent[i]) leaves[i] = kNotComputed;
  }
  const Decision decision = Decide(leaves);
  if (until_confidence <= 0) return decision;
  size_t at = decision.label;
  while (probabilities[at] < until_confidence && labels.ParentOf(at) < labels.size()) at = labels.ParentOf(at);
  return AmongSiblings(labels, probabilities, at);
}

Decision Decide(const LabelSet& labels, std::span<const double> probabilities, std::span<const double> of_levels, bool& is_sure) {
  const size_t leaf = Decide(labels, probabilities).label;
  size_t level = 0;
  for (size_t at = labels.ParentOf(leaf); at < labels.size(); at = labels.ParentOf(at)) ++level;
  size_t at = leaf;
  for (; probabilities[at] < of_levels[level] && level > 0; --level) at = labels.ParentOf(at);
  is_sure = probabilities[at] >= of_levels[level];
  return AmongSiblings(labels, probabilities, at);
}

Result<std::unique_ptr<Classifier>> Classifier::Create(std::shared_ptr<engine::LoadedModel> model, Threads& threads,
                                                       LabelSet labels, const ClassifierOptions& options) {
  LFM_RETURN_IF_ERROR(model->text_status());
  LFM_RETURN_IF_ERROR(CheckClassifierOptions(labels, options));
  const auto& chat = model->text().chat;
  if (!chat.ok() && chat.error().code != ErrorCode::kNotFound) return chat.error().Within(model->path());
  auto classifier = std::make_unique<BulkClassifier>(std::move(model), std::move(labels), options);
  LFM_RETURN_IF_ERROR(classifier->Prepare(threads));
  return std::unique_ptr<Classifier>(std::move(classifier));
}

std::span<const std::string> ContentFreeTexts() {
  static const std::array<std::string, 3> kTexts = {"N/A", "", "[MASK]"};
  return kTexts;
}

}  // namespace lfm::classify
