#include "server/writer.h"

#include <charconv>
#include <cmath>

#include "base/strings.h"

namespace lfm::server {
namespace {

Json TokenJson(const std::string& bytes, float logprob) {
  Json::Array list;
  list.reserve(bytes.size());
  for (const char c : bytes) list.emplace_back(int{static_cast<unsigned char>(c)});
  return Json::MakeObject(
      {{"token", ToValidUtf8(bytes)}, {"logprob", LogprobNumber(logprob)}, {"bytes", Json::MakeArray(std::move(list))}});
}

}  // namespace

// Depth is bounded by the request's, or by the document's own.
void AppendCompact(const Json& json, std::string& out) {
  switch (json.kind()) {
    case Json::Kind::kArray: {
      out += '[';
      for (const Json& item : json.items()) {
        if (&item != &json.items().front()) out += ',';
        AppendCompact(item, out);
      }
      out += ']';
      break;
    }
    case Json::Kind::kObject: {
      out += '{';
      for (const auto& member : json.members()) {
        if (&member != &json.members().front()) out += ',';
        AppendJsonQuote(member.first, out);
        out += ':';
        AppendCompact(member.second, out);
      }
      out += '}';
      break;
    }
    case Json::Kind::kString: AppendJsonQuote(json.AsString(), out); break;
    case Json::Kind::kBool: out += json.AsBool() ? "true" : "false"; break;
    case Json::Kind::kNull: out += "null"; break;
    default: out += json.NumberText();
  }
}

std::string Compact(const Json& json) {
  std::string out;
  AppendCompact(json, out);
  return out;
}

std::string OpenChoices(const AnswerHead& head, std::string_view object) {
  return StrCat("{\"id\":", JsonQuote(head.id), ",\"object\":\"", object, "\",\"created\":", head.created,
                ",\"model\":", JsonQuote(head.model), ",\"system_fingerprint\":", JsonQuote(head.fingerprint), ",\"choices\":[");
}

void AnswerWriter::TakePrompt(int, std::vector<TokenFigure>) {}
void AnswerWriter::Progress(int64_t, int64_t, int64_t, double, std::string&) {}

void SetUnenforced(const AnswerHead& head, Json& document) {
  if (!head.unenforced.is_null()) document.Set("unenforced", head.unenforced);
}

void SetUnenforced(const AnswerHead& head, std::string& events) {
  if (head.unenforced.is_null() || !events.ends_with("}\n\n")) return;
  events.resize(events.size() - 3);
  AppendUnenforced(head, events);
  events += "}\n\n";
}

void AppendUnenforced(const AnswerHead& head, std::string& out) {
  if (head.unenforced.is_null()) return;
  out += ",\"unenforced\":";
  AppendCompact(head.unenforced, out);
}

void AppendEvent(std::string_view data, std::string& out) {
  out += "data: ";
  out += data;
  out += "\n\n";
}

void AppendEvent(std::string_view name, std::string_view data, std::string& out) {
  out += "event: ";
  out += name;
  out += '\n';
  AppendEvent(data, out);
}

void SetCost(const Totals& totals, Json& usage) {
  if (!totals.priced) return;
  usage.Set("cost", Json::MakeNumber(DollarText(totals.cost.total())));
  usage.Set("cost_details", Json::MakeObject({{"prompt_pico_dollars", totals.cost.prompt},
                                              {"cached_prompt_pico_dollars", totals.cost.cached_prompt},
                                              {"completion_pico_dollars", totals.cost.completion}}));
}

std::string UsageText(const Totals& totals) {
  std::string out = StrCat("{\"prompt_tokens\":", totals.n_prompt, ",\"completion_tokens\":", totals.n_completion,
                           ",\"total_tokens\":", totals.n_prompt + totals.n_completion,
                           ",\"prompt_tokens_details\":{\"cached_tokens\":", totals.n_cached,
                           ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":", totals.n_reasoning,
                           ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}");
  if (!totals.priced) return out += '}';
  Json cost;
  SetCost(totals, cost);
  const size_t brace = out.size();
  AppendCompact(cost, out);
  out[brace] = ',';
  return out;
}

std::string WithUsage(const Json& document, const Totals& totals) {
  std::string out = Compact(document);
  out.pop_back();
  return out += StrCat(",\"usage\":", UsageText(totals), "}");
}

std::string TimingsText(const Totals& totals) {
  const engine::Timings& t = totals.timings;
  const auto per = [](double ms, int64_t n) { return n > 0 ? ms / static_cast<double>(n) : 0.0; };
  const auto text = [](double value) { return Json(value).NumberText(); };
  return StrCat("{\"cache_n\":", t.n_reused, ",\"prompt_n\":", t.n_prompt, ",\"prompt_ms\":", text(t.prompt_ms),
                ",\"prompt_per_token_ms\":", text(per(t.prompt_ms, t.n_prompt)),
                ",\"prompt_per_second\":", text(t.prompt_per_second()), ",\"predicted_n\":", t.n_predicted,
                ",\"predicted_ms\":", text(t.predicted_ms),
                ",\"predicted_per_token_ms\":", text(per(t.predicted_ms, t.n_predicted)),
                ",\"predicted_per_second\":", text(t.predicted_per_second()), "}");
}

Json FloatNumber(float value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return Json::MakeNumber(std::string(buffer, end));
}

Json LogprobNumber(float logprob) {
  if (!(logprob > -9999.0F)) return Json::MakeNumber("-9999.0");
  if (logprob >= 0) return Json::MakeNumber("0.0");  // rounding may leave a hair above
  return FloatNumber(logprob);
}

Json FigureJson(const TokenFigure& figure) {
  Json out = TokenJson(figure.bytes, figure.logprob);
  Json top = Json::MakeArray();
  for (const auto& [bytes, logprob] : figure.top) top.Append(TokenJson(bytes, logprob));
  out.Set("top_logprobs", std::move(top));
  return out;
}

Json LogprobsJson(std::span<const TokenFigure> figures) {
  Json content = Json::MakeArray();
  for (const TokenFigure& figure : figures) content.Append(FigureJson(figure));
  return Json::MakeObject({{"content", std::move(content)}, {"refusal", nullptr}});
}

}  // namespace lfm::server
