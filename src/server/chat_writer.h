// Answers of /v1/chat/completions.
#pragma once

#include <map>
#include <string>

#include "server/writer.h"

namespace lfm::server {

struct ChatForm {
  AnswerHead head;
  int n = 1;
  bool include_usage = false;  // of a stream
  bool logprobs = false;
};

class ChatWriter : public AnswerWriter {
 public:
  explicit ChatWriter(ChatForm form);

  void Begin(int64_t n_prompt, std::string& out) override;
  void Write(int choice, const Answer& answer, const Part& part, std::string& out) override;
  void EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) override;
  void End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) override;
  std::string Document(std::span<const Answer* const> answers, const Totals& totals) override;
  void Progress(int64_t n_total, int64_t n_cached, int64_t n_done, double ms, std::string& out) override;

 private:
  // A chunk with one choice; `delta` is JSON text.
  void Chunk(int choice, std::string_view delta, std::string_view finish, const std::vector<TokenFigure>* figures,
             std::string& out) const;

  void Arguments(int choice, const Answer& answer, const Part& part, std::string& out);

  ChatForm form_;
  std::string open_, close_;  // of every chunk, around its choices
};

// Which of the answer's calls a block is: 0 for the first.
int CallIndex(const Answer& answer, size_t block);

}  // namespace lfm::server
