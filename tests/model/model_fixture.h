// A loaded golden model with everything a forward pass needs, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "model/forward.h"

namespace lfm::test {

struct Rig {
  static std::unique_ptr<Rig> Load(const std::string& path, model::Compute compute, int n_threads = 2,
                                   const std::string& isa = "") {
    auto rig = std::make_unique<Rig>();
    auto checkpoint = formats::OpenCheckpoint(path);
    EXPECT_TRUE(checkpoint.ok()) << path << ": " << (checkpoint.ok() ? "" : checkpoint.error().message);
    if (!checkpoint.ok()) return nullptr;
    rig->threads = std::make_unique<Threads>(n_threads);
    model::ModelOptions options;
    options.compute = compute;
    options.isa = isa;
    auto model = model::LoadModel(*checkpoint, *rig->threads, options);
    EXPECT_TRUE(model.ok()) << path << ": " << (model.ok() ? "" : model.error().message);
    if (!model.ok()) return nullptr;
    rig->model = std::move(*model);
    const auto kv = compute == model::Compute::kF32 ? kernels::KvType::kF32 : kernels::KvType::kI16;
    rig->pool = std::make_unique<model::PagePool>(model::StateLayout(rig->model->config, kv), 4096);
    auto workspace = model::Workspace::Create(*rig->model, 1024, 1024, 8192, n_threads);
    EXPECT_TRUE(workspace.ok());
    rig->workspace = std::move(*workspace);
    return rig;
  }

  int64_t vocab() const { return model->config.vocab_size; }

  // Logits of all positions of `ids` for a fresh or given sequence, computed in chunks.
  std::vector<float> Logits(model::State& state, const std::vector<int32_t>& ids, size_t chunk) {
    std::vector<float> all;
    for (size_t begin = 0; begin < ids.size(); begin += chunk) {
      const size_t n = std::min(chunk, ids.size() - begin);
      EXPECT_TRUE(state.Reserve(static_cast<int64_t>(n)).ok());
      const model::BatchItem item{&state, std::span(ids).subspan(begin, n), model::Logits::kAll};
      model::Forward(*model, {&item, 1}, *workspace, *threads);
      for (size_t i = 0; i < n; ++i) {
        const auto row = workspace->logits(static_cast<int64_t>(i));
        all.insert(all.end(), row.begin(), row.end());
      }
    }
    return all;
  }
  std::vector<float> Logits(const std::vector<int32_t>& ids, size_t chunk = 512) {
    model::State state(*pool);
    return Logits(state, ids, chunk);
  }

  std::unique_ptr<Threads> threads;
  std::unique_ptr<const model::Model> model;
  std::unique_ptr<model::PagePool> pool;
  std::unique_ptr<model::Workspace> workspace;
};

}  // namespace lfm::test
