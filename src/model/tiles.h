// Activations in the form that matrix products read: tiles of at most Table::max_tile tokens, block-major inside
// ([k / 32][n_tokens] records), as int8 blocks, as f32 blocks, in the form of tile units, or in several where a step's
// matrices differ in type.
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
  const kernels::Q8Tile* q8_tiles = nullptr;  // set where the ISA has tiles and the tokens are enough for them
  int n_tokens = 0;
  int64_t first_row = 0;  // of the output rows that this tile's tokens are
};

// Which forms the readers of some activations need.
struct Forms {
  bool q8 = false, f32 = false;
  bool q8_tiles = false;  // as q8 in tiles that are too small for it
};

inline bool ReadsQ8(const Model& model, const Matrix& matrix) { return model.compute == Compute::kAuto && matrix.quantized(); }

inline void Need(const Model& model, const Matrix& matrix, Forms& forms) {
  if (!ReadsQ8(model, matrix)) {
    forms.f32 = true;
  } else if (model.kernels->matmul_tiles[kernels::TypeIndex(matrix.type)]) {
    forms.q8_tiles = true;
  } else {
    forms.q8 = true;
  }
}

// Storage for the tiles of up to n tokens of width k, in up to n_groups groups.
class TileBuffer {
 public:
  void Reserve(const kernels::Table& kernels, int64_t n_tokens, int64_t n_groups, int64_t k, bool q8);

  // Splits n rows into equal tiles. Their records are filled by Store().
  void Arrange(int64_t n_tokens, int64_t k);
  const std::vector<Tile>& tiles() const { return tiles_; }

  // Writes row i (k floats) in the wanted forms; quantised ones as blocks too, for CopyRow(). Rows may be stored from
  // several threads.
  void Store(const kernels::Table& kernels, Forms forms, int64_t i_row, const float* x) const;
  // Copies the records of a row of another buffer of the same k.
  void CopyRow(Forms forms, int64_t i_row, const TileBuffer& from, int64_t i_from) const;

  // Where a product writes the records of block i_block, all tokens of tile i adjacent.
  kernels::Q8Block* q8(int64_t i_tile, int64_t i_block) const;
  // Takes the block i_block of all tokens of tile i into its form for tile units. Not for tiles that have none.
  void StoreBlock(int64_t i_tile, int64_t i_block, const kernels::Q8Block* blocks) const;
  kernels::F32Block* f32(int64_t i_tile, int64_t i_block) const;

  // Tiles of several groups of rows (experts): each group begins a new tile.
  void ArrangeGroups(std::span<const int64_t> group_sizes, int64_t k, std::vector<int64_t>& first_tile);

 private:
  struct Place {
    int64_t base;    // record of the row's first block
    int64_t stride;  // records between blocks
  };
  const Tile& TileOf(int64_t i_row) const;
  Place PlaceOf(int64_t i_row) const;
  void AddTiles(int64_t n_tokens);
  void StoreInTiles(const Tile& tile, int64_t i_token, int64_t i_block, const kernels::Q8Block& block) const;

  int max_tile_ = kernels::kMaxTile;
  bool has_tiles_ = false;  // the ISA
  int64_t k_ = 0;
  int64_t n_q8_tiles_ = 0;  // given to tiles
  std::vector<kernels::Q8Block> q8_;
  std::vector<kernels::F32Block> f32_;
  std::vector<kernels::Q8Tile> q8_tiles_;
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
inline void MultiplyUnit(const Model& model, const Matrix& matrix, int64_t unit, const Tile& tile, float* out, int64_t stride) {
  const int type = kernels::TypeIndex(matrix.type);
  const std::byte *panel0 = matrix.panel(unit, 0), *panel1 = matrix.panel(unit, 1);
  if (const auto by_tiles = model.kernels->matmul_tiles[type]; by_tiles && tile.q8_tiles && model.compute == Compute::kAuto) {
    by_tiles(panel0, panel1, matrix.n_blocks(), tile.q8_tiles, tile.n_tokens, out, stride);
  } else if (ReadsQ8(model, matrix)) {
    model.kernels->matmul_q8[type](panel0, panel1, matrix.n_blocks(), tile.q8, tile.n_tokens, out, stride);
  } else {
    model.kernels->matmul_f32[type](panel0, panel1, matrix.n_blocks(), tile.f32, tile.n_tokens, out, stride);
  }
}

// Units that one thread takes at a time: enough to reuse a tile from its cache, few enough to balance. A thread should find
// four tasks or more in a loop, so that a slow core loses a quarter of its share at most; the bounds 2 (few tokens: the
// weights are read once, from memory) and 4 are a choice: on two Zen 3 cores finer and coarser ones made no difference that
// could be seen (docs/performance.md).
inline int64_t UnitGrain(int64_t n_units, int64_t n_tokens, int n_threads) {
  const int64_t most = n_tokens > 8 ? 4 : 2;
  return std::clamp<int64_t>(n_units / (int64_t{4} * n_threads), 1, most);
}

}  // namespace lfm::model
