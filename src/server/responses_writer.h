// Answers of /v1/responses: documents with all members of Open Responses, and streams with its events.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "server/writer.h"

namespace lfm::server {

struct ResponsesForm {
  AnswerHead head;
  Json echo;                     // an object: members of the request that the response repeats, with the values that were used
  bool logprobs = false;         // include: message.output_text.logprobs, or top_logprobs
  std::function<int64_t()> now;  // seconds since 1970
  IdMaker make_id = RandomId;
};

class ResponsesWriter : public AnswerWriter {
 public:
  explicit ResponsesWriter(ResponsesForm form) : form_(std::move(form)) {}

  void Begin(int64_t n_prompt, std::string& out) override;
  void Write(int choice, const Answer& answer, const Part& part, std::string& out) override;
  void EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) override;
  void End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) override;
  std::string Document(std::span<const Answer* const> answers, const Totals& totals) override;

  // The response while it is made, or that was cancelled: status "in_progress", "queued" or "cancelled".
  Json Unfinished(const std::string& status) const;
  // The whole response, after End or Document.
  const Json& response() const { return response_; }

 private:
  // Appends an event; `members` is JSON text that goes behind type and sequence_number.
  void Event(std::string_view type, std::string_view members, std::string& out);
  void Open(const Block& block, std::string& out);
  void Close(const Answer& answer, std::string& out);
  const std::string& ItemId(size_t index, Block::Kind kind);
  Json Item(const Block& block, size_t index, const std::string& status);
  void Finish(const Answer& answer, const Totals& totals);

  ResponsesForm form_;
  int64_t sequence_ = 0;
  bool is_open_ = false;
  size_t block_ = 0;                               // of the answer: the one that is open
  std::vector<std::string> item_ids_;              // by block
  std::vector<std::vector<TokenFigure>> figures_;  // by block
  Json response_;
};

}  // namespace lfm::server
