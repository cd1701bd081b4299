#include "grammar/grammar.h"

#include <algorithm>

#include "base/strings.h"
#include "grammar/cfg_core.h"
#include "grammar/core.h"
#include "grammar/json_core.h"
#include "grammar/regex_core.h"
#include "grammar/regex_parse.h"
#include "grammar/tool_core.h"

namespace lfm::grammar {
namespace {

Result<std::unique_ptr<Core>> MakeJson(const Spec& spec, const Budgets& budgets, Refusal* refusal) {
  auto core = std::make_unique<JsonCore>(spec, budgets);
  Json schema = spec.schema;
  if (spec.kind == Kind::kJson) {
    schema = Json::MakeObject();
    schema.Set("type", "object");
  }
  LFM_RETURN_IF_ERROR(core->Load(schema, spec.annotate_unsupported, refusal));
  return std::unique_ptr<Core>(std::move(core));
}

Result<std::unique_ptr<Core>> MakeRegex(const Spec& spec, const Budgets& budgets) {
  auto core = std::make_unique<RegexCore>(budgets);
  if (spec.kind == Kind::kChoice) {
    if (spec.choices.empty()) return Error{ErrorCode::kInvalidArgument, "the list of choices is empty"};
    std::vector<Re> words;
    std::string description;
    for (const std::string& choice : spec.choices) {
      if (choice.empty()) return Error{ErrorCode::kInvalidArgument, "a choice is empty"};
      if (!core->pool.Matches(core->pool.Text(), choice)) {
        return Error{ErrorCode::kInvalidArgument, StrCat("the choice ", Quote(choice), " is no UTF-8")};
      }
      words.push_back(core->pool.Literal(choice));
      description += StrCat(description.empty() ? "" : " | ", JsonQuote(choice));
    }
    LFM_RETURN_IF_ERROR(core->Set(core->pool.Or(std::move(words)), std::move(description)));
  } else {
    LFM_TRY(const Re re, ParseRegex(core->pool, spec.text, {.anchored = true}));
    LFM_RETURN_IF_ERROR(core->Set(re, StrCat("/^(?:", spec.text, ")$/")));
  }
  return std::unique_ptr<Core>(std::move(core));
}

Result<std::unique_ptr<Core>> MakeCore(const Spec& spec, const Budgets& budgets, Refusal* refusal) {
  switch (spec.kind) {
    case Kind::kJsonSchema:
    case Kind::kJson: return MakeJson(spec, budgets, refusal);
    case Kind::kRegex:
    case Kind::kChoice: return MakeRegex(spec, budgets);
    case Kind::kTools: {
      auto core = std::make_unique<ToolCore>(spec, budgets);
      LFM_RETURN_IF_ERROR(core->Load(spec.annotate_unsupported, refusal));
      return std::unique_ptr<Core>(std::move(core));
    }
    case Kind::kGrammar: return MakeCfg(spec, budgets);
  }
  return Error{ErrorCode::kInvalidArgument, "no such kind of grammar"};
}

}  // namespace

namespace {

// The machinery, ready for answers.
Result<std::shared_ptr<Core>> MakeReady(const Spec& spec, const Budgets& budgets, Refusal* refusal) {
  LFM_TRY(auto core, MakeCore(spec, budgets, refusal));
  core->pool.stop = nullptr;  // its clock ends with the compilation
  core->pool.AllowWork(budgets.work);
  return std::shared_ptr<Core>(std::move(core));
}

}  // namespace

Result<std::shared_ptr<const Grammar>> Compile(const Spec& spec, const Budgets& budgets, Refusal* refusal) {
  auto core = MakeReady(spec, budgets, refusal);
  if (!core.ok()) {
    if (refusal != nullptr && refusal->message.empty()) refusal->message = core.error().message;
    if (budgets.cancelled && budgets.cancelled()) return Error{ErrorCode::kCancelled, "cancelled while compiling a grammar"};
    return core.error();
  }
  Budgets kept = budgets;
  kept.cancelled = nullptr;  // the caller's, and gone with the call
  return std::shared_ptr<const Grammar>(std::make_shared<Grammar>(std::move(*core), spec, std::move(kept)));
}

Grammar::Grammar(std::shared_ptr<Core> core, Spec spec, Budgets budgets)
    : spec_(std::move(spec)), budgets_(std::move(budgets)), unenforced_(core->unenforced), core_(std::move(core)),
      fresh_bytes_(core_->Bytes()) {}
Grammar::~Grammar() = default;
const std::vector<Refusal>& Grammar::unenforced() const { return unenforced_; }

std::shared_ptr<Core> Grammar::TheCore() const {
  const std::lock_guard lock(mutex_);
  return core_;
}

std::shared_ptr<Core> Grammar::FreshCore() const {
  const std::lock_guard lock(mutex_);
  {
    const std::lock_guard core_lock(core_->mutex);
    const size_t bytes = core_->Bytes(), spare = budgets_.max_bytes - std::min(budgets_.max_bytes, fresh_bytes_);
    if (!core_->Failure() && bytes <= fresh_bytes_ + spare / 2) return core_;
  }
  if (auto made = MakeReady(spec_, budgets_, nullptr); made.ok()) {
    core_ = std::move(*made);
    fresh_bytes_ = core_->Bytes();
  }
  return core_;
}

std::string Grammar::Describe() const {
  const auto core = TheCore();
  const std::lock_guard lock(core->mutex);
  core->Begin();
  return core->Describe();
}
size_t Grammar::bytes() const {
  const auto core = TheCore();
  const std::lock_guard lock(core->mutex);
  return core->Bytes();
}

struct State::Position {
  std::shared_ptr<Core> core;
  Config at;
  std::string text;  // of the lexeme at work
  bool finished = false;
};

State::State(std::shared_ptr<const Position> position) : position_(std::move(position)) {}
State::State(const State&) = default;
State::State(State&&) noexcept = default;
State& State::operator=(const State&) = default;
State& State::operator=(State&&) noexcept = default;
State::~State() = default;

State Grammar::Start() const {
  const auto core = FreshCore();
  const std::lock_guard lock(core->mutex);
  core->Begin();
  return State(std::make_shared<State::Position>(State::Position{core, core->Start(), {}, false}));
}

Result<bool> State::Advance(std::string_view bytes) {
  const Position& from = *position_;
  if (from.finished) return bytes.empty();
  if (!from.at.node) return false;
  const std::lock_guard lock(from.core->mutex);
  from.core->Begin();
  auto next = std::make_shared<Position>(from);
  for (const char c : bytes) {
    const bool alive = from.core->Step(next->at, next->text, static_cast<uint8_t>(c));
    if (const auto failure = from.core->Failure()) return *failure;
    if (!alive) return false;
  }
  position_ = std::move(next);
  return true;
}

Result<bool> State::Accept(const Vocabulary& vocabulary, int32_t id) {
  if (vocabulary.IsEnd(id)) {
    if (position_->finished || !accepting()) return false;
    auto next = std::make_shared<Position>(*position_);
    next->finished = true;
    position_ = std::move(next);
    return true;
  }
  const std::string_view bytes = vocabulary.Bytes(id);
  if (bytes.empty() || position_->finished) return false;
  return Advance(bytes);
}

Status State::Mask(const Vocabulary& vocabulary, std::span<uint32_t> bits) const {
  if (position_->finished || !position_->at.node) {
    std::fill(bits.begin(), bits.end(), 0);
    return Ok();
  }
  const std::lock_guard lock(position_->core->mutex);
  position_->core->Begin();
  return position_->core->Mask(position_->at, position_->text, vocabulary, bits);
}

bool State::accepting() const {
  if (position_->finished || !position_->at.node) return position_->finished;
  const std::lock_guard lock(position_->core->mutex);
  position_->core->Begin();
  return position_->core->Accepting(*position_->at.node, position_->at.lex, position_->text);
}

bool State::finished() const { return position_->finished; }

std::string State::Forced(size_t max) const {
  std::string out;
  if (position_->finished || !position_->at.node) return out;
  Core& core = *position_->core;
  const std::lock_guard lock(core.mutex);
  core.Begin();
  Config at = position_->at;
  std::string text = position_->text;
  while (out.size() < max && !core.Accepting(*at.node, at.lex, text)) {
    int only = -1;
    Config after;
    std::string text_after;
    for (int byte = 0; byte < 256 && only >= -1; ++byte) {
      if (core.lexer.Next(at.lex, static_cast<uint8_t>(byte)) == Lexer::kDead) continue;
      Config to = at;
      std::string to_text = text;
      if (!core.Step(to, to_text, static_cast<uint8_t>(byte))) continue;
      only = only == -1 ? byte : -2;
      after = std::move(to), text_after = std::move(to_text);
    }
    if (only < 0) break;
    out += static_cast<char>(only);
    at = std::move(after), text = std::move(text_after);
  }
  return out;
}

Result<std::string> State::ShortestCompletion(size_t max) const {
  if (position_->finished) return std::string();
  const std::lock_guard lock(position_->core->mutex);
  position_->core->Begin();
  std::string out;
  if (position_->at.node && position_->core->Complete(position_->at, position_->text, max, out)) return out;
  return Error{ErrorCode::kLimit, StrCat("no end of the answer of at most ", max, " bytes was found")};
}

}  // namespace lfm::grammar
