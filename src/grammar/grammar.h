// Answers that cannot fail: what a text must look like (a JSON Schema, a regular expression, a list of choices, a grammar)
// becomes an automaton whose states say which bytes and which tokens may come next. Bytes in, states out: this folder
// knows a vocabulary (a list of byte strings) but no model, does no I/O and has no threads. docs/structured.md is the
// manual.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "grammar/vocabulary.h"

namespace lfm::grammar {

enum class Kind {
  kJsonSchema,  // `schema`
  kJson,        // any JSON object
  kRegex,       // `text`: ECMA-262; the whole answer must match
  kChoice,      // `choices`: one of them
  kGrammar,     // `text`: llguidance's Lark dialect, or GBNF (told apart by their rule signs)
  kTools,       // `tools`: LFM2's tool calls, with free text around them as `tool_choice` says
};

enum class Whitespace {
  kFlexible,  // between tokens of JSON: none, one space, or one line end and at most 20 blanks
  kCompact,   // none
};
enum class Order {
  kSchema,  // properties in the schema's order; others after the required ones
  kAny,
};

struct Tool {
  std::string name;
  Json parameters;  // a schema of an object; null: any arguments
};
enum class ToolChoice {
  kAuto,      // free text until the start token, then calls
  kRequired,  // calls; `thinking` may come before
  kNone,      // free text, the start token never
};
struct ToolOptions {
  std::vector<Tool> tools;  // for a named choice: that tool alone, and kRequired
  ToolChoice choice = ToolChoice::kAuto;
  bool parallel = true;        // false: at most one call
  bool double_quotes = false;  // only "..." opens a string, and " must be escaped in it
  // The ids of the tokens that start and end calls.
  int32_t start_id = -1, end_id = -1;
};

struct Spec {
  Kind kind = Kind::kJson;
  Json schema;
  std::string text;
  std::vector<std::string> choices;
  ToolOptions tools;
  Whitespace whitespace = Whitespace::kFlexible;
  Order order = Order::kSchema;
  bool annotate_unsupported = false;  // a keyword that cannot be enforced loosens the grammar instead of refusing it
  // Special tokens by name, for <name> in a Lark grammar.
  std::vector<std::pair<std::string, int32_t>> special_tokens;
};

struct Budgets {
  size_t max_bytes = size_t{256} << 20;        // of one grammar's automaton, about
  size_t mask_cache_bytes = size_t{16} << 20;  // of masks kept
  uint32_t max_depth = 1000;                   // of nested JSON values in the answer
  std::chrono::milliseconds compile_time{8000};
  // Steps of the automata, some seconds in all, that a mask, token or completion may take, or several of an answer together:
  // each call gives a 40th of it back.
  uint64_t work = 40'000'000;
  std::function<bool()> cancelled;  // asked now and then while compiling; true stops it
};

// Why a grammar was not made. `keyword` and `pointer` (a JSON pointer into the schema) are empty where there is no schema.
struct Refusal {
  std::string keyword, pointer, message;
};

class Core;
class State;

// A compiled grammar: shared by all requests that use it. Thread-safe; calls on states of one grammar wait for each other.
// Its automata grow with the answers. When those of earlier answers have taken half of the budget, or all of it, a new answer
// begins with new ones: a grammar may serve any number of answers.
class Grammar {
 public:
  Grammar(std::shared_ptr<Core> core, Spec spec, Budgets budgets);
  ~Grammar();
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  // Compiles anew where the automata have grown large.
  State Start() const;
  // With annotate_unsupported: what is not enforced. Always: formats without a meaning here.
  const std::vector<Refusal>& unenforced() const;
  // The normal form, for bug reports.
  std::string Describe() const;
  size_t bytes() const;

 private:
  std::shared_ptr<Core> FreshCore() const;
  std::shared_ptr<Core> TheCore() const;

  const Spec spec_;
  const Budgets budgets_;
  const std::vector<Refusal> unenforced_;
  mutable std::mutex mutex_;  // guards the next two
  mutable std::shared_ptr<Core> core_;
  mutable size_t fresh_bytes_;  // of the automata when they were made
};

// kInvalidArgument: the schema, pattern or grammar is broken; kUnsupported: it cannot be enforced (then `refusal`, if
// given, names keyword and pointer); kLimit: a budget; kCancelled.
Result<std::shared_ptr<const Grammar>> Compile(const Spec& spec, const Budgets& budgets = {}, Refusal* refusal = nullptr);

// A place in the text. Immutable in effect: copies are cheap (a few words shared), so forking is copying and going back is
// keeping an old one.
class State {
 public:
  State(const State&);
  State(State&&) noexcept;
  State& operator=(const State&);
  State& operator=(State&&) noexcept;
  ~State();

  // Moves on by bytes of the answer. False: the grammar forbids them, and the state is unchanged. kLimit: a budget.
  Result<bool> Advance(std::string_view bytes);
  // Moves on by a token; an end token where the text may end finishes the state.
  Result<bool> Accept(const Vocabulary& vocabulary, int32_t id);
  // Sets bit i exactly if Accept(i) would succeed. `bits` has one bit a token, [ceil(n_tokens / 32)], written whole.
  Status Mask(const Vocabulary& vocabulary, std::span<uint32_t> bits) const;
  // Whether the text may end here.
  bool accepting() const;
  bool finished() const;  // an end token was accepted
  // The bytes that must come next whatever is chosen, at most `max`; empty where there is a choice or the text may end.
  std::string Forced(size_t max = 256) const;
  // A short text that ends the answer from here: the shortest value each schema allows. Special tokens stand in it as
  // Vocabulary::SpecialBytes. kLimit where none of at most `max` bytes was found.
  Result<std::string> ShortestCompletion(size_t max = 4096) const;

 private:
  friend class Grammar;
  struct Position;
  explicit State(std::shared_ptr<const Position> position);
  std::shared_ptr<const Position> position_;
};

}  // namespace lfm::grammar
