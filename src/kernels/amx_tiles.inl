// The few tile operations used, on the AMX unit. amx_tiles_emulated.inl has the same names in plain C++, for tests on
// hosts without it.

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

LFM_INLINE void TilesOn(const TileConfig& config) {
  // g++ 12 believes that ldtilecfg reads 8 bytes and drops the stores that fill the rest, without the clobber.
  __asm__ volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}
LFM_INLINE void TilesOff() { _tile_release(); }

// Macros, because the compiler's own are: a tile's number must be a literal.
#define TileZero(tile) _tile_zero(tile)
#define TileLoad(tile, p, stride)                                                                                 \
  do { /* g++'s tileloadd does not say that it reads memory: without the clobber the stores before it could go */ \
    __asm__ volatile("" : : : "memory");                                                                          \
    _tile_loadd(tile, p, stride);                                                                                 \
  } while (false)
#define TileStore(tile, p, stride) _tile_stored(tile, p, stride)
// C[m][n] += sum over k of A[m][k] * B[k / 4][4 n + k % 4], all int8.
#define TileDot(c, a, b) _tile_dpbssd(c, a, b)
