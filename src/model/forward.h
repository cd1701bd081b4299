// Forward(), the one function that computes: a step for a batch of sequences, and the memory that it needs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/threads.h"
#include "model/model.h"
#include "model/profile.h"
#include "model/state.h"

namespace lfm::model {

// One sequence's part of a step: tokens that continue `state`. Which rows get logits: none, the last, or all. Of which
// tokens: of the whole vocabulary, or of those in `ids` alone, in that order, which costs only the rows of the head that hold
// them and gives the same bits.
enum class Logits : uint8_t { kNone, kLast, kAll };
struct BatchItem {
  State* state = nullptr;           // reserved for tokens.size() more positions; distinct in a batch
  std::span<const int32_t> tokens;  // ids in [0, vocab_size)
  Logits logits = Logits::kLast;
  std::span<const int32_t> ids = {};  // in [0, vocab_size), in any order, also several times; empty: all
};

struct Matrix;
struct Tile;

// Sees what the matrices of a step meet: for statistics of activations. Called on the thread that runs Forward().
class ProductObserver {
 public:
  virtual ~ProductObserver() = default;
  // Before a product of `matrix` (one of the model's own) with these tiles. Tiles hold f32 where Compute is kF32.
  virtual void OnProduct(const Matrix& matrix, std::span<const Tile> tiles) = 0;
};

// All memory that a step needs, taken once. One Workspace serves one Forward() at a time.
class Workspace {
 public:
  // For at most max_tokens rows, max_logits * vocab_size logits and sequences of up to max_positions.
  static Result<std::unique_ptr<Workspace>> Create(const Model& model, int64_t max_tokens, int64_t max_logits,
                                                   int64_t max_positions, int n_threads);
  ~Workspace();

  int64_t max_tokens() const;
  int64_t max_logits() const;
  // After Forward(): the logits of wanted row i, in batch order.  // [vocab_size], or [ids] of its item
  std::span<float> logits(int64_t i) const;
  int64_t n_logits() const;
  // False where a number in the residual stream of item i of the batch was not finite: what its sequence holds since
  // then has no defined bits. The other items are untouched.
  bool finite(int64_t i_item) const;

  // Where set, Forward() adds the time of its phases.
  Profile* profile = nullptr;
  // Where set, Forward() writes the residual stream here: after the embedding, after each layer, after the final norm.
  float* capture = nullptr;  // [n_layers + 2, n_tokens, d_model]
  // Where set, Forward() calls it for every product but the router's.
  ProductObserver* observer = nullptr;

  struct Buffers;
  Buffers& buffers() const { return *buffers_; }

 private:
  Workspace();
  std::unique_ptr<Buffers> buffers_;
};

// One step for a batch of sequences: advances the states and computes the wanted logits. Cannot fail: ids, sizes and
// reservations are the caller's duty. The results depend on each sequence's tokens only: not on the
// batch, the chunking, the number of threads or the ISA.
void Forward(const Model& model, std::span<const BatchItem> batch, Workspace& workspace, Threads& threads);

}  // namespace lfm::model
