// The int8 limit of AMX: four accumulating tiles, each product 16 x 64 by 64 x 16. Over the real tiles and, in tests,
// over the emulated ones.

inline int64_t AmxInt8Peak(int64_t rounds) noexcept {
  TileConfig config;
  for (int i = 0; i < 8; ++i) {
    config.rows[i] = 16;
    config.row_bytes[i] = 64;
  }
  alignas(64) int8_t bytes[16 * 64];
  for (int i = 0; i < 16 * 64; ++i) bytes[i] = static_cast<int8_t>(i % 7 - 3);
  TilesOn(config);
  TileZero(0);
  TileZero(1);
  TileZero(2);
  TileZero(3);
  TileLoad(4, bytes, 64);
  TileLoad(5, bytes, 64);
  TileLoad(6, bytes, 64);
  TileLoad(7, bytes, 64);
  for (int64_t r = 0; r < rounds; ++r) {
    TileDot(0, 4, 6);
    TileDot(1, 4, 7);
    TileDot(2, 5, 6);
    TileDot(3, 5, 7);
  }
  TilesOff();
  return rounds * 4 * (2 * 16 * 16 * 64);
}
