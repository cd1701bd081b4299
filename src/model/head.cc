// The output head: the last norm and the logits that a step's rows ask for, of the whole vocabulary or of a few tokens.
//
// Rows of the head lie in units of 32. A row that asks for a few tokens meets the units that hold them, by the kernels
// that the whole product takes, and what it asked for is picked from their results: so the bits are the same. Rows that ask for
// the same tokens form a group and share tiles.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "model/steps.h"

namespace lfm::model {
namespace {

using kernels::kMaxTile;
using kernels::kUnitRows;

// What a unit costs beside its tokens, in tokens: reading and unpacking it. Of Q4_0 it took as long with 1 token as with 4 to 8
// (AMX and AVX2, one thread).
constexpr int64_t kUnitCost = 4;

bool SameIds(std::span<const int32_t> a, std::span<const int32_t> b) {
  if (a.size() != b.size()) return false;
  return a.data() == b.data() || std::equal(a.begin(), a.end(), b.begin());
}

// Puts the rows into groups, those that want the whole vocabulary first, and gives each its place among the logits.
void GroupRows(HeadPlan& plan, int64_t n, int64_t vocab_size) {
  plan.groups.clear();
  plan.groups.push_back({});  // of the whole rows
  plan.group_of_row.clear();
  for (int64_t i = 0; i < n; ++i) {
    const std::span<const int32_t> ids = plan.ids[static_cast<size_t>(i)];
    size_t group = 0;
    if (!ids.empty()) {
      group = 1;
      while (group < plan.groups.size() && !SameIds(plan.groups[group].ids, ids)) ++group;
      if (group == plan.groups.size()) plan.groups.push_back({ids, 0, 0, 0});
    }
    plan.groups[group].n_rows += 1;
    plan.group_of_row.push_back(static_cast<int32_t>(group));
  }
  int64_t slot = 0, offset = 0;
  for (HeadPlan::Group& group : plan.groups) {
    group.first_slot = slot;
    group.offset = offset;
    slot += group.n_rows;
    offset += group.n_rows * (group.ids.empty() ? vocab_size : static_cast<int64_t>(group.ids.size()));
    group.n_rows = 0;  // counted again as the rows get their slots
  }
  plan.slot_of_row.clear();
  plan.rows.clear();
  for (int64_t i = 0; i < n; ++i) {
    HeadPlan::Group& group = plan.groups[static_cast<size_t>(plan.group_of_row[static_cast<size_t>(i)])];
    const int64_t size = group.ids.empty() ? vocab_size : static_cast<int64_t>(group.ids.size());
    plan.slot_of_row.push_back(group.first_slot + group.n_rows);
    plan.rows.push_back({group.offset + group.n_rows * size, size});
    group.n_rows += 1;
  }
}

// The picks of all groups by unit, and in a unit by group: a counting sort.
void SortPicks(HeadPlan& plan, int64_t n_units) {
  plan.first_pick.assign(static_cast<size_t>(n_units) + 1, 0);
  for (const HeadPlan::Group& group : plan.groups) {
    for (const int32_t id : group.ids) plan.first_pick[static_cast<size_t>(id / kUnitRows) + 1] += 1;
  }
  for (size_t unit = 0; unit < static_cast<size_t>(n_units); ++unit) plan.first_pick[unit + 1] += plan.first_pick[unit];
  plan.picks.resize(static_cast<size_t>(plan.first_pick.back()));
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const std::span<const int32_t> ids = plan.groups[g].ids;
    for (size_t i = 0; i < ids.size(); ++i) {
      int64_t& at = plan.first_pick[static_cast<size_t>(ids[i] / kUnitRows)];
      plan.picks[static_cast<size_t>(at++)] = {static_cast<int32_t>(g), ids[i] % kUnitRows, static_cast<int64_t>(i)};
    }
  }
  for (size_t unit = static_cast<size_t>(n_units); unit > 0; --unit) plan.first_pick[unit] = plan.first_pick[unit - 1];
  plan.first_pick[0] = 0;
}

// What is to be multiplied: a unit with the tiles of each group that picks from it, or, where that takes more work than it
// spares, with the tiles of all.
void ListJobs(HeadPlan& plan, int64_t n_units) {
  int64_t n_rows = 0, n_used = 0, apart = 0;
  for (size_t g = 1; g < plan.groups.size(); ++g) n_rows += plan.groups[g].n_rows;
  plan.jobs.clear();
  for (int64_t unit = 0; unit < n_units; ++unit) {
    const int64_t end = plan.first_pick[static_cast<size_t>(unit) + 1];
    n_used += plan.first_pick[static_cast<size_t>(unit)] < end ? 1 : 0;
    for (int64_t at = plan.first_pick[static_cast<size_t>(unit)]; at < end;) {
      const int32_t group = plan.picks[static_cast<size_t>(at)].group;
      const int64_t begin = at;
      while (at < end && plan.picks[static_cast<size_t>(at)].group == group) ++at;
      plan.jobs.push_back({unit, group, begin, at});
      apart += kUnitCost + plan.groups[static_cast<size_t>(group)].n_rows;
    }
  }
  plan.together = plan.groups.size() > 2 && n_used * (kUnitCost + n_rows) < apart;
  if (!plan.together) return;
  plan.jobs.clear();
  for (int64_t unit = 0; unit < n_units; ++unit) {
    const int64_t begin = plan.first_pick[static_cast<size_t>(unit)], end = plan.first_pick[static_cast<size_t>(unit) + 1];
    if (begin < end) plan.jobs.push_back({unit, 1, begin, end});
  }
}

// The tiles of the groups, or of the whole rows and all others.
void ArrangeTiles(const StepContext& step, HeadPlan& plan) {
  plan.sizes.clear();
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    if (plan.together && g > 1) {
      plan.sizes.back() += plan.groups[g].n_rows;
    } else {
      plan.sizes.push_back(plan.groups[g].n_rows);
    }
  }
  step.b.in.ArrangeGroups(plan.sizes, step.model.config.d_model, plan.first_tile);
}

void NormIntoSlots(const StepContext& step, const HeadPlan& plan, Forms forms) {
  const int64_t d = step.model.config.d_model;
  step.threads.For(step.n, 4, [&](int64_t begin, int64_t end, int i_thread) {
    float* normed = step.b.normed.data() + i_thread * d;
    for (int64_t i = begin; i < end; ++i) {
      step.model.kernels->rms_norm(step.b.x.data() + i * d, step.model.weights.final_norm.data(), d, step.model.config.norm_eps,
                                   normed);
      step.b.in.Store(*step.model.kernels, forms, plan.slot_of_row[static_cast<size_t>(i)], normed);
    }
  });
}

// One job with one of its tiles: all 32 logits of the unit, of which the picks are kept.
void RunJob(const StepContext& step, const HeadPlan& plan, const HeadPlan::Job& job, const Tile& tile) {
  alignas(64) float buffer[kMaxTile * kUnitRows];
  MultiplyUnit(step.model, step.model.weights.head, job.unit, tile, buffer, kUnitRows);
  for (int64_t at = job.first_pick; at < job.end_pick; ++at) {
    const HeadPlan::Pick& pick = plan.picks[static_cast<size_t>(at)];
    const HeadPlan::Group& group = plan.groups[static_cast<size_t>(pick.group)];
    const auto size = static_cast<int64_t>(group.ids.size());
    const int64_t begin = std::max(tile.first_row, group.first_slot);
    const int64_t end = std::min(tile.first_row + tile.n_tokens, group.first_slot + group.n_rows);
    float* const out = step.b.logits.data() + group.offset + pick.place;
    for (int64_t slot = begin; slot < end; ++slot) {
      out[(slot - group.first_slot) * size] = buffer[(slot - tile.first_row) * kUnitRows + pick.row];
    }
  }
}

// Adds a unit that meets n_tokens to the profile, if there is one.
void CountUnit(const StepContext& step, int64_t n_tokens) {
  if (!step.profile) return;
  const Matrix& head = step.model.weights.head;
  step.profile->CountBytes(2 * head.panel_bytes);
  const auto operations = static_cast<uint64_t>(2 * n_tokens * kUnitRows * head.k);
  step.profile->operations += operations;
  if (!ReadsQ8(step.model, head)) step.profile->f32_operations += operations;
}

void MultiplyPicked(const StepContext& step, const HeadPlan& plan) {
  const auto n_jobs = static_cast<int64_t>(plan.jobs.size());
  for (const HeadPlan::Job& job : plan.jobs) CountUnit(step, plan.sizes[static_cast<size_t>(job.tiles)]);
  step.threads.For(n_jobs, UnitGrain(n_jobs, step.n, step.threads.size()), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const HeadPlan::Job& job = plan.jobs[static_cast<size_t>(i)];
      const auto tiles = static_cast<size_t>(job.tiles);
      for (int64_t t = plan.first_tile[tiles]; t < plan.first_tile[tiles + 1]; ++t) {
        RunJob(step, plan, job, step.b.in.tiles()[static_cast<size_t>(t)]);
      }
    }
  });
}

}  // namespace

void HeadStep(const StepContext& step) {
  const PhaseTimer timer(step.profile, Phase::kHead);
  HeadPlan& plan = step.b.head;
  const Matrix& head = step.model.weights.head;
  GroupRows(plan, step.n, step.b.vocab_size);
  if (step.n == 0) return;
  plan.jobs.clear();
  plan.together = false;
  if (plan.groups.size() > 1) {
    SortPicks(plan, head.n_units());
    ListJobs(plan, head.n_units());
  }
  ArrangeTiles(step, plan);
  Forms forms;
  Need(step.model, head, forms);
  NormIntoSlots(step, plan, forms);
  Observe(step, head, step.b.in.tiles());
  if (plan.sizes[0] > 0) {
    const Product product{&head, step.b.logits.data(), step.b.vocab_size};
    const auto whole = std::span(step.b.in.tiles()).first(static_cast<size_t>(plan.first_tile[1]));
    Multiply(step.model, {&product, 1}, whole, step.threads, step.profile);
  }
  if (!plan.jobs.empty()) MultiplyPicked(step, plan);
}

}  // namespace lfm::model
