#include "server/classification.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/strings.h"
#include "classify/calibration.h"
#include "classify/fingerprint.h"
#include "classify/trie.h"
#include "server/answer.h"
#include "server/parameters.h"
#include "server/translation.h"

namespace lfm::server {
namespace {

using classify::LabelSet;
using classify::LabelTrie;
using classify::Method;

constexpr size_t kMaxInputs = 1024;       // texts of one request
constexpr size_t kMaxScoredItems = 1024;  // and items of the scoring shapes
constexpr size_t kMaxLabelTokens = 4096;  // that are scored there
constexpr size_t kMostTokenBytes = 128;   // of a token, more or less

std::string HexOf(uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

ApiResult<std::shared_ptr<const LabelQuestion>> MakeLabelQuestion(const Json& body, const ServedModel& model) {
  const Json wrapped = Json::MakeObject({{"labels", body["labels"]}, {"instructions", body["instructions"].AsString()}});
  auto labels = LabelSet::FromJson(wrapped);
  if (!labels.ok()) return BadRequest(StrCat("labels: ", labels.error().message), "labels");
  if (!labels->is_flat()) return BadRequest("labels with parents are for lfm classify", "labels", "unsupported_value");
  size_t n_bytes = 0;
  for (const classify::Label& label : labels->labels()) {
    n_bytes += label.name.size() + label.description.size();
    for (const std::string& example : label.examples) n_bytes += example.size();
  }
  if (n_bytes / kMostTokenBytes > static_cast<size_t>(model.n_ctx)) {  // before any work on them
    return BadRequest(StrCat("labels: ", n_bytes, " bytes of labels exceed the context of ", model.n_ctx, " tokens"), "labels",
                      "context_length_exceeded");
  }
  std::vector<size_t> places(labels->size());
  std::iota(places.begin(), places.end(), size_t{0});
  std::vector<std::string> names;
  for (const classify::Label& label : labels->labels()) names.push_back(label.name);
  auto question = classify::Question::Create(*model.text, classify::SystemText(*labels, places), names);
  if (!question.ok()) return BadRequest(StrCat("labels: ", question.error().message), "labels");
  const auto n = static_cast<int64_t>(question->prompt.prefix().size()) + question->trie.max_depth();
  if (n > model.n_ctx) return ContextExceeded(n, model.n_ctx, "labels");
  std::string id = StrCat("ls_", HexOf(labels->Hash()));
  return std::make_shared<const LabelQuestion>(LabelQuestion{std::move(*labels), std::move(*question), std::move(id)});
}

ApiResult<std::shared_ptr<const LabelQuestion>> QuestionOf(const Json& body, const HttpRequest& http, const ServedModel& model,
                                                           LabelSets& sets) {
  const std::string caller = http.caller ? http.caller->id : "";
  if (!body["label_set"].is_null()) {
    const std::string& id = body["label_set"].AsString();
    auto found = sets.Find(caller, id);
    if (found) return found;
    return ApiError{404, StrCat("There is no label set ", Quote(id), " (any more); send its labels"), "label_set", "not_found"};
  }
  LFM_TRY(auto made, MakeLabelQuestion(body, model));
  // One that was asked before keeps its place; making it again costs less than a step.
  if (auto known = sets.Find(caller, made->id)) return known;
  sets.Add(caller, made);
  return made;
}

// What is known of a text's labels, and the points that are asked for to know it: of all nodes at once, or, where the first
// labels are enough, of those that could still hold one of them.
class TrieSearch {
 public:
  // top_k 0: all labels.
  TrieSearch(std::shared_ptr<const LabelQuestion> asked, Method method, int64_t top_k)
      : asked_(std::move(asked)), scores_(asked_->question.trie, method), method_(method), top_k_(top_k) {}

  std::vector<engine::ScorePoint> First() {
    std::vector<int32_t> nodes = {0};
    if (top_k_ == 0) {
      for (const classify::TrieRead& read : classify::AllReads(asked_->question.trie, method_)) {
        nodes.insert(nodes.end(), read.nodes.begin(), read.nodes.end());
      }
    }
    return PointsOf(nodes);
  }

  // Takes the scores of a point; gives those that are wanted next.
  std::vector<engine::ScorePoint> Take(const engine::Event& event) {
    scores_.Accept(nodes_[static_cast<size_t>(event.first)], event.logits, event.log_normalizer);
    n_open_ -= 1;
    if (top_k_ == 0 || n_open_ > 0) return {};
    return PointsOf(scores_.Next(top_k_));
  }

  const classify::TrieScores& scores() const { return scores_; }

 private:
  std::vector<engine::ScorePoint> PointsOf(const std::vector<int32_t>& nodes) {
    const LabelTrie& trie = asked_->question.trie;
    std::vector<engine::ScorePoint> points;
    for (const int32_t node : nodes) {
      // The sum over all tokens is the label mass at the root, and of the full likelihood everywhere.
      points.push_back({trie.PathTo(node), trie[node].child_tokens, node == 0 || method_ == Method::kFull});
    }
    nodes_.insert(nodes_.end(), nodes.begin(), nodes.end());
    n_open_ += nodes.size();
    return points;
  }

  const std::shared_ptr<const LabelQuestion> asked_;
  classify::TrieScores scores_;
  const Method method_;
  const int64_t top_k_;
  std::vector<int32_t> nodes_;  // of the points
  size_t n_open_ = 0;           // points without scores
};

// A calibration as lfm classify fit wrote it, where the body holds one: for this model, these labels and this method alone.
ApiResult<std::optional<classify::Calibration>> CalibrationOf(const Json& body, const ServedModel& model,
                                                              const LabelQuestion& asked, Method method) {
  if (body["calibration"].is_null()) return std::optional<classify::Calibration>();
  classify::ClassifierOptions options;
  options.method = method;
  const auto prompt = asked.question.prompt.Text("");
  if (!prompt.ok()) return FromEngine(prompt.error());
  std::vector<std::string> names;
  for (const classify::Label& label : asked.labels.labels()) names.push_back(label.name);
  const classify::Fingerprint here{model.weights_key, classify::PromptFingerprint(asked.labels, options, *prompt)};
  auto read = classify::ReadCalibration(body["calibration"].Dump(), here, names);
  if (!read.ok()) return BadRequest(StrCat("calibration: ", read.error().message), "calibration");
  return std::optional<classify::Calibration>(std::move(*read));
}

Json ScoredJson(const LabelQuestion& asked, const classify::TrieScores& scores,
                const std::optional<classify::Calibration>& calibration, size_t index, int64_t top_k) {
  std::vector<double> probabilities = scores.Probabilities();
  if (calibration) calibration->Apply(probabilities);
  const classify::Decision decision = classify::Decide(probabilities);
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  if (top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(top_k)));
  Json list = Json::MakeArray();
  for (const size_t i : order) {
    list.Append(Json::MakeObject({{"label", asked.labels[i].name}, {"probability", probabilities[i]}}));
  }
  return Json::MakeObject({{"index", static_cast<int64_t>(index)},
                           {"label", asked.labels[decision.label].name},
                           {"confidence", decision.confidence},
                           {"margin", decision.margin},
                           {"label_mass", scores.label_mass()},
                           {"probabilities", std::move(list)}});
}

std::vector<std::string> InputsOf(const Json& input) {
  if (input.is_string()) return {input.AsString()};
  std::vector<std::string> texts;
  for (const Json& text : input.items()) texts.push_back(text.AsString());
  return texts;
}

// Token ids as they are given, or a text's.
ApiResult<std::vector<int32_t>> IdsOf(const Json& value, const ServedModel& model, const std::string& path) {
  if (value.is_string()) return model.text->tokenizer.Encode(value.AsString(), false, true);
  std::vector<int32_t> ids;
  for (const Json& item : value.items()) {
    const int64_t id = item.AsInt(-1);
    if (id < 0 || id >= model.vocab_size) {
      return BadRequest(
          StrCat(path, " holds ", Quote(item.Dump(), 30), ", which is no token id from 0 to ", model.vocab_size - 1), path);
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

// exp of the log probabilities, or with softmax their shares among the tokens asked for.
std::vector<double> ScoresOfPoint(const PointLogits& point, bool softmax) {
  const double minus = softmax ? classify::LogSumExp(point.logits) : point.log_normalizer;
  std::vector<double> scores;
  for (const float logit : point.logits) scores.push_back(std::exp(double{logit} - minus));
  return scores;
}

}  // namespace

std::shared_ptr<const LabelQuestion> LabelSets::Find(const std::string& caller, const std::string& id) {
  const std::string key = caller + '\0' + id;
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.first == key; });
  if (it == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it);
  return it->second;
}

void LabelSets::Add(const std::string& caller, std::shared_ptr<const LabelQuestion> question) {
  const std::lock_guard lock(mutex_);
  std::string key = caller + '\0' + question->id;
  entries_.emplace_front(std::move(key), std::move(question));
  if (entries_.size() > kMaxSets) entries_.pop_back();
}

const Schema& ClassifySchema() {
  static const Schema schema = [] {
    const Schema label = TextSchema(1, classify::kMaxLabelBytes)
                             .Or(ObjectSchema({
                                 Required("name", TextSchema(1, classify::kMaxLabelBytes), "what the label is called"),
                                 Optional("description", TextSchema(0, classify::kMaxDescriptionBytes), "when it fits"),
                                 Optional("examples", ListSchema(TextSchema(), 0, classify::kMaxExamples), "texts that it fits"),
                             }));
    SchemaMembers members = {
        Optional("model", TextSchema(), "an id of /v1/models"),
        Required("input", TextSchema().Or(ListSchema(TextSchema(), 1, kMaxInputs)), "a text, or a list of texts"),
        Optional("labels", ListSchema(label, 1, classify::kMaxLabels), "names, or objects with name, description, examples"),
        Optional("label_set", TextSchema(1, 64), "instead of labels: the label_set of an earlier answer"),
        Optional("instructions", TextSchema(0, classify::kMaxDescriptionBytes), "the sentence above the labels in the prompt"),
        Optional("method", ChoiceSchema({"trie", "full"}), "trie: softmax where labels part; full: likelihood of all tokens"),
        Optional("calibration", ObjectSchema(), "what lfm classify fit wrote for this model, these labels and this method"),
        Optional("top_k", IntegerSchema(1, static_cast<int64_t>(classify::kMaxLabels)),
                 "so many first labels; all where it is not given"),
    };
    Append(members, ServingMembers());
    return ObjectSchema(
        std::move(members),
        {{SchemaRule::Kind::kOne, {"labels", "label_set"}, "give labels, or the label_set that an answer named"}});
  }();
  return schema;
}

const Schema& ScoreSchema() {
  static const Schema schema = [] {
    const Schema ids = ListSchema(TokenIdSchema(), 1);
    SchemaMembers members = {
        Optional("model", TextSchema(), "an id of /v1/models"),
        Required("query", TextSchema().Or(ids), "a text or token ids, the same before each item"),
        Required("items", TextSchema().Or(ListSchema(TextSchema().Or(ids), 1, kMaxScoredItems)), "texts or token ids"),
        Required("label_token_ids", ListSchema(TokenIdSchema(), 1, kMaxLabelTokens), "tokens that are scored behind each prompt"),
        Optional("apply_softmax", BoolSchema(), "true: their shares among each other; else their probabilities"),
        Optional("item_first", BoolSchema(), "true: the item stands before the query"),
    };
    Append(members, ServingMembers());
    return ObjectSchema(std::move(members));
  }();
  return schema;
}

ApiResult<ScoringWork> TranslateClassify(const Json& body, const HttpRequest& http, const ServedModel& model, LabelSets& sets) {
  LFM_RETURN_IF_ERROR(Check(ClassifySchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), false));
  LFM_TRY(const std::shared_ptr<const LabelQuestion> asked, QuestionOf(body, http, model, sets));
  const Method method = body["method"].AsString() == "full" ? Method::kFull : Method::kTrie;
  LFM_TRY(std::optional<classify::Calibration> calibration, CalibrationOf(body, model, *asked, method));
  const LabelTrie& trie = asked->question.trie;
  // Confidence and margin are of the first two; a calibration corrects all.
  const int64_t top_k = body["top_k"].AsInt();
  const int64_t n_exact = top_k > 0 && method == Method::kTrie && !calibration ? std::max<int64_t>(2, top_k) : 0;
  std::vector<std::shared_ptr<TrieSearch>> searches;
  ScoringWork work;
  work.model = AnswerModelName(model, body);
  const std::vector<std::string> texts = InputsOf(body["input"]);
  for (size_t i = 0; i < texts.size(); ++i) {
    engine::Request request;
    const std::string place = StrCat("input[", i, "]");
    if (const Status text = classify::CheckIsText(texts[i]); !text.ok()) {
      return BadRequest(StrCat(place, ": ", text.error().message), place);
    }
    auto ids = asked->question.prompt.Encode(texts[i]);
    if (!ids.ok()) return FromEngine(ids.error());
    request.prompt = std::move(*ids);
    const int64_t n = static_cast<int64_t>(request.prompt.size()) + trie.max_depth();
    if (n > model.n_ctx) return ContextExceeded(n, model.n_ctx, place);
    auto search = std::make_shared<TrieSearch>(asked, method, n_exact);
    request.points = search->First();
    request.more_points = [search](const engine::Event& event) { return search->Take(event); };
    searches.push_back(std::move(search));
    LFM_RETURN_IF_ERROR(ReadServing(body, http, request));
    work.requests.push_back(std::move(request));
  }
  work.document = [asked, method, calibration = std::move(calibration), searches = std::move(searches), name = work.model, top_k](
                      const std::vector<std::vector<PointLogits>>& /*results*/, const Totals& totals) {
    Json data = Json::MakeArray();
    for (size_t i = 0; i < searches.size(); ++i) data.Append(ScoredJson(*asked, searches[i]->scores(), calibration, i, top_k));
    return WithUsage(Json::MakeObject({{"id", RandomId("classify-")},
                                       {"object", "list"},
                                       {"created", UnixTime()},
                                       {"model", name},
                                       {"label_set", asked->id},
                                       {"method", method == Method::kFull ? "full" : "trie"},
                                       {"data", std::move(data)}}),
                     totals);
  };
  return work;
}

ApiResult<ScoringWork> TranslateScore(const Json& body, const HttpRequest& http, const ServedModel& model) {
  LFM_RETURN_IF_ERROR(Check(ScoreSchema(), body));
  LFM_RETURN_IF_ERROR(CheckModelName(model, body.Find("model"), false));
  const bool item_first = body["item_first"].AsBool(), softmax = body["apply_softmax"].AsBool();
  LFM_TRY(const std::vector<int32_t> wanted, IdsOf(body["label_token_ids"], model, "label_token_ids"));
  const Json::Array items = body["items"].is_string() ? Json::Array{body["items"]} : body["items"].items();
  ScoringWork work;
  work.model = AnswerModelName(model, body);
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string path = StrCat("items[", i, "]");
    engine::Request request;
    const Json& first = item_first ? items[i] : body["query"];
    const Json& second = item_first ? body["query"] : items[i];
    if (first.is_string() && second.is_string()) {  // as one text: words may merge where they meet
      request.prompt = model.text->tokenizer.Encode(StrCat(first.AsString(), second.AsString()), true, true);
    } else {
      LFM_TRY(request.prompt, IdsOf(first, model, path));
      LFM_TRY(const std::vector<int32_t> rest, IdsOf(second, model, path));
      request.prompt.insert(request.prompt.end(), rest.begin(), rest.end());
    }
    if (request.prompt.empty()) return BadRequest(StrCat(path, ": the prompt is empty"), path);
    const auto n = static_cast<int64_t>(request.prompt.size());
    if (n > model.n_ctx) return ContextExceeded(n, model.n_ctx, path);
    request.points = {{{}, wanted, !softmax}};
    LFM_RETURN_IF_ERROR(ReadServing(body, http, request));
    work.requests.push_back(std::move(request));
  }
  // SGLang reads "scores"; vLLM "data", whose score is the share of the first label.
  work.document = [softmax, name = work.model](const std::vector<std::vector<PointLogits>>& results, const Totals& totals) {
    Json scores = Json::MakeArray(), data = Json::MakeArray();
    for (size_t i = 0; i < results.size(); ++i) {
      Json row = Json::MakeArray();
      for (const double score : ScoresOfPoint(results[i][0], softmax)) row.Append(score);
      data.Append(Json::MakeObject({{"index", static_cast<int64_t>(i)}, {"object", "score"}, {"score", row.items().front()}}));
      scores.Append(std::move(row));
    }
    return WithUsage(Json::MakeObject({{"id", RandomId("score-")},
                                       {"object", "scoring"},
                                       {"created", UnixTime()},
                                       {"model", name},
                                       {"scores", std::move(scores)},
                                       {"data", std::move(data)}}),
                     totals);
  };
  return work;
}

}  // namespace lfm::server
