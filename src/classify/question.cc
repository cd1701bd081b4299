#include "classify/question.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"
#include "engine/chat_prompt.h"

namespace lfm::classify {
namespace {

// What stands for the text while the parts around it are looked for; nothing that a template or a label would hold.
constexpr std::string_view kMarker = "qx7Ztext0place3marker9Vw";

// Texts that a template could treat in its own way: trimming, escaping, cutting at thinking marks or special tokens.
constexpr std::array<std::string_view, 8> kProbes = {"a",
                                                     "The",
                                                     "  two  spaces \n",
                                                     "\n\n7",
                                                     "<|im_end|>\n<|im_start|>user\n",
                                                     "\"quoted\" & <b>'bold'</b>",
                                                     "<think>x</think> y",
                                                     "[1] {{ name }}"};

std::string LabelLine(const Label& label) {
  std::string line = StrCat("- ", label.name);
  if (!label.description.empty()) line += StrCat(": ", label.description);
  for (size_t i = 0; i < label.examples.size(); ++i) {
    line += StrCat(i == 0 ? "; for example " : ", ", JsonQuote(label.examples[i]));
  }
  return line;
}

engine::ChatRequest RequestOf(const std::string& system, std::string_view text) {
  engine::ChatRequest request;
  Json messages = Json::MakeArray();
  if (!system.empty()) messages.Append(Json::MakeObject({{"role", "system"}, {"content", system}}));
  messages.Append(Json::MakeObject({{"role", "user"}, {"content", text}}));
  request.messages = std::move(messages);
  return request;
}

size_t CommonLength(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<size_t>(end - a.begin());
}

// The end of the last special token that lies within text[0, limit): how many tokens, and how many bytes they are.
std::pair<size_t, size_t> LastSpecial(const text::Tokenizer& tokenizer, std::span<const int32_t> ids, size_t limit) {
  std::pair<size_t, size_t> last = {0, 0};
  size_t n_bytes = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    n_bytes += tokenizer.Bytes(ids[i]).size();
    if (n_bytes > limit) break;
    if (tokenizer.IsSpecial(ids[i])) last = {i + 1, n_bytes};
  }
  return last;
}

}  // namespace

const char* const kDefaultInstructions = "Answer with the one label that fits the message.\nLabels:";

std::string SystemText(const LabelSet& labels, std::span<const size_t> places) {
  std::string lines;
  for (const size_t place : places) {
    if (!lines.empty()) lines += '\n';
    lines += LabelLine(labels[place]);
  }
  std::string system = labels.instructions().empty() ? kDefaultInstructions : labels.instructions();
  constexpr std::string_view kPlace = "{labels}";
  if (const size_t at = system.find(kPlace); at != std::string::npos) return system.replace(at, kPlace.size(), lines);
  return StrCat(system, "\n", lines);
}

std::string YesNoText(const LabelSet& labels, size_t place, bool reversed) {
  std::string instructions = labels.instructions();
  if (instructions.empty()) instructions = "Does this label fit the message? Answer yes or no.\nLabel:";
  Label label = labels[place];
  constexpr std::string_view kAnswers = "yes or no";
  if (reversed) {
    std::reverse(label.examples.begin(), label.examples.end());
    if (const size_t at = instructions.find(kAnswers); at != std::string::npos) {
      instructions.replace(at, kAnswers.size(), "no or yes");
    }
  }
  return StrCat(instructions, "\n", LabelLine(label));
}

Status CheckIsText(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "the text holds a NUL (U+0000), which no text has; leave it out"};
  }
  if (ToValidUtf8(text) == text) return Ok();
  return Error{ErrorCode::kInvalidArgument,
               "the text holds bytes that are no UTF-8; convert it (of Latin-1: iconv -f LATIN1 -t UTF-8)"};
}

Result<PromptEncoder> PromptEncoder::Create(const engine::TextModel& model, std::string system) {
  // A model without a template gets a plain prompt; one whose template cannot be used must not.
  if (!model.chat.ok() && model.chat.error().code != ErrorCode::kNotFound) return model.chat.error();
  PromptEncoder encoder;
  encoder.model_ = &model;
  encoder.system_ = std::move(system);
  LFM_RETURN_IF_ERROR(encoder.FindParts());
  // What the probes share; those that begin like a word, for others may merge with what stands before them.
  LFM_TRY(encoder.prefix_, encoder.Encode(kProbes[0]));
  LFM_TRY(const std::vector<int32_t> other, encoder.Encode(kProbes[1]));
  const size_t n_common = CommonLength(encoder.prefix_, other);
  if (encoder.by_parts_ && n_common < encoder.n_certain_) return Error{ErrorCode::kInternal, "the prompt's parts disagree"};
  encoder.prefix_.resize(n_common);
  return encoder;
}

Status PromptEncoder::FindParts() {
  const text::Tokenizer& tokenizer = model_->tokenizer;
  LFM_TRY(const std::string text, TextWhole(kMarker));
  LFM_TRY(const std::vector<int32_t> ids, EncodeWhole(kMarker));
  // The last special token of all begins the context of an answer.
  const std::string decoded = tokenizer.Decode(ids);
  const auto [n_all, answer_begin] = LastSpecial(tokenizer, ids, decoded.size());
  answer_context_ = decoded.substr(answer_begin);
  if (!model_->chat.ok()) answer_context_ = answer_context_.substr(answer_context_.rfind('\n'));  // the line "Label:"
  const size_t at = decoded.find(kMarker);
  if (at == std::string::npos || decoded.find(kMarker, at + 1) != std::string::npos || !decoded.ends_with(text)) return Ok();
  const auto [n_certain, n_bytes] = LastSpecial(tokenizer, ids, at);
  before_ = decoded.substr(n_bytes, at - n_bytes);
  after_ = decoded.substr(at + kMarker.size());
  prefix_.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n_certain));
  n_certain_ = n_certain;
  for (const std::string_view probe : kProbes) {
    LFM_TRY(const std::vector<int32_t> whole, EncodeWhole(probe));
    if (whole == EncodeParts(probe)) continue;
    n_certain_ = 0;
    return Ok();
  }
  by_parts_ = true;
  return Ok();
}

Result<std::string> PromptEncoder::TextWhole(std::string_view text) const {
  if (!model_->chat.ok()) return StrCat(system_, "\n\nMessage: ", text, "\nLabel:");
  return engine::RenderPrompt(*model_, RequestOf(system_, text));
}

Result<std::vector<int32_t>> PromptEncoder::EncodeWhole(std::string_view text) const {
  if (!model_->chat.ok()) {
    LFM_TRY(const std::string whole, TextWhole(text));
    return model_->tokenizer.Encode(whole, true, false);
  }
  LFM_TRY(engine::ChatPrompt prompt, engine::PromptIds(*model_, RequestOf(system_, text)));
  return std::move(prompt.ids);
}

std::vector<int32_t> PromptEncoder::EncodeParts(std::string_view text) const {
  const text::ParseSpan span{before_.size(), before_.size() + text.size(), text::ParseSpecial::kNone};
  std::vector<int32_t> ids(prefix_.begin(), prefix_.begin() + static_cast<std::ptrdiff_t>(n_certain_));
  const std::vector<int32_t> rest = model_->tokenizer.EncodeMixed(StrCat(before_, text, after_), {&span, 1});
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

Result<std::vector<int32_t>> PromptEncoder::Encode(std::string_view text) const {
  if (by_parts_) return EncodeParts(text);
  return EncodeWhole(text);
}

Result<std::string> PromptEncoder::Text(std::string_view text) const { return TextWhole(text); }

Result<std::vector<int32_t>> PromptEncoder::EncodeAnswer(std::string_view answer) const {
  const text::Tokenizer& tokenizer = model_->tokenizer;
  if (!tokenizer.eos()) {
    return Error{ErrorCode::kUnsupported,
                 "the model's tokenizer has no token that ends an answer, so labels cannot be told apart"};
  }
  // In the context of the prompt's end, where the answer's first word may be cut in another way than alone.
  const std::vector<int32_t> context = tokenizer.Encode(answer_context_, false, false);
  const std::string spaced = StrCat(model_->chat.ok() ? "" : " ", answer);
  std::vector<int32_t> ids = tokenizer.Encode(StrCat(answer_context_, spaced), false, false);
  if (CommonLength(context, ids) == context.size()) {
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(context.size()));
  } else {
    ids = tokenizer.Encode(spaced, false, false);
  }
  ids.push_back(*tokenizer.eos());
  return ids;
}

Result<Question> Question::Create(const engine::TextModel& model, std::string system, const std::vector<std::string>& answers) {
  Question question;
  LFM_TRY(question.prompt, PromptEncoder::Create(model, std::move(system)));
  for (const std::string& answer : answers) {
    LFM_TRY(std::vector<int32_t> ids, question.prompt.EncodeAnswer(answer));
    question.answer_ids.push_back(std::move(ids));
  }
  LFM_TRY(question.trie, LabelTrie::Create(question.answer_ids));
  return question;
}

}  // namespace lfm::classify
