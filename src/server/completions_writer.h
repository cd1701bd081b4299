// Answers of /v1/completions, in the old shape.
#pragma once

#include <string>
#include <vector>

#include "server/writer.h"

namespace lfm::server {

struct CompletionsForm {
  AnswerHead head;
  int n = 1;  // answers to each prompt; choices are prompt-major
  bool include_usage = false;
  bool logprobs = false;
  bool echo = false;
  bool content = false;              // the text once more as "content", as llama.cpp's clients read it
  std::vector<std::string> prompts;  // their texts; empty without echo
};

class CompletionsWriter : public AnswerWriter {
 public:
  explicit CompletionsWriter(CompletionsForm form);

  void Begin(int64_t n_prompt, std::string& out) override;
  void Write(int choice, const Answer& answer, const Part& part, std::string& out) override;
  void EndChoice(int choice, const Answer& answer, std::vector<TokenFigure> rest, std::string& out) override;
  void End(std::span<const Answer* const> answers, const Totals& totals, std::string& out) override;
  std::string Document(std::span<const Answer* const> answers, const Totals& totals) override;
  void TakePrompt(int prompt, std::vector<TokenFigure> figures) override;

 private:
  void Chunk(int choice, std::string_view text, std::string_view finish, std::span<const TokenFigure> figures, std::string& out);
  // The prompt as the first chunk of its choice, once its figures are there.
  void Echo(int choice, std::string& out);
  Json DocumentLogprobs(size_t prompt, const Answer& answer) const;
  int PromptOf(int choice) const { return choice / form_.n; }

  CompletionsForm form_;
  std::string open_, close_;
  std::vector<std::vector<TokenFigure>> prompt_figures_;  // by prompt
  std::vector<bool> echoed_;                              // by choice
  std::vector<int64_t> offsets_;                          // by choice: characters so far
};

}  // namespace lfm::server
