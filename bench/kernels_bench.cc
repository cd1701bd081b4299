// Every kernel beside the limit it works against: memory reads for one token, integer operations for many.
//   bench_kernels --benchmark_filter='read|q4_0/1$'
// Products stream over LFM_BENCH_MB (default 1,200) of packed weights, split over two threads as in decoding. Names:
// matmul_<type>_q8/<isa>/<tokens>. Compare ratios within a run; machines are shared and noisy.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/layout.h"
#include "kernels/names.h"

namespace lfm::kernels {
namespace {

constexpr int kThreads = 2;
constexpr int64_t kColumns = 2048;

size_t WeightBytes() {
  const char* const megabytes = std::getenv("LFM_BENCH_MB");
  return (megabytes == nullptr ? 1200 : static_cast<size_t>(std::atoi(megabytes))) << 20;
}

struct FreeAligned {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

// One buffer serves every type: bytes that give finite scales and any quants.
std::byte* Weights() {
  static const std::unique_ptr<std::byte[], FreeAligned> buffer = [] {
    std::unique_ptr<std::byte[], FreeAligned> bytes(
        static_cast<std::byte*>(::operator new[](WeightBytes(), std::align_val_t{64})));
    uint32_t state = 1;
    for (size_t i = 0; i < WeightBytes(); i += 4) {
      state = state * 1664525u + 1013904223u;
      const uint32_t word = state & 0x2f7f2f7fu;  // every f16 and bf16 in it is finite
      std::memcpy(bytes.get() + i, &word, 4);
    }
    return bytes;
  }();
  return buffer.get();
}

// The limit of one token: each thread reads its half.
void BM_Read(benchmark::State& state, const Table* table) {
  const size_t n = WeightBytes() / kThreads / 256 * 256;
  const std::byte* const begin = Weights() + static_cast<size_t>(state.thread_index()) * n;
  for (auto _ : state) benchmark::DoNotOptimize(table->read_peak(begin, static_cast<int64_t>(n / 64)));
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(n) * static_cast<double>(state.iterations()) * 1e-9, benchmark::Counter::kIsRate);
}

void BM_Matmul(benchmark::State& state, const Table* table, int index, std::string_view form, int n_tokens) {
  const size_t unit_bytes = 2 * PanelBytes(kTypeOrder[index], kColumns);
  const size_t part = WeightBytes() / kThreads;
  // Much work for each byte does not need all of them.
  const size_t n_units = (n_tokens == 1 ? part : part / 16) / unit_bytes;
  const std::byte* const begin = Weights() + static_cast<size_t>(state.thread_index()) * part;
  const int64_t n_blocks = kColumns / kBlock;
  std::vector<float> x(kColumns), out(kMaxTile * kUnitRows);
  for (size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i % 17) - 8.0f;
  std::vector<Q8Block> quantized(static_cast<size_t>(n_blocks * n_tokens));
  std::vector<F32Block> plain(quantized.size());
  std::vector<Q8Tile> tiles(static_cast<size_t>(TileSupers(n_blocks) * TileGroups(n_tokens) * kSuperBlocks));
  for (int t = 0; t < n_tokens; t++) {
    table->quantize_q8(x.data(), kColumns, &quantized[static_cast<size_t>(t)], n_tokens);
    for (size_t i = 0; i < x.size(); i++) plain[i / 32 * static_cast<size_t>(n_tokens) + static_cast<size_t>(t)].x[i % 32] = x[i];
  }
  uint32_t noise = 1;  // tile units are slower on noise than on zeros
  for (Q8Tile& tile : tiles) {
    for (auto& row : tile.q) {
      for (int8_t& q : row) q = static_cast<int8_t>((noise = noise * 1664525u + 1013904223u) >> 24);
    }
    for (float& d : tile.d) d = 0.01f;
    for (float& dsum : tile.dsum) dsum = 0.1f;
  }
  for (auto _ : state) {
    for (size_t i = 0; i < n_units; i++) {
      const std::byte* const panel = begin + i * unit_bytes;
      if (form == "tiles") {
        table->matmul_tiles[index](panel, panel + unit_bytes / 2, n_blocks, tiles.data(), n_tokens, out.data(), kUnitRows);
      } else if (form == "q8") {
        table->matmul_q8[index](panel, panel + unit_bytes / 2, n_blocks, quantized.data(), n_tokens, out.data(), kUnitRows);
      } else {
        table->matmul_f32[index](panel, panel + unit_bytes / 2, n_blocks, plain.data(), n_tokens, out.data(), kUnitRows);
      }
      benchmark::ClobberMemory();
    }
  }
  const double n = static_cast<double>(n_units) * static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(n * static_cast<double>(unit_bytes) * 1e-9, benchmark::Counter::kIsRate);
  state.counters["TOPS"] =
      benchmark::Counter(n * 2e-12 * static_cast<double>(kColumns * kUnitRows * n_tokens), benchmark::Counter::kIsRate);
}

// One KV head of dimension 64 with 4 query heads (decode) or 32 tokens of them (prefill), over 64 pages.
void BM_Attend(benchmark::State& state, const Table* table, int type, int n_queries) {
  constexpr int kHeadDim = 64, kPages = 64;
  const size_t page_bytes = KvPageBytes(static_cast<KvType>(type), kHeadDim);
  std::vector<std::byte> pages(page_bytes * kPages);
  std::vector<float> row(kHeadDim, 0.25f), queries(static_cast<size_t>(n_queries * kHeadDim), 0.5f), acc(queries.size());
  for (int i = 0; i < kPages * kPagePositions; i++) {
    table->kv_store[type](&pages[static_cast<size_t>(i / kPagePositions) * page_bytes], i % kPagePositions, row.data(),
                          row.data(), kHeadDim);
  }
  const std::vector<int> n_keys(static_cast<size_t>(n_queries), kPagePositions);
  std::vector<AttentionState> states(static_cast<size_t>(n_queries), AttentionState{0.0f, 1.0f});
  for (auto _ : state) {
    for (size_t p = 0; p < kPages; p++) {
      table->attend_page[type](&pages[p * page_bytes], &pages[(p + 1) % kPages * page_bytes], queries.data(), n_keys.data(),
                               n_queries, kHeadDim, states.data(), acc.data());
    }
    benchmark::ClobberMemory();
  }
  const double n = kPages * static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(n * static_cast<double>(page_bytes) * 1e-9, benchmark::Counter::kIsRate);
  state.counters["GFLOPS"] = benchmark::Counter(n * 4e-9 * kPagePositions * kHeadDim * n_queries, benchmark::Counter::kIsRate);
}

void BM_Op(benchmark::State& state, const Table* table, int op) {
  std::vector<float> x(kColumns, 0.7f), y(kColumns, 0.3f);
  std::vector<Q8Block> q(kColumns / kBlock);
  for (auto _ : state) {
    if (op == 0) table->rms_norm(x.data(), y.data(), kColumns, 1e-5f, x.data());
    if (op == 1) table->quantize_q8(x.data(), kColumns, q.data(), 1);
    if (op == 2) table->swiglu_q8(x.data(), y.data(), kColumns / kBlock, kBlock, q.data());
    benchmark::ClobberMemory();
  }
  state.counters["values/s"] =
      benchmark::Counter(static_cast<double>(kColumns * state.iterations()), benchmark::Counter::kIsRate);
}

void RegisterAll() {
  for (const Isa isa : DetectIsas()) {
    const auto selected = Select(IsaName(isa));
    if (!selected.ok()) continue;
    const Table* const table = *selected;
    const std::string suffix = "/" + table->isa;
    benchmark::RegisterBenchmark(("read" + suffix).c_str(), [=](benchmark::State& s) { BM_Read(s, table); })
        ->Threads(kThreads)
        ->UseRealTime();
    for (int i = 0; i < kTypeCount; i++) {
      for (const std::string_view form : {"q8", "f32", "tiles"}) {
        if (form == "q8" && !InfoOf(kTypeOrder[i]).quantized) continue;
        if (form == "tiles" && table->matmul_tiles[i] == nullptr) continue;
        for (const int n : {1, 2, 4, 8, 12, 16, 32, 64, 128}) {
          const std::string name = MatmulName(kTypeOrder[i], form) + suffix + "/" + std::to_string(n);
          benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { BM_Matmul(s, table, i, form, n); })
              ->Threads(kThreads)
              ->UseRealTime()
              ->Unit(benchmark::kMillisecond);
        }
      }
    }
    const char* const kv[] = {"f16", "f32", "q8_0"};
    for (int type = 0; type < 3; type++) {
      for (const int n : {4, 128}) {
        const std::string name = std::string("attend_page_") + kv[type] + suffix + "/" + std::to_string(n);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { BM_Attend(s, table, type, n); });
      }
    }
    const char* const ops[] = {"rms_norm", "quantize_q8", "swiglu_q8"};
    for (int op = 0; op < 3; op++) {
      benchmark::RegisterBenchmark((ops[op] + suffix).c_str(), [=](benchmark::State& s) { BM_Op(s, table, op); });
    }
  }
}

}  // namespace
}  // namespace lfm::kernels

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lfm::kernels::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
