// The C ABI of include/lfm/lfm.h: classification.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/json.h"
#include "classify/classifier.h"
#include "engine/c_api_internal.h"

// NOLINTBEGIN(readability-identifier-naming): the names of the C ABI
struct lfm_classifier {
  std::unique_ptr<lfm::Threads> threads;  // outlives the classifier
  std::unique_ptr<lfm::classify::Classifier> classifier;
  std::vector<size_t> order;  // the place of each class among the labels: classes are by rising name
};
// NOLINTEND(readability-identifier-naming)

namespace {

using namespace lfm::c_api;  // NOLINT(google-build-using-namespace): this file is that namespace's purpose
using lfm::Error;
using lfm::ErrorCode;
using lfm::Result;
using lfm::Status;
using lfm::StrCat;
namespace classify = lfm::classify;

Result<classify::LabelSet> LabelsOf(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || (text[begin] != '[' && text[begin] != '{')) return classify::LabelSet::FromList(text);
  LFM_TRY(const lfm::Json json, lfm::ParseJson(text));
  return classify::LabelSet::FromJson(json);
}

Result<classify::ClassifierOptions> OptionsOf(const lfm_classifier_options& given) {
  classify::ClassifierOptions options;
  if (given.method != LFM_CLASSIFY_TRIE && given.method != LFM_CLASSIFY_FULL) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("options.method is ", static_cast<int>(given.method), ", no lfm_classify_method")};
  }
  options.method = given.method == LFM_CLASSIFY_FULL ? classify::Method::kFull : classify::Method::kTrie;
  options.permutations = given.permutations;
  options.seed = given.seed;
  options.multi_label = given.multi_label != 0;
  options.n_ctx = given.n_ctx;
  return options;
}

// One row in the order of the classes; NaN where there is none.
void FillRow(const lfm_classifier& classifier, const classify::Scores& scores, double* row) {
  for (size_t i = 0; i < classifier.order.size(); ++i) {
    row[i] = scores.status.ok() ? scores.probabilities[classifier.order[i]] : std::numeric_limits<double>::quiet_NaN();
  }
}

}  // namespace

extern "C" {

void lfm_classifier_options_init(lfm_classifier_options* options) {
  if (!options) return;
  *options = lfm_classifier_options{sizeof(lfm_classifier_options), 0, LFM_CLASSIFY_TRIE, 1, 0, 0, 0};
}

lfm_status lfm_classifier_create(lfm_model* model, const char* labels, size_t length, const lfm_classifier_options* options,
                                 lfm_classifier** out, lfm_error* error) {
  if (out) *out = nullptr;
  return Guard(error, [&]() -> Status {
    if (!model || !out) return NullPointer(model ? "out" : "model");
    if (!labels) return NullPointer("labels");
    lfm_classifier_options defaults;
    lfm_classifier_options_init(&defaults);
    LFM_TRY(const lfm_classifier_options given, Versioned(options, defaults, "options"));
    LFM_TRY(const classify::ClassifierOptions made_options, OptionsOf(given));
    auto set = LabelsOf(std::string_view(labels, length));
    if (!set.ok()) return set.error().Within("labels");
    LFM_TRY(auto threads, MakeThreads(given.n_threads));
    std::vector<size_t> order(set->size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return (*set)[a].name < (*set)[b].name; });
    LFM_TRY(auto classifier, classify::Classifier::Create(model->loaded, *threads, std::move(*set), made_options));
    *out = new lfm_classifier{std::move(threads), std::move(classifier), std::move(order)};
    return lfm::Ok();
  });
}

void lfm_classifier_free(lfm_classifier* classifier) { delete classifier; }

size_t lfm_classifier_n_classes(const lfm_classifier* classifier) { return classifier ? classifier->order.size() : 0; }

const char* lfm_classifier_class(const lfm_classifier* classifier, size_t i) {
  if (!classifier || i >= classifier->order.size()) return nullptr;
  return classifier->classifier->labels()[classifier->order[i]].name.c_str();
}

lfm_status lfm_classify(lfm_classifier* classifier, const char* const* texts, const size_t* lengths, size_t n_texts,
                        int32_t* classes, double* probabilities, double* label_mass, lfm_error* error) {
  return Guard(error, [&]() -> Status {
    if (!classifier) return NullPointer("classifier");
    if (n_texts > 0 && (!texts || !lengths)) return NullPointer(texts ? "lengths" : "texts");
    std::vector<std::string> copies;
    for (size_t i = 0; i < n_texts; ++i) {
      if (!texts[i]) return NullPointer("a text");
      copies.emplace_back(texts[i], lengths[i]);
    }
    LFM_TRY(const std::vector<classify::Scores> scores, classifier->classifier->Score(copies));
    const size_t n = classifier->order.size();
    std::vector<double> row(n);
    for (size_t i = 0; i < n_texts; ++i) {
      FillRow(*classifier, scores[i], row.data());
      if (probabilities) std::copy(row.begin(), row.end(), probabilities + i * n);
      if (label_mass) label_mass[i] = scores[i].label_mass;
      if (!classes) continue;
      classes[i] = -1;
      if (!scores[i].status.ok()) continue;
      // The likeliest leaf, as a class.
      const classify::Decision decision = classify::Decide(classifier->classifier->labels(), scores[i].probabilities);
      const auto place = std::find(classifier->order.begin(), classifier->order.end(), decision.label);
      classes[i] = static_cast<int32_t>(place - classifier->order.begin());
    }
    return lfm::Ok();
  });
}

}  // extern "C"
