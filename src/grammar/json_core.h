// JSON under a schema: the structure of JSON is deterministic, so one stack of levels is shared by all alternatives that
// the schema still allows (threads). What no context-free grammar holds stands in the levels: keys seen, items counted,
// values that may not come again.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/core.h"
#include "grammar/schema.h"

namespace lfm::grammar {

// One alternative of an open object or array.
struct Thread {
  uint32_t shape = 0;              // index in JsonCore's list of its kind
  uint32_t position = 0;           // objects: names before it may not come any more
  std::vector<uint32_t> counters;  // arrays: items counted by each contains rule; objects: exists rules fulfilled (0 or 1)
  std::vector<uint32_t> parents;   // the pending values of the level below that this one is
  bool operator==(const Thread&) const = default;
};

// A value that may stand here, and what its thread is after it.
struct Pending {
  Thread next;
  Expr value = kAnything;
  bool operator==(const Pending&) const = default;
};

struct SeenKeys {
  std::vector<int32_t> names;       // known to the schema; sorted
  std::vector<std::string> others;  // sorted
};
struct SeenValues {
  bool null = false, truth = false, falsehood = false;
  std::vector<std::string> strings, numbers;  // numbers as their text
};

struct Level {
  bool object = false;
  bool call = false;                   // an object written as a call's arguments
  std::shared_ptr<const Level> below;  // null: the root value
  std::vector<Pending> below_pending;
  uint64_t count = 0, count_cap = 0;  // properties or items so far; beyond the cap the number makes no difference
  uint32_t depth = 0;
  std::shared_ptr<const SeenKeys> keys;      // of an object
  std::shared_ptr<const SeenValues> values;  // of an array whose items are unique
  Hash hash;
};

class JsonCore : public Core {
 public:
  JsonCore(const Spec& spec, const Budgets& budgets);
  // Reads the schema; an error names what cannot be enforced.
  Status Load(const Json& schema, bool annotate_unsupported, Refusal* refusal);

  Config Start() override;
  bool Cross(const Node& node, uint32_t lex, uint8_t byte, std::string_view text, Config& to) override;
  bool MayCross(const Node& node, uint32_t lex, uint8_t byte) const override;
  bool Accepting(const Node& node, uint32_t lex, std::string_view text) override;
  uint64_t TextKind(const Node& node, uint32_t lex, std::string_view text) override;
  bool OneKind(const Node& node, uint32_t lex, std::string_view text) override;
  std::string StandIn(const Node& node, uint32_t lex) override;
  bool Complete(const Config& at, const std::string& text, size_t max, std::string& out) override;
  std::string Describe() override;
  std::optional<Error> Failure() const override;

 protected:
  // From kFree on: of tool calls (tool_core.h).
  enum class Phase : uint8_t {
    kValue,
    kArrayStart,
    kString,
    kBare,
    kObjectStart,
    kNextKey,
    kKey,
    kColon,
    kAfterValue,
    kDone,
    kFree,
    kMark,
    kListOpen,
    kCallNext,
    kCallName,
    kAfterCall,
  };
  struct JsonNode : Node {
    Phase phase = Phase::kValue;
    uint32_t place = 0;  // in a mark
    std::shared_ptr<const Level> level;
    std::vector<Thread> threads;
    std::vector<Pending> pending;
  };
  // An object shape with what follows from it.
  struct ObjectInfo {
    ObjectShape shape;
    std::vector<int32_t> names;    // in order
    size_t n_ordered = 0;          // the first of them keep their order
    std::vector<uint32_t> sorted;  // positions by name
    std::vector<Expr> values;      // by position
    std::vector<int8_t> possible;  // by position: the value has members; -1 not known
    std::vector<bool> required;    // by position
    std::vector<uint32_t> needed;  // positions of the required ones
    std::vector<Schemas::KeyClass> classes;
  };
  // Nodes.
  Config Make(Phase phase, std::shared_ptr<const Level> level, std::vector<Thread> threads, std::vector<Pending> pending,
              uint32_t lex, uint32_t place = 0);
  bool StartValue(const JsonNode& node, uint8_t byte, Config& to);
  bool StartString(const JsonNode& node, uint8_t quote, Config& to);
  Lexer::Kind QuoteKind(uint8_t quote) const;
  // The byte after something that ended with the byte before it: goes on from `after`.
  bool GoOn(const Config& after, bool blank, uint8_t byte, Config& to);
  // The root value is complete.
  virtual bool FinishRoot(const std::vector<Thread>& threads, Config& to);
  void StartClock();  // of the compilation
  Status Finished(Refusal* refusal);
  bool StartBare(const JsonNode& node, uint8_t byte, Config& to);
  bool EndScalar(const JsonNode& node, uint32_t lex, std::string_view text, Config& to);
  bool Finish(const std::shared_ptr<const Level>& level, std::vector<Thread> threads, Config& to);
  bool Close(const Level& level, const std::vector<Thread>& closed, Config& to);
  std::shared_ptr<const Level> Open(bool object, const JsonNode& node, const std::vector<Thread>& threads);
  static void Rehash(Level& level);
  static void AddThread(std::vector<Thread>& threads, Thread thread);
  static void AddPending(std::vector<Pending>& list, Pending one);

  // Objects.
  uint32_t ObjectIndex(const ObjectShape& shape);
  bool OpenObject(const JsonNode& node, Config& to);
  bool StartKey(const JsonNode& node, uint8_t quote, Config& to);
  bool EndKey(const JsonNode& node, uint32_t lex, std::string_view text, Config& to);
  bool CanCloseObject(const Level& level, const Thread& thread);
  bool Completable(const Level& level, const Thread& thread, int64_t chosen);
  std::optional<uint64_t> CountHolders(const Level& level, const Thread& thread, const std::vector<int32_t>& needs,
                                       int64_t chosen);
  Re KeyLanguage(const Level& level, const Thread& thread);
  int64_t PositionOf(const ObjectInfo& info, int32_t name) const;
  bool Possible(ObjectInfo& info, size_t position);
  bool IsSeen(const Level& level, int32_t name) const;
  bool MayCome(const Level& level, const Thread& thread, ObjectInfo& info, size_t position);
  bool ClassesMayCome(const Level& level, const Thread& thread, const ObjectInfo& info) const;
  bool ClassMayCome(const Level& level, const Schemas::KeyClass& one);
  void OfferValues(const Level& after, const Thread& thread, const ObjectInfo& info, Thread next, Expr base,
                   const std::vector<size_t>& rules, int64_t chosen, std::vector<Pending>& out);

  // Arrays.
  uint32_t ArrayIndex(const ArrayShape& shape);
  bool OpenArray(const JsonNode& node, Config& to);
  bool CanCloseArray(const Level& level, const Thread& thread);
  bool ItemsCompletable(const ArrayShape& shape, uint64_t n_items, const std::vector<uint32_t>& counters);
  void OfferItems(const Level& level, const Thread& thread, std::vector<Pending>& out);
  std::shared_ptr<const Level> WithItem(const Level& level);

  // Scalars.
  Re StringLanguage(const Level* level, const Pending& pending);
  Re BareLanguage(const Level* level, const Pending& pending);
  const SeenValues* SeenIn(const Level* level, const Pending& pending) const;

  // json_complete.cc
  bool ShortestValue(Expr expr, int depth, std::string& out);
  bool ShortestMembers(const Level& level, const Thread& thread, int depth, std::string& out, bool one_more = false);
  bool ShortestItems(const Level& level, const Thread& thread, int depth, std::string& out);
  bool ShortestItem(const Level& level, const Pending& offer, int depth, std::string& out);
  void RememberValue(Level& level, std::string_view written);
  static void RememberString(Level& level, std::string text);
  virtual bool Towards(const Config& at, const std::string& text, std::string& next);
  bool Takes(const Config& at, const std::string& text, char byte);
  bool CloseLevel(const Config& at, const std::string& text, std::string& next);
  bool CloseLexeme(const JsonNode& node, uint32_t lex, const std::string& text, std::string& next);
  bool ShortestLexeme(uint32_t lex, std::string& out);

  Schemas schemas_;
  const bool compact_, any_order_;
  bool python_ = false;         // values as Python writes them too
  bool double_quotes_ = false;  // of these only "..." strings
  Re argument_names_ = 0;       // what a key of a call may be written with, without quotes
  Expr root_ = kNothing;
  std::vector<std::unique_ptr<ObjectInfo>> objects_;
  std::vector<std::unique_ptr<ArrayShape>> arrays_;
  std::unordered_multimap<uint64_t, uint32_t> object_index_, array_index_;
  std::unordered_map<Expr, std::pair<Re, bool>> bare_cache_;
  std::unordered_map<Expr, std::string> shortest_cache_;
  static constexpr size_t kMaxShortest = 100'000;
  size_t shortest_limit_ = kMaxShortest;  // bytes of what is looked for; longer members of arrays and objects are given up
  std::unordered_map<Hash, Re, HashOf> key_cache_;
  Re any_number_ = 0, short_ = 0, without_point_ = 0;
};

}  // namespace lfm::grammar
