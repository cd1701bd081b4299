#include "kernels/prefetch.h"

#include <algorithm>

namespace lfm::kernels {
namespace {

PrefetchChoices UsualChoices() {
  PrefetchChoices choices;
  for (const int n_lanes : {4, 8, 16}) {
    for (int i = 0; i < kTypeCount; i++) choices.of[PrefetchRow(n_lanes)][i] = UsualPrefetch(n_lanes, kTypeOrder[i]);
  }
  return choices;
}

Prefetch& ChoiceOf(std::string_view isa, TensorType type) {
  return prefetch_choices.of[PrefetchRow(LanesOf(isa))][TypeIndex(type)];
}

}  // namespace

PrefetchChoices prefetch_choices = UsualChoices();

Prefetch UsualPrefetch(int n_lanes, TensorType type) { return UsualPrefetch(n_lanes, type, GetCpuMaker()); }

int LanesOf(std::string_view isa) {
  if (isa == IsaName(Isa::kNeon) || isa == IsaName(Isa::kI8mm)) return 4;
  return isa == IsaName(Isa::kAvx2) || isa == IsaName(Isa::kAvxVnni) ? 8 : 16;
}

Prefetch GetPrefetch(std::string_view isa, TensorType type) {
  const Prefetch& choice = ChoiceOf(isa, type);
  return {__atomic_load_n(&choice.to_second, __ATOMIC_RELAXED), __atomic_load_n(&choice.to_first, __ATOMIC_RELAXED)};
}

void SetPrefetch(std::string_view isa, TensorType type, Prefetch prefetch) {
  if (!IsTunable(type)) return;
  Prefetch& choice = ChoiceOf(isa, type);
  __atomic_store_n(&choice.to_second, std::clamp(prefetch.to_second, 0, kMostAhead), __ATOMIC_RELAXED);
  __atomic_store_n(&choice.to_first, std::clamp(prefetch.to_first, 0, kMostAhead), __ATOMIC_RELAXED);
}

}  // namespace lfm::kernels
