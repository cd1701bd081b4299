// The tile operations of amx_tiles.inl in plain C++, by the manual's description: for tests on hosts without AMX.

struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

TileConfig emulated_config;
uint8_t emulated_tiles[8][16][64];

void TilesOn(const TileConfig& config) {
  emulated_config = config;
  __builtin_memset(emulated_tiles, 0x5a, sizeof(emulated_tiles));
}
void TilesOff() { emulated_config = TileConfig(); }

void TileZero(int tile) { __builtin_memset(emulated_tiles[tile], 0, sizeof(emulated_tiles[tile])); }

void TileLoad(int tile, const void* p, int64_t stride) {
  __builtin_memset(emulated_tiles[tile], 0, sizeof(emulated_tiles[tile]));
  for (int r = 0; r < emulated_config.rows[tile]; r++) {
    __builtin_memcpy(emulated_tiles[tile][r], static_cast<const uint8_t*>(p) + r * stride, emulated_config.row_bytes[tile]);
  }
}

void TileStore(int tile, void* p, int64_t stride) {
  for (int r = 0; r < emulated_config.rows[tile]; r++) {
    __builtin_memcpy(static_cast<uint8_t*>(p) + r * stride, emulated_tiles[tile][r], emulated_config.row_bytes[tile]);
  }
}

void TileDot(int c, int a, int b) {
  for (int m = 0; m < emulated_config.rows[c]; m++) {
    for (int n = 0; n < emulated_config.row_bytes[c] / 4; n++) {
      int32_t sum;
      __builtin_memcpy(&sum, &emulated_tiles[c][m][4 * n], 4);
      for (int k = 0; k < emulated_config.row_bytes[a]; k++) {
        sum += static_cast<int8_t>(emulated_tiles[a][m][k]) * static_cast<int8_t>(emulated_tiles[b][k / 4][4 * n + k % 4]);
      }
      __builtin_memcpy(&emulated_tiles[c][m][4 * n], &sum, 4);
    }
  }
}
