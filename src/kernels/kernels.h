// The numeric kernels: what the model asks of a CPU, as one table of function pointers.
//
// Every kernel gives the same bits on every ISA (docs/numerics.md, numerics v1). The unit of thought is a virtual
// vector of 16 f32 lanes. Matrix products: a lane is a weight row, walks along k in order; inside a block of 32 the
// products are exact integers (or two f32 chains), and blocks are added with one fma each, in order, from +0.
// Kernels have no threads and no allocation, never fail, and may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/tensor_type.h"

namespace lfm::kernels {

constexpr int kBlock = 32;       // k per activation block
constexpr int kLanes = 16;       // weight rows of a panel
constexpr int kUnitRows = 32;    // rows of two panels: the unit of work of a matrix product
constexpr int kMaxTile = 128;    // most tokens of one activation tile; Table::max_tile is what an ISA likes
constexpr int kTileTokens = 16;  // tokens of a Q8Tile
// Tokens from which matmul_tiles beats matmul_q8. Measured with AMX against AVX-512 VNNI on Emerald Rapids: Q4_0 144 cycles
// against 143 a tile of 16 x 16 x 32 at 12 tokens, 186 against 164 at 8.
constexpr int kMinTileTokens = 12;
constexpr int kTypeCount = 25;      // weight types (TypeIndex)
constexpr int kSuperBlocks = 8;     // blocks of 32 in a super-panel (layout.h)
constexpr int kPagePositions = 64;  // positions of a KV page

// 32 activations as int8 with their scale. nsum0/nsum1 are MINUS the sums of the two halves of q, and nsums[half] the parts
// of these that stand first and second (pair 0), or third and fourth (pair 1) in each group of four.
// d = amax / 127; q = round-to-even(x * (127 / amax)); dsum = d * float(sum of q). All zero when amax < 2^-100.
struct Q8Block {
  int8_t q[kBlock];
  float d;
  float dsum;
  int32_t nsum0, nsum1;
  int16_t nsums[2][2];
};
static_assert(sizeof(Q8Block) == 56);

// 32 activations as they are.
struct F32Block {
  float x[kBlock];
};

// 16 tokens of one block in the form of tile units (AMX): what their Q8Blocks hold, apart. A tile of n_tokens is
// [TileSupers(k / 32)][TileGroups(n_tokens)][kSuperBlocks] of them; tokens that are missing may hold anything finite.
struct alignas(64) Q8Tile {
  int8_t q[kTileTokens][kBlock];
  float d[kTileTokens];
  float dsum[kTileTokens];
};
static_assert(sizeof(Q8Tile) == 640);
// Groups of 16 tokens, an even number: two share each load of weights.
constexpr int64_t TileGroups(int64_t n_tokens) { return (n_tokens + 2 * kTileTokens - 1) / (2 * kTileTokens) * 2; }
constexpr int64_t TileSupers(int64_t n_blocks) { return (n_blocks + kSuperBlocks - 1) / kSuperBlocks; }

// Activations of a tile of n_tokens <= kMaxTile: block-major, [k / 32][n_tokens] records.
// A work unit of one thread reads them front to back.

// The packed form of a weight matrix [rows, k]: panels of 16 rows, two panels to a unit; rows are padded with zeros to
// a multiple of 32. k is a multiple of 32. A panel is contiguous; panel_bytes depends on type and k only.
size_t PanelBytes(TensorType type, int64_t k);

// Packs 16 rows (src + i * row_bytes; rows beyond n_valid become zero) of GGUF blocks of `type` into one panel.
// False when a scale is not finite (the caller names the tensor). Thread-safe.
bool PackPanel(TensorType type, const std::byte* src, size_t row_bytes, int n_valid, int64_t k, std::byte* panel);

// Writes row i_row (0..15) of a panel as f32 values [k]: embedding look-up. One implementation for all ISAs.
void UnpackRow(TensorType type, const std::byte* panel, int i_row, int64_t k, float* out);

// Recovers the exact GGUF blocks of row i_row from a panel: the inverse of PackPanel.
void UnpackBlocks(TensorType type, const std::byte* panel, int i_row, int64_t k, std::byte* out);

// One block of stored values as f32, by the formulas of gguf's reference. n is a multiple of the block size.
void Dequantize(TensorType type, const std::byte* src, int64_t n, float* out);

// kI16 holds integers of 13 bits with a scale per position, and attends in exact integer sums (docs/numerics.md).
enum class KvType : uint8_t { kF16, kF32, kQ8_0, kI16 };
constexpr int kKvTypes = 4;

// A page of one layer and one KV head holds 64 keys and 64 values of head_dim, opaque to all but the kernels.
size_t KvPageBytes(KvType type, int head_dim);
// Zeroes what positions before n_positions (0 to 64) have written; what lies beyond stays as it is.
void KvClear(KvType type, int head_dim, std::byte* page, int n_positions);

// Running softmax of one query vector: acc holds sum p_j v_j, to be divided by l at the end.
struct AttentionState {
  float m;  // running maximum, -inf at first
  float l;  // running sum of exp(s - m)
};

// A matrix product of one unit with one tile: out[t * out_stride + r] = sum_k w[r, k] x[t, k], r in [0, 32).
// panel0 and panel1 hold rows 0..15 and 16..31; n_blocks = k / 32. For one token and weights of F32, F16 or BF16
// panel1 may be null: rows 0..15 alone.
using MatmulQ8 = void (*)(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Block* x, int n_tokens,
                          float* out, int64_t out_stride) noexcept;
using MatmulF32 = void (*)(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const F32Block* x, int n_tokens,
                           float* out, int64_t out_stride) noexcept;

// The same from the form of tile units.
using MatmulTiles = void (*)(const std::byte* panel0, const std::byte* panel1, int64_t n_blocks, const Q8Tile* x, int n_tokens,
                             float* out, int64_t out_stride) noexcept;

// One row of numbers per ISA. All pointers but those of matmul_tiles are set in a table that Select() returned.
struct Table {
  // Products, by weight type (index: TypeIndex). F32/F16/BF16 have no q8 form (null).
  MatmulQ8 matmul_q8[kTypeCount];
  MatmulF32 matmul_f32[kTypeCount];
  // Null where the ISA has no tiles or they do not help the type; else for tiles of kMinTileTokens and more.
  MatmulTiles matmul_tiles[kTypeCount];
  int max_tile = 64;  // tokens that a tile should hold at most: as many as the caches bear

  // x [n] -> n / 32 blocks, written `stride` records apart (the tile's block-major order).
  void (*quantize_q8)(const float* x, int64_t n, Q8Block* out, int64_t stride) noexcept;

  // out[i] = (x[i] * r) * w[i], r = 1 / sqrt(mean(x^2) + eps); 16 partial sums, one fixed tree. out may be x.
  void (*rms_norm)(const float* x, const float* w, int64_t n, float eps, float* out) noexcept;

  // gate, up [n_tokens][32] (row stride `stride`): h = silu(gate) * up; writes one record a token, adjacent.
  void (*swiglu_q8)(const float* gate, const float* up, int n_tokens, int64_t stride, Q8Block* out) noexcept;
  void (*swiglu_f32)(const float* gate, const float* up, int n_tokens, int64_t stride, F32Block* out) noexcept;

  // In place, one head of head_dim: RMS norm with weight w, then rotation of pairs (i, i + head_dim / 2) by
  // cos, sin [head_dim / 2].
  void (*norm_rope)(float* x, const float* w, const float* cos, const float* sin, int head_dim, float eps) noexcept;

  // Short convolution of one token and n channels: y = sum_j taps[j] * u_j by fma from +0, oldest first, where u_j is
  // history[j] for j < n_taps - 1 and u (this token's) at last; out = c * y. taps is [n_taps][n].
  void (*short_conv)(const float* u, const float* c, const float* const* history, const float* taps, int n_taps, int64_t n,
                     float* out) noexcept;

  // out[i] += x[i]; out[i] = fma(w, x[i], out[i]).
  void (*add)(const float* x, int64_t n, float* out) noexcept;
  void (*add_scaled)(const float* x, float w, int64_t n, float* out) noexcept;

  // 1 / (1 + exp(-x)), elementwise.
  void (*sigmoid)(const float* x, int64_t n, float* out) noexcept;

  // Stores one position's key and value [head_dim] into a page (index KvType).
  void (*kv_store[kKvTypes])(std::byte* page, int i_position, const float* key, const float* value, int head_dim) noexcept;
  // Makes n query vectors (already scaled) [n][head_dim] what attend_page takes, in place.
  void (*prepare_queries[kKvTypes])(float* queries, int n, int head_dim) noexcept;
  // n_queries prepared query vectors of one KV head against one page: query i sees the page's first
  // n_keys[i] positions (0..64). Updates state[i] and acc[i * head_dim ...]. `next` is the page that this thread will meet
  // after this one, or null: it is fetched while this one is read, which changes nothing but the time.
  void (*attend_page[kKvTypes])(const std::byte* page, const std::byte* next, const float* queries, const int* n_keys,
                                int n_queries, int head_dim, AttentionState* state, float* acc) noexcept;
  // Merges n_parts partial results (in order) of one query: out[i] = sum_p w_p acc_p[i] / sum_p w_p l_p,
  // w_p = exp(m_p - max m). acc is [n_parts] of head_dim, `stride` floats apart; states `state_stride` apart.
  void (*attend_merge)(const AttentionState* state, int64_t state_stride, const float* acc, int64_t stride, int n_parts,
                       int head_dim, float* out) noexcept;

  // Multiplies int8 numbers held in registers, `rounds` times over, and gives the number of operations (a
  // multiply-add is two): what the ISA's units can do at most, for rooflines. Nothing else comes out of it.
  int64_t (*int8_peak)(int64_t rounds) noexcept;
  // The same with f32 numbers.
  int64_t (*f32_peak)(int64_t rounds) noexcept;
  // Reads n lines of 64 bytes (a multiple of 4) in order, as fast as memory gives them. What comes out says nothing.
  uint64_t (*read_peak)(const std::byte* lines, int64_t n_lines) noexcept;

  // What was chosen, for `lfm info`: (operation, kernel) such as ("matmul_q4_k_q8", "avx512vnni").
  std::vector<std::pair<std::string, std::string>> chosen;
  std::string isa;  // the name of the best ISA in use
};

// Dense index 0 .. kTypeCount - 1 of a type, for the tables above.
int TypeIndex(TensorType type);

// ISAs in order of preference. kScalar runs everywhere.
enum class Isa { kScalar, kAvx2, kAvxVnni, kAvx512Vnni, kAvx512Vbmi, kAmx, kNeon, kI8mm };
std::string_view IsaName(Isa isa);  // "scalar", "avx2", "avxvnni", "avx512vnni", "avx512vbmi", "amx", "neon", "i8mm"
// What this host (CPU and OS: XGETBV, arch_prctl for AMX) can run, best first; always ends with kScalar.
std::vector<Isa> DetectIsas();

// The table for an ISA name, or the host's best for "". An unknown name or one the host lacks is an error that lists
// those it has. Tables are built once and live for ever. Thread-safe.
Result<const Table*> Select(std::string_view isa);

// Sets round-to-nearest and denormals on (no FTZ/DAZ) for the calling thread while it lives, then restores.
class FloatMode {
 public:
  FloatMode();
  ~FloatMode();
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace lfm::kernels
