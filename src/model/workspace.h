// The buffers behind a Workspace, shared by the files of the forward pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/forward.h"
#include "model/tiles.h"

namespace lfm::model {

// Positions of an attention split: fixed, so that the order of sums never depends on threads or batches.
constexpr int64_t kSplitPages = 16;
constexpr int64_t kSplitPositions = kSplitPages * kernels::kPagePositions;
// Query vectors that meet a page together, at most.
constexpr int kMaxQueries = 128;

// Partial results of attention blocks, [n_splits][n_queries] each: room for a whole block a thread, or for many blocks of a few
// queries. For 64 dims, 32,768 positions and two threads 2.2 MB.
struct AttentionPartials {
  std::vector<kernels::AttentionState> state;
  std::vector<float> acc;      // head_dim each
  std::vector<float> queries;  // [n_threads][kMaxQueries][head_dim]: of the block in hand
};

// A row of the batch: which item it belongs to and its position in that sequence.
struct Row {
  int32_t i_item;
  int32_t token;
  int64_t position;
};

// The router's decision for one layer, for all rows.
struct Routing {
  std::vector<int32_t> experts;      // [n][used], in the router's order
  std::vector<float> weights;        // [n][used]
  std::vector<int64_t> slots;        // [n][used]: the row's place among the rows sorted by expert
  std::vector<int32_t> row_of_slot;  // [n * used]
  std::vector<int32_t> active;       // experts with at least one row
  std::vector<int64_t> sizes;        // rows of each active expert
  std::vector<int64_t> first_tile;   // of each active expert, and the end
  std::vector<int64_t> cursor;       // scratch, [experts]
};

// A SwiGLU network and the tiles that pass through it in this step.
struct NetworkWork {
  const SwiGlu* ffn;
  std::span<const Tile> tiles;
  int64_t first_tile;  // number of tiles[0] in the hidden buffer
};

// How the rows of a step that want logits meet the head.
struct HeadPlan {
  // Rows that want the same logits. Their slots, the places of rows in tiles, are adjacent.
  struct Group {
    std::span<const int32_t> ids;  // empty: all
    int64_t first_slot = 0, n_rows = 0;
    int64_t offset = 0;  // of its logits
  };
  // A logit that a group wants of a unit of the head.
  struct Pick {
    int32_t group;
    int32_t row;    // in the unit
    int64_t place;  // in the group's ids
  };
  struct Job {
    int64_t unit;
    int32_t tiles;  // number in first_tile
    int64_t first_pick, end_pick;
  };
  struct LogitRow {
    int64_t offset, size;
  };
  std::vector<std::span<const int32_t>> ids;  // of each wanted row; empty: all
  std::vector<Group> groups;                  // the first one wants all, and may have no rows
  std::vector<int32_t> group_of_row;
  std::vector<int64_t> slot_of_row;
  std::vector<LogitRow> rows;       // where each wanted row's logits are
  std::vector<Pick> picks;          // by unit, then group
  std::vector<int64_t> first_pick;  // of each unit, and the end
  bool together = false;            // groups but the first share tiles
  std::vector<int64_t> sizes;       // rows of each group of tiles
  std::vector<int64_t> first_tile;  // of each group of tiles, and the end
  std::vector<Job> jobs;
};

struct Workspace::Buffers {
  int64_t max_tokens = 0, max_logits = 0, max_positions = 0;
  int64_t n_logits = 0, vocab_size = 0;

  std::vector<Row> rows;
  std::vector<int64_t> first_row;    // of each item
  std::vector<int64_t> first_block;  // of each item, counted in attention blocks
  std::vector<float> x;              // [n, d]: the residual stream
  std::vector<float> normed;         // [n_threads, d]: a normed row on its way into a tile
  std::vector<float> wide;           // [n, max(3 d, q + 2 kv)]: B, C, X or Q, K, V
  std::vector<float> mixed;          // [n, max(d, q)]: what the mixers hand to their output projection; u of the conv
  std::vector<float> cos, sin;       // [n, head_dim / 2]
  std::vector<float> scores;         // [n, experts]
  std::vector<float> y;              // [n * used, d]: the experts' outputs
  std::vector<float> logits;         // [max_logits * vocab]: rows of vocab or fewer, where head.rows says
  std::vector<int64_t> wanted;       // rows that get logits
  HeadPlan head;
  std::vector<uint8_t> is_finite;  // of each item: all numbers of its rows were finite
  TileBuffer in;                   // normed activations, width d (or q for the attention output)
  TileBuffer expert_in;            // the same by expert
  TileBuffer hidden;               // SwiGLU outputs
  Routing routing;
  std::vector<NetworkWork> work;
  AttentionPartials partials;
};

}  // namespace lfm::model
