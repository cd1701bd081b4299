// The machinery below every grammar: bytes run through a lexer of lazily built states; where a lexeme ends the grammar's
// own part decides what may follow. A mask is one walk of the vocabulary's trie over both.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/hash.h"
#include "grammar/lexer.h"
#include "grammar/regex.h"

namespace lfm::grammar {

// What a grammar knows beside the lexeme at work. Immutable; equal hashes are taken for equal nodes.
struct Node {
  Hash hash;
  virtual ~Node() = default;
};

// A place in the text: the node and the lexer's state. The lexeme's text so far is kept beside it (see Cross).
struct Config {
  std::shared_ptr<const Node> node;
  uint32_t lex = Lexer::kDead;
  bool keeps_byte = false;  // the byte that led here begins the lexeme's text
};

class Core {
 public:
  explicit Core(const Budgets& budgets);
  virtual ~Core() = default;

  virtual Config Start() = 0;
  // The lexer met the end of a lexeme at `byte`, which is not read yet; `text` is the lexeme so far, as written, where its
  // state needs it. False: nothing may go on so.
  virtual bool Cross(const Node& node, uint32_t lex, uint8_t byte, std::string_view text, Config& to) = 0;
  // False only where Cross would say no for every text: asked first, for most bytes of most tokens fail so.
  virtual bool MayCross(const Node&, uint32_t /*lex*/, uint8_t /*byte*/) const { return true; }
  virtual bool Accepting(const Node& node, uint32_t lex, std::string_view text) = 0;
  // For a lexeme whose text is wanted and that ends here: texts of one kind lead to the same places as long as no second
  // text is compared with them. kOwnKind: a text for itself.
  static constexpr uint64_t kOwnKind = UINT64_MAX;
  virtual uint64_t TextKind(const Node&, uint32_t /*lex*/, std::string_view /*text*/) { return kOwnKind; }
  // Whether all texts that no grammar knows by name, in a state where any text may go on, are of one kind.
  virtual bool OneKind(const Node& node, uint32_t lex, std::string_view text) { return TextKind(node, lex, text) != kOwnKind; }
  // A text as written that stands for all of them where they are of one kind, whatever was written so far; empty: none does.
  virtual std::string StandIn(const Node&, uint32_t /*lex*/) { return {}; }
  // The shortest end of the answer from here, at most `max` bytes; false if there is none that short.
  virtual bool Complete(const Config& at, const std::string& text, size_t max, std::string& out);
  virtual std::string Describe() = 0;
  // Before each call from outside: it may do what the calls before it have left of the budget, which grows by a little with
  // each. So one call may take long, but not each of an answer.
  void Begin();
  // An error met while working, e.g. a budget.
  virtual std::optional<Error> Failure() const;

  // One byte. `text` is kept up to date. False: forbidden, both are unspecified then.
  bool Step(Config& at, std::string& text, uint8_t byte);
  Status Mask(const Config& at, const std::string& text, const Vocabulary& vocabulary, std::span<uint32_t> bits);
  size_t Bytes() const { return pool.n_nodes() * 64 + lexer.n_states() * 1200 + cache_bytes_ + crossed_.size() * 400; }

  std::mutex mutex;  // guards everything here
  RegexPool pool;
  Lexer lexer;
  std::vector<Refusal> unenforced;

 protected:
  const Budgets budgets_;

 private:
  struct LexMask;
  struct LexMaskBuilder;
  struct Walker;
  struct CachedMask {
    Hash key;
    std::vector<uint32_t> bits;
  };
  const Config& CrossOnce(const Node& node, uint32_t lex, uint8_t byte, std::string_view text);
  void ForgetCrossings();
  bool EndsAlike(uint32_t lex, uint32_t other) const;
  std::shared_ptr<const LexMask> LexMaskOf(uint32_t lex, const Vocabulary& vocabulary);
  void FillLexMask(uint32_t lex, const Vocabulary& vocabulary, LexMask& mask);
  void CompareLexMasks(uint32_t lex, uint32_t other, const Vocabulary& vocabulary, LexMask& mask);
  uint32_t AfterStrangeText(uint32_t lex);
  bool IsOpen(uint32_t lex) const;

  const Vocabulary* vocabulary_ = nullptr;  // the masks below are for it
  std::unordered_map<uint32_t, std::shared_ptr<const LexMask>> lex_masks_;
  std::list<CachedMask> masks_;  // the latest first
  std::unordered_map<Hash, std::list<CachedMask>::iterator, HashOf> mask_index_;
  size_t cache_bytes_ = 0, lex_mask_bytes_ = 0;
  uint64_t work_left_;                                // for the call at work
  std::unordered_map<Hash, Config, HashOf> crossed_;  // no node: forbidden
  std::deque<Hash> crossed_order_;                    // the oldest first
};

}  // namespace lfm::grammar
