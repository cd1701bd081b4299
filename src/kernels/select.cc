// Tables of kernels: which ISAs this build and this host have, and one table for each, built once.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>

#include "kernels/families.h"
#include "kernels/kernels.h"
#include "kernels/layout.h"
#include "kernels/names.h"
#include "kernels/self_check.h"

namespace lfm::kernels {
namespace {

struct Family {
  std::string_view name;
  Isa isa;
  void (*fill)(Table&);
};

constexpr Family kFamilies[] = {
#define LFM_KERNELS(family, isa, suffix) {#family, Isa::isa, &Fill_##family##__##suffix},
#include "kernels/kernels.inc"
#undef LFM_KERNELS
};

// The ISAs whose kernels a table may hold: an ISA's own and those it includes.
bool Includes(Isa isa, Isa other) {
  if (other == isa || other == Isa::kScalar) return true;
  if (isa == Isa::kAmx) return other == Isa::kAvx512Vnni || other == Isa::kAvx512Vbmi;
  if (isa == Isa::kAvx512Vbmi) return other == Isa::kAvx512Vnni;
  if (isa == Isa::kAvxVnni) return other == Isa::kAvx2;
  if (isa == Isa::kI8mm) return other == Isa::kNeon;
  return false;
}

bool Built(Isa isa) {
  return std::any_of(std::begin(kFamilies), std::end(kFamilies), [&](const Family& f) { return f.isa == isa; });
}

std::vector<Isa> Available() {
  std::vector<Isa> isas = DetectIsas();
  std::erase_if(isas, [](Isa isa) { return !Built(isa); });
  return isas;
}

// What `lfm info` prints: each family's operations with the ISA they came from. `before` is the table without the family, which
// may have left some products as they were.
void AddChosen(const Family& family, const Table& before, Table& table) {
  const std::string isa(IsaName(family.isa));
  const auto add = [&](const std::string& name) {
    const auto found = std::find_if(table.chosen.begin(), table.chosen.end(), [&](const auto& c) { return c.first == name; });
    if (found != table.chosen.end()) {
      found->second = isa;
    } else {
      table.chosen.emplace_back(name, isa);
    }
  };
  if (family.name == "ops") {
    for (const char* name : {"quantize_q8", "rms_norm", "swiglu_q8", "swiglu_f32", "norm_rope", "short_conv", "add", "add_scaled",
                             "sigmoid", "kv_store", "prepare_queries", "attend_page", "attend_merge"}) {
      add(name);
    }
    return;
  }
  if (family.name == "peak") return;  // a measurement, no operation
  const std::string_view form = family.name.substr(family.name.find('_') + 1);
  for (int i = 0; i < kTypeCount; i++) {
    const bool has =
        form == "f32" || (form == "q8" ? table.matmul_q8[i] != before.matmul_q8[i] : table.matmul_tiles[i] != nullptr);
    if (has) add(MatmulName(kTypeOrder[i], form));
  }
}

std::unique_ptr<Table> Build(Isa isa) {
  auto table = BuildUnchecked(isa);
  if (isa != Isa::kScalar) {
    const FloatMode mode;
    ReplaceDiffering(*Build(Isa::kScalar), *table);
  }
  return table;
}

}  // namespace

std::unique_ptr<Table> BuildUnchecked(Isa isa) {
  auto table = std::make_unique<Table>();
  for (const Family& family : kFamilies) {
    if (!Includes(isa, family.isa)) continue;
    const Table before = *table;
    family.fill(*table);
    AddChosen(family, before, *table);
  }
  table->isa = IsaName(isa);
  return table;
}

namespace {

size_t KvElementBytes(KvType type) { return type == KvType::kF32 ? 4 : type == KvType::kQ8_0 ? 1 : 2; }
// Of one position's scales of keys, or of values.
size_t KvScaleBytes(KvType type, int head_dim) {
  if (type == KvType::kI16) return sizeof(float);
  return type == KvType::kQ8_0 ? 2 * static_cast<size_t>((head_dim + kBlock - 1) / kBlock) : 0;
}

}  // namespace

size_t KvPageBytes(KvType type, int head_dim) {
  const size_t position = static_cast<size_t>(head_dim) * KvElementBytes(type) + KvScaleBytes(type, head_dim);
  return 2 * size_t{kPagePositions} * position;
}

// The order of a page's parts is that of kv_page.inl: scales of keys, keys, scales of values, values. Keys and their scales
// lie in groups of 16 positions, values of kI16 in pairs.
void KvClear(KvType type, int head_dim, std::byte* page, int n_positions) {
  constexpr int kGroup = 16;
  const auto n = static_cast<size_t>(n_positions);
  const size_t n_keys = (n + kGroup - 1) / kGroup * kGroup;
  const size_t n_values = type == KvType::kI16 ? (n + 1) / 2 * 2 : n;
  for (const size_t n_stored : {n_keys, n_values}) {
    for (const size_t bytes : {KvScaleBytes(type, head_dim), static_cast<size_t>(head_dim) * KvElementBytes(type)}) {
      std::memset(page, 0, n_stored * bytes);
      page += size_t{kPagePositions} * bytes;
    }
  }
}

Result<const Table*> Select(std::string_view isa) {
  static std::mutex mutex;
  static std::array<std::unique_ptr<Table>, 8> tables;  // by Isa, made once each
  std::string names;
  for (const Isa candidate : Available()) {
    if (!isa.empty() && isa != IsaName(candidate)) {
      names += (names.empty() ? "" : ", ") + std::string(IsaName(candidate));
      continue;
    }
    const std::lock_guard lock(mutex);
    std::unique_ptr<Table>& table = tables[static_cast<size_t>(candidate)];
    if (table == nullptr) table = Build(candidate);
    return table.get();
  }
  return Error{ErrorCode::kInvalidArgument,
               "isa '" + std::string(isa) + "' is unknown or not available here; this host has " + names};
}

}  // namespace lfm::kernels
