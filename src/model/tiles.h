// Activations in the form that matrix products read: tiles of at most 64 tokens, block-major inside
// ([k / 32][n_tokens] records), as int8 blocks, as f32 blocks, or both where a step's matrices differ in type.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "model/profile.h"

namespace lfm::model {

// One tile, ready for a product. Exactly the forms that its readers need are set.
struct Tile {
  const kernels::Q8Block* q8 = nullptr;
  const kernels::F32Block* f32 = nullptr;
  int n_tokens = 0;
  int64_t first_row = 0;  // of the output rows that this tile's tokens are
};

// Which forms the readers of some activations need.
struct Forms {
  bool q8 = false, f32 = false;
};

inline bool ReadsQ8(const Model& model, const Matrix& matrix) {
  return model.compute == Compute::kAuto && matrix.quantized();
}

inline void Need(const Model& model, const Matrix& matrix, Forms& forms) {
  (ReadsQ8(model, matrix) ? forms.q8 : forms.f32) = true;
}

// Storage for the tiles of up to n tokens of width k.
class TileBuffer {
 public:
  void Reserve(int64_t n_tokens, int64_t k, bool q8, bool f32);

  // Splits n rows into equal tiles. Their records are filled by Store().
  void Arrange(int64_t n_tokens, int64_t k);
  const std::vector<Tile>& tiles() const { return tiles_; }

  // Writes row i (k floats) in the wanted forms. Rows may be stored from several threads.
  void Store(const kernels::Table& kernels, Forms forms, int64_t i_row, const float* x) const;
  // Copies the records of a row of another buffer of the same k.
  void CopyRow(Forms forms, int64_t i_row, const TileBuffer& from, int64_t i_from) const;

  // Where a product writes the records of block i_block, all tokens of tile i adjacent.
  kernels::Q8Block* q8(int64_t i_tile, int64_t i_block) const;
  kernels::F32Block* f32(int64_t i_tile, int64_t i_block) const;

  // Tiles of several groups of rows (experts): each group begins a new tile.
  void ArrangeGroups(std::span<const int64_t> group_sizes, int64_t k, std::vector<int64_t>& first_tile);

 private:
  struct Place {
    int64_t base;    // record of the row's first block
    int64_t stride;  // records between blocks
  };
  Place PlaceOf(int64_t i_row) const;
  void AddTiles(int64_t n_tokens);

  int64_t k_ = 0;
  std::vector<kernels::Q8Block> q8_;
  std::vector<kernels::F32Block> f32_;
  std::vector<Tile> tiles_;
  std::vector<int32_t> tile_of_row_;
};

// One matrix of a joint product and where its output goes: out[row * stride + r] (=, or += for residuals).
struct Product {
  const Matrix* matrix;
  float* out;
  int64_t stride;
  bool add = false;
};

// Adds the bytes and operations of a matrix that meets n_tokens to a profile, if there is one.
void Count(Profile* profile, const Model& model, const Matrix& matrix, int64_t n_tokens);

// Computes all products over the same tiles, as one parallel loop over their units.
void Multiply(const Model& model, std::span<const Product> products, std::span<const Tile> tiles, Threads& threads,
              Profile* profile);

// One unit of one matrix with one tile, into out[t * stride + r], r in [0, 32).
inline void MultiplyUnit(const Model& model, const Matrix& matrix, int64_t unit, const Tile& tile, float* out,
                         int64_t stride) {
  const int type = kernels::TypeIndex(matrix.type);
  const std::byte *panel0 = matrix.panel(unit, 0), *panel1 = matrix.panel(unit, 1);
  if (ReadsQ8(model, matrix)) {
    model.kernels->matmul_q8[type](panel0, panel1, matrix.n_blocks(), tile.q8, tile.n_tokens, out, stride);
  } else {
    model.kernels->matmul_f32[type](panel0, panel1, matrix.n_blocks(), tile.f32, tile.n_tokens, out, stride);
  }
}

// Units that one thread takes at a time: enough to reuse a tile from its cache, few enough to balance.
inline int64_t UnitGrain(int64_t n_units, int64_t n_tokens, int n_threads) {
  const int64_t most = n_tokens > 8 ? 4 : 2;
  return std::clamp<int64_t>(n_units / (int64_t{4} * n_threads), 1, most);
}

}  // namespace lfm::model
