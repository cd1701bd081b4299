// The flags that choose a model and how it runs; the same for every subcommand.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/threads.h"
#include "cli/args.h"
#include "engine/loaded_model.h"
#include "formats/checkpoint.h"
#include "kernels/kernels.h"

namespace lfm::cli {

struct ModelArgs {
  std::optional<std::string> model;  // -m
  std::optional<int64_t> n_threads, n_ctx;
  std::optional<std::string> compute, kv_type, isa;
  bool no_pack = false;

  void DeclareModel(Args& args);    // -m alone
  void DeclareCompute(Args& args);  // --threads --compute --kv-type --isa
  void DeclareContext(Args& args);  // -c

  // The path that -m names: a file, a folder, or a model that was pulled. An error when it is missing.
  Result<std::string> Path() const;
  // The machine's best number, or --threads: 1 to 1024, also more than there are cores.
  Result<std::unique_ptr<Threads>> MakeThreads() const;
  // --isa, else LFM_ISA, else the best. An ISA that the host lacks is a usage error that lists those it has.
  Result<std::string> Isa() const;
  Result<engine::LoadOptions> Options() const;
  // Opens and loads, with progress on a terminal, and warns when the weights are random.
  Result<std::shared_ptr<engine::LoadedModel>> Load(Threads& threads) const;
  // Damaged weights show while they compute, far from their file: the error with its name.
  Error NamingFile(const Error& error) const;
  Result<int64_t> Context() const;
  // The positions that a session of this model gets: those asked for, or an error that says how many fit into memory; where
  // none were asked for, all that the model was made for, or with a warning those that fit.
  Result<int64_t> ContextFor(engine::LoadedModel& loaded) const;  // 0: the model's own
};

// The kinds of --kv-type.
Result<kernels::KvType> ParseKvType(const std::string& name);

}  // namespace lfm::cli
