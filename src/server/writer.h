// How an API writes answers: parts of choices in, its documents and streams out. Pure: no clock, no socket, no engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "server/answer.h"
#include "server/pricing.h"

namespace lfm::server {

// What every document of an answer carries.
struct AnswerHead {
  std::string id, model, fingerprint;
  int64_t created = 0;
  Json unenforced = {};  // [{"keyword", "pointer", "message"}]; null where there is nothing
};

// What the whole answer used.
struct Totals {
  int64_t n_prompt = 0, n_cached = 0;  // of all prompts; the cached ones are among them
  int64_t n_completion = 0, n_reasoning = 0;
  bool priced = false;
  Cost cost;
  engine::Timings timings;
};

// One answer's writer; not thread-safe. Streams: Begin, then Write and EndChoice, then End, each appends server-sent
// events to `out`. Documents: Document, after all choices ended.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // `n_prompt`: tokens of all prompts together.
  virtual void Begin(int64_t n_prompt, std::string& out) = 0;
  virtual void Write(int choice, const Answer& answer, const Part& part, std::string& out) = 0;
  // `rest`: figures of tokens that no part took.
  virtual void EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) = 0;
  virtual void End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) = 0;
  virtual std::string Document(std::span<const Answer* const> answers, const Totals& totals) = 0;

  // Log probabilities of a prompt's tokens, where they were asked for (completions' echo).
  virtual void TakePrompt(int prompt, std::vector<TokenFigure> figures);
  // How far the prompt is read, where that was asked for.
  virtual void Progress(int64_t n_total, int64_t n_cached, int64_t n_done, double ms, std::string& out);
};

// One line without spaces, as clients are sent it; appended to `out`, or alone.
void AppendCompact(const Json& json, std::string& out);
std::string Compact(const Json& json);

// The members of `head` that open every document and chunk, up to and with the bracket of its choices.
std::string OpenChoices(const AnswerHead& head, std::string_view object);

// The answer's member "unenforced" into a document, or into the last event of `events`, where there is something to list.
void SetUnenforced(const AnswerHead& head, Json& document);
void SetUnenforced(const AnswerHead& head, std::string& events);
// The same as a member of a document that is written as text: ,"unenforced":[...]
void AppendUnenforced(const AnswerHead& head, std::string& out);

// "data: {...}\n\n"
void AppendEvent(std::string_view data, std::string& out);
// "event: NAME\ndata: {...}\n\n"
void AppendEvent(std::string_view name, std::string_view data, std::string& out);

// {"prompt_tokens": …} with details, and the cost where there are prices; as text, like all that every short answer has:
// built as values first, they took a tenth of a short answer's time.
std::string UsageText(const Totals& totals);
// A document with its usage as the last member.
std::string WithUsage(const Json& document, const Totals& totals);
// The members "cost" and "cost_details", where there are prices.
void SetCost(const Totals& totals, Json& usage);
// llama.cpp's {"prompt_n": …}.
std::string TimingsText(const Totals& totals);

// The fewest digits that read back as the same float.
Json FloatNumber(float value);
// Log probabilities with the fewest digits that read back as the same float; -inf is OpenAI's -9999.
Json LogprobNumber(float logprob);
// {"token", "logprob", "bytes", "top_logprobs"}
Json FigureJson(const TokenFigure& figure);
// {"content": [...], "refusal": null}
Json LogprobsJson(std::span<const TokenFigure> figures);

}  // namespace lfm::server
