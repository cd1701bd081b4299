#include "model/tiles.h"

#include <cstring>

#include "base/check.h"

namespace lfm::model {

using kernels::F32Block;
using kernels::kBlock;
using kernels::kLanes;
using kernels::kMaxTile;
using kernels::kTileTokens;
using kernels::kUnitRows;
using kernels::Q8Block;
using kernels::Q8Tile;
using kernels::TileGroups;
using kernels::TileSupers;

void TileBuffer::Reserve(const kernels::Table& kernels, int64_t n_tokens, int64_t n_groups, int64_t k, bool q8) {
  const auto n = static_cast<size_t>(n_tokens * (k / kBlock));
  max_tile_ = kernels.max_tile;
  has_tiles_ = q8 && std::any_of(std::begin(kernels.matmul_tiles), std::end(kernels.matmul_tiles), [](auto f) { return f; });
  if (q8) q8_.resize(std::max(q8_.size(), n));
  f32_.resize(std::max(f32_.size(), n));
  if (has_tiles_) {  // each tile's last two groups of tokens may be nearly empty
    const int64_t n_tiles = std::min(n_tokens / kernels::kMinTileTokens, n_tokens / max_tile_ + n_groups) + 1;
    const int64_t n_token_groups = n_tokens / kTileTokens + 2 * n_tiles;
    const auto size = static_cast<size_t>(n_token_groups * TileSupers(k / kBlock) * kernels::kSuperBlocks);
    q8_tiles_.resize(std::max(q8_tiles_.size(), size));
  }
  // A tile holds at least one row; groups add at most one tile each, and a group has at least one row.
  tiles_.reserve(std::max(tiles_.capacity(), static_cast<size_t>(n_tokens)));
  tile_of_row_.reserve(std::max(tile_of_row_.capacity(), static_cast<size_t>(n_tokens)));
}

void TileBuffer::AddTiles(int64_t n_tokens) {
  const int64_t n_tiles = (n_tokens + max_tile_ - 1) / max_tile_;
  for (int64_t i = 0; i < n_tiles; ++i) {
    const int64_t first_row = static_cast<int64_t>(tile_of_row_.size());
    const int64_t size = n_tokens * (i + 1) / n_tiles - n_tokens * i / n_tiles;
    const auto base = static_cast<size_t>(first_row * (k_ / kBlock));
    Tile tile;
    tile.q8 = q8_.empty() ? nullptr : q8_.data() + base;
    tile.f32 = f32_.empty() ? nullptr : f32_.data() + base;
    if (has_tiles_ && size >= kernels::kMinTileTokens) {
      tile.q8_tiles = q8_tiles_.data() + n_q8_tiles_;
      n_q8_tiles_ += TileGroups(size) * TileSupers(k_ / kBlock) * kernels::kSuperBlocks;
    }
    tile.n_tokens = static_cast<int>(size);
    tile.first_row = first_row;
    tile_of_row_.insert(tile_of_row_.end(), static_cast<size_t>(size), static_cast<int32_t>(tiles_.size()));
    tiles_.push_back(tile);
  }
}

void TileBuffer::Arrange(int64_t n_tokens, int64_t k) {
  k_ = k;
  n_q8_tiles_ = 0;
  tiles_.clear();
  tile_of_row_.clear();
  AddTiles(n_tokens);
}

void TileBuffer::ArrangeGroups(std::span<const int64_t> group_sizes, int64_t k, std::vector<int64_t>& first_tile) {
  k_ = k;
  n_q8_tiles_ = 0;
  tiles_.clear();
  tile_of_row_.clear();
  first_tile.clear();
  for (const int64_t size : group_sizes) {
    first_tile.push_back(static_cast<int64_t>(tiles_.size()));
    AddTiles(size);
  }
  first_tile.push_back(static_cast<int64_t>(tiles_.size()));
}

const Tile& TileBuffer::TileOf(int64_t i_row) const {
  return tiles_[static_cast<size_t>(tile_of_row_[static_cast<size_t>(i_row)])];
}

TileBuffer::Place TileBuffer::PlaceOf(int64_t i_row) const {
  const Tile& tile = TileOf(i_row);
  return {tile.first_row * (k_ / kBlock) + (i_row - tile.first_row), tile.n_tokens};
}

void TileBuffer::Store(const kernels::Table& kernels, Forms forms, int64_t i_row, const float* x) const {
  const Place place = PlaceOf(i_row);
  if (forms.q8 || forms.q8_tiles) {
    Q8Block* const blocks = const_cast<Q8Block*>(q8_.data()) + place.base;
    kernels.quantize_q8(x, k_, blocks, place.stride);
    const Tile& tile = TileOf(i_row);
    if (forms.q8_tiles && tile.q8_tiles) {
      for (int64_t i = 0; i < k_ / kBlock; ++i) StoreInTiles(tile, i_row - tile.first_row, i, blocks[i * place.stride]);
    }
  }
  if (forms.f32) {
    F32Block* out = const_cast<F32Block*>(f32_.data()) + place.base;
    for (int64_t i = 0; i < k_ / kBlock; ++i) std::memcpy(out[i * place.stride].x, x + i * kBlock, sizeof(F32Block));
  }
}

void TileBuffer::CopyRow(Forms forms, int64_t i_row, const TileBuffer& from, int64_t i_from) const {
  const Place to = PlaceOf(i_row), source = from.PlaceOf(i_from);
  const int64_t n_blocks = k_ / kBlock;
  const Tile& tile = TileOf(i_row);
  const bool by_tiles = forms.q8_tiles && tile.q8_tiles;
  if (by_tiles) {
    const Q8Block* in = from.q8_.data() + source.base;
    for (int64_t i = 0; i < n_blocks; ++i) StoreInTiles(tile, i_row - tile.first_row, i, in[i * source.stride]);
  }
  if (forms.q8 || (forms.q8_tiles && !by_tiles)) {
    auto* out = const_cast<Q8Block*>(q8_.data()) + to.base;
    const Q8Block* in = from.q8_.data() + source.base;
    for (int64_t i = 0; i < n_blocks; ++i) out[i * to.stride] = in[i * source.stride];
  }
  if (forms.f32) {
    auto* out = const_cast<F32Block*>(f32_.data()) + to.base;
    const F32Block* in = from.f32_.data() + source.base;
    for (int64_t i = 0; i < n_blocks; ++i) out[i * to.stride] = in[i * source.stride];
  }
}

void TileBuffer::StoreInTiles(const Tile& tile, int64_t i_token, int64_t i_block, const Q8Block& block) const {
  const int64_t i_super = i_block / kernels::kSuperBlocks, i_group = i_token / kTileTokens, t = i_token % kTileTokens;
  const int64_t at = (i_super * TileGroups(tile.n_tokens) + i_group) * kernels::kSuperBlocks + i_block % kernels::kSuperBlocks;
  Q8Tile& to = const_cast<Q8Tile*>(tile.q8_tiles)[at];
  std::memcpy(to.q[t], block.q, sizeof block.q);
  to.d[t] = block.d;
  to.dsum[t] = block.dsum;
}

void TileBuffer::StoreBlock(int64_t i_tile, int64_t i_block, const Q8Block* blocks) const {
  const Tile& tile = tiles_[static_cast<size_t>(i_tile)];
  for (int64_t t = 0; t < tile.n_tokens; ++t) StoreInTiles(tile, t, i_block, blocks[t]);
}

Q8Block* TileBuffer::q8(int64_t i_tile, int64_t i_block) const {
  const Tile& tile = tiles_[static_cast<size_t>(i_tile)];
  return const_cast<Q8Block*>(tile.q8) + i_block * tile.n_tokens;
}

F32Block* TileBuffer::f32(int64_t i_tile, int64_t i_block) const {
  const Tile& tile = tiles_[static_cast<size_t>(i_tile)];
  return const_cast<F32Block*>(tile.f32) + i_block * tile.n_tokens;
}

namespace {

// One unit with one tile, where the output is added to or narrower than a unit: by way of a buffer.
void MultiplyBuffered(const Model& model, const Product& product, int64_t unit, const Tile& tile) {
  alignas(64) float buffer[kMaxTile * kUnitRows];
  const int64_t first = unit * kUnitRows;
  const int64_t n_valid = std::min<int64_t>(kUnitRows, product.matrix->rows - first);
  MultiplyUnit(model, *product.matrix, unit, tile, buffer, kUnitRows);
  for (int t = 0; t < tile.n_tokens; ++t) {
    float* out = product.out + (tile.first_row + t) * product.stride + first;
    const float* in = buffer + t * kUnitRows;
    for (int64_t r = 0; r < n_valid; ++r) out[r] = product.add ? out[r] + in[r] : in[r];
  }
}

// A product of one token and a matrix of floats, split by panels: for those with fewer units than threads (routers).
void MultiplyByPanels(const Model& model, const Product& product, const Tile& tile, Threads& threads) {
  const Matrix& matrix = *product.matrix;
  const auto multiply = model.kernels->matmul_f32[kernels::TypeIndex(matrix.type)];
  float* const out = product.out + tile.first_row * product.stride;
  threads.For((matrix.rows + kLanes - 1) / kLanes, 1, [&](int64_t begin, int64_t end, int) {
    alignas(64) float buffer[kUnitRows];
    for (int64_t i = begin; i < end; ++i) {
      multiply(matrix.panel(i / 2, static_cast<int>(i % 2)), nullptr, matrix.n_blocks(), tile.f32, 1, buffer, kUnitRows);
      std::copy(buffer, buffer + std::min<int64_t>(kLanes, matrix.rows - i * kLanes), out + i * kLanes);
    }
  });
}

}  // namespace

void Count(Profile* profile, const Model& model, const Matrix& matrix, int64_t n_tokens) {
  if (!profile || n_tokens == 0) return;
  profile->CountBytes(static_cast<uint64_t>(matrix.n_units()) * 2 * matrix.panel_bytes);
  const auto operations = static_cast<uint64_t>(2 * n_tokens * matrix.rows * matrix.k);
  profile->operations += operations;
  if (!ReadsQ8(model, matrix)) profile->f32_operations += operations;
}

void Multiply(const Model& model, std::span<const Product> products, std::span<const Tile> tiles, Threads& threads,
              Profile* profile) {
  int64_t n_units = 0, n_tokens = 0;
  for (const Product& product : products) n_units += product.matrix->n_units();
  for (const Tile& tile : tiles) n_tokens += tile.n_tokens;
  for (const Product& product : products) Count(profile, model, *product.matrix, n_tokens);
  if (n_units < threads.size() && n_tokens == 1 && products.size() == 1 && !products[0].add && !products[0].matrix->quantized()) {
    return MultiplyByPanels(model, products[0], tiles[0], threads);
  }
  threads.For(n_units, UnitGrain(n_units, n_tokens, threads.size()), [&](int64_t begin, int64_t end, int) {
    for (const Tile& tile : tiles) {
      int64_t first = 0;  // unit number of the product's first unit
      for (const Product& product : products) {
        const int64_t n = product.matrix->n_units();
        for (int64_t i = std::max(begin, first); i < std::min(end, first + n); ++i) {
          const int64_t unit = i - first;
          if (product.add || (unit + 1) * kUnitRows > product.matrix->rows) {
            MultiplyBuffered(model, product, unit, tile);
          } else {
            MultiplyUnit(model, *product.matrix, unit, tile, product.out + tile.first_row * product.stride + unit * kUnitRows,
                         product.stride);
          }
        }
        first += n;
      }
    }
  });
}

}  // namespace lfm::model
