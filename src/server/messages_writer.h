// Answers of Anthropic's /v1/messages.
#pragma once

#include <string>

#include "server/writer.h"

namespace lfm::server {

class MessagesWriter : public AnswerWriter {
 public:
  explicit MessagesWriter(AnswerHead head) : head_(std::move(head)) {}

  void Begin(int64_t n_prompt, std::string& out) override;
  void Write(int choice, const Answer& answer, const Part& part, std::string& out) override;
  void EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) override;
  void End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) override;
  std::string Document(std::span<const Answer* const> answers, const Totals& totals) override;

 private:
  void Open(const Block& block, std::string& out);
  void Close(std::string& out);

  AnswerHead head_;
  bool is_open_ = false;
  size_t block_ = 0;  // of the answer: the one that is open
  int index_ = -1;    // of the stream's content blocks
  Block::Kind kind_ = Block::Kind::kText;
};

}  // namespace lfm::server
