#include "grammar/regex_core.h"

namespace lfm::grammar {

Status RegexCore::Set(Re language, std::string description) {
  const bool live = !pool.overflowed() && pool.Live(language);
  if (const auto failure = Failure()) return *failure;
  if (!live) return Error{ErrorCode::kInvalidArgument, "no text satisfies the grammar"};
  language_ = language, description_ = std::move(description);
  return Ok();
}

Config RegexCore::Start() {
  return {std::make_shared<Node>(), lexer.StateFor(Lexer::Kind::kRaw, {language_}, Lexer::Text::kUnseen)};
}

bool RegexCore::Cross(const Node&, uint32_t, uint8_t, std::string_view, Config&) { return false; }

bool RegexCore::Accepting(const Node&, uint32_t lex, std::string_view) { return pool.Nullable(lexer.Parts(lex)[0]); }

bool RegexCore::Complete(const Config& at, const std::string&, size_t max, std::string& out) {
  return pool.Shortest(lexer.Parts(at.lex)[0], out) && out.size() <= max;
}

}  // namespace lfm::grammar
