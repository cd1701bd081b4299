// Saved states and prefix files from arbitrary bytes. Headers are put right for part of the inputs, so that the bytes behind
// them are read too.
#include <cstring>
#include <string>
#include <vector>

#include "base/hash.h"
#include "engine/prefix_file.h"
#include "model/sequence.h"

namespace {

lfm::model::Config SmallConfig() {
  lfm::model::Config config;
  config.layers = {{lfm::model::Mixer::kConv, lfm::model::Ffn::kDense}, {lfm::model::Mixer::kAttention, lfm::model::Ffn::kDense}};
  config.n_layers = 2;
  config.d_model = 32;
  config.n_heads = config.n_kv_heads = 1;
  config.head_dim = 32;
  config.n_taps = 3;
  return config;
}

template <typename T>
void Put(std::vector<std::byte>& bytes, size_t at, T value) {
  if (bytes.size() >= at + sizeof value) std::memcpy(bytes.data() + at, &value, sizeof value);
}

void RestoreState(lfm::model::PagePool& pool, std::vector<std::byte> bytes, uint8_t repairs) {
  if ((repairs & 1) != 0 && bytes.size() >= 32) {
    std::memcpy(bytes.data(), "LFMSTAT2", 8);
    Put(bytes, 8, pool.layout().fingerprint);
    if ((repairs & 2) != 0) Put(bytes, 24, lfm::Hash64(std::span(bytes).subspan(32)));
  }
  lfm::model::Sequence sequence(pool);
  const lfm::Status restored = sequence.Restore({1, 2, 3}, bytes);
  if (sequence.n_tokens() != (restored.ok() ? 3 : 0)) __builtin_trap();
  lfm::model::State state(pool);
  if (!state.Restore(bytes).ok()) return;
  const std::vector<std::byte> saved = state.Save();
  if (saved != bytes) __builtin_trap();  // what is taken is taken whole
}

void ReadPrefix(std::vector<std::byte> bytes, const lfm::engine::PrefixFileKey& key, uint8_t repairs) {
  if ((repairs & 1) != 0 && bytes.size() >= 56) {
    std::memcpy(bytes.data(), "LFMPFX01", 8);
    Put(bytes, 8, key.layout);
    Put(bytes, 16, key.model);
    Put(bytes, 24, key.page_bytes);
    Put(bytes, 32, uint32_t{1});
    Put(bytes, 36, static_cast<uint32_t>(key.vocab_size));
  }
  int64_t n = 0;
  const lfm::Status read = lfm::engine::ReadPrefixFile(bytes, key, [&](const lfm::engine::PrefixFilePage& page) {
    if (page.parent >= n++ || page.data.size() != key.page_bytes || page.ids.size() != 64) __builtin_trap();
    return true;
  });
  if (!read.ok() && n > 0) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  static lfm::model::PagePool pool(lfm::model::StateLayout(SmallConfig(), lfm::kernels::KvType::kF16), 8);
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 1,
                                     reinterpret_cast<const std::byte*>(data) + size);
  RestoreState(pool, bytes, data[0]);
  ReadPrefix(bytes, {pool.layout().fingerprint, 42, 16, 100}, data[0]);
  if (pool.n_used() != 0) __builtin_trap();
  return 0;
}
