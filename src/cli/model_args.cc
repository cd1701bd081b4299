#include "cli/model_args.h"

#include "base/host.h"
#include "base/mapped_files.h"
#include "base/strings.h"
#include "cli/environment.h"
#include "cli/hub_args.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/pack_offer.h"
#include "cli/progress.h"
#include "cli/tuned.h"
#include "engine/packed_models.h"
#include "kernels/names.h"
#include "model/memory_check.h"

namespace lfm::cli {

constexpr int64_t kMaxThreads = 1024;

void ModelArgs::DeclareModel(Args& args) {
  args.Text("-m,--model", model, "MODEL", "a .gguf file, a Hugging Face folder, or a name as lfm pull takes it");
}

void ModelArgs::DeclareCompute(Args& args) {
  args.Integer("-t,--threads", n_threads, "N", "threads (default: what decodes fastest here)");
  args.Choice("--compute", compute, {"auto", "f32"},
              "auto: activations as int8 where weights are quantised; f32: everything in f32");
  args.Choice("--kv-type", kv_type, {"i16", "f16", "f32", "q8_0"}, "type of the KV cache (default i16; f32 with --compute f32)");
  args.Flag("--no-pack", no_pack, "ignore packed files (lfm pack)");
  args.Text("--isa", isa, "NAME", "scalar, avx2, avxvnni, avx512vnni, avx512vbmi, amx, neon or i8mm (default: the best)");
}

void ModelArgs::DeclareContext(Args& args) {
  args.Integer("-c,--ctx", n_ctx, "N", "positions of the context (default: what the model was made for)");
}

Result<std::string> ModelArgs::Path() const {
  if (model && !model->empty()) return ModelPath(*model);
  return Error{ErrorCode::kInvalidArgument, "no model is named; use -m FILE.gguf, -m FOLDER or -m NAME"};
}

Error ModelArgs::NamingFile(const Error& error) const {
  const auto path = Path();
  const bool is_named = !path.ok() || error.message.find(*path) != std::string::npos;
  return error.code != ErrorCode::kCorrupt || is_named ? error : error.Within(*path);
}

Result<std::unique_ptr<Threads>> ModelArgs::MakeThreads() const {
  const int64_t n = n_threads.value_or(DefaultThreadCount());
  if (n < 1 || n > kMaxThreads) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("--threads: ", n, " is not between 1 and ", kMaxThreads, "; leave -t away for what is best here")};
  }
  return std::make_unique<Threads>(static_cast<int>(n));
}

Result<std::string> ModelArgs::Isa() const {
  const std::string name = isa.value_or(DefaultIsa());
  const auto table = kernels::Select(name);
  if (!table.ok()) {
    return Error{ErrorCode::kInvalidArgument, StrCat(isa ? "--isa: " : "LFM_ISA: ", table.error().message)};
  }
  return name;
}

Result<kernels::KvType> ParseKvType(const std::string& name) {
  for (int type = 0; type < kernels::kKvTypes; ++type) {
    if (name == kernels::kKvTypeNames[type]) return static_cast<kernels::KvType>(type);
  }
  return Error{ErrorCode::kInvalidArgument, StrCat(Quote(name), " is no type of KV cache; use i16, f16, f32 or q8_0")};
}

Result<engine::LoadOptions> ModelArgs::Options() const {
  engine::LoadOptions options;
  if (compute == "f32") options.compute = model::Compute::kF32;
  if (kv_type) {
    LFM_TRY(options.kv_type, ParseKvType(*kv_type));
  }
  LFM_TRY(options.isa, Isa());
  return options;
}

namespace {

// A packed file is read where it lies, and again and again where memory does not hold it.
void WarnOfDisk(const formats::Checkpoint& checkpoint) {
  const uint64_t n_bytes = checkpoint.packed.bytes.size(), free = ReadMemory().available_bytes;
  if (free == 0 || n_bytes <= free) return;
  Warn(StrCat("the weights are ", HumanBytes(n_bytes), " and ", HumanBytes(free),
              " of memory are free: what does not fit is read ",
              "from the disk for every token; a smaller type of this model is faster here"));
}

}  // namespace

Result<std::shared_ptr<engine::LoadedModel>> ModelArgs::Load(Threads& threads) const {
  LFM_TRY(const std::string path, Path());
  LFM_TRY(engine::LoadOptions options, Options());
  LFM_TRY(formats::Checkpoint checkpoint, formats::OpenCheckpoint(path));
  // Weights that were rearranged are not mapped any more when an output is written.
  for (const MappedFile& file : checkpoint.files) CountAsMapped(file.path());
  if (!no_pack) checkpoint = OfferPack(engine::PreferPacked(std::move(checkpoint), PackFolder(), threads), threads);
  std::optional<ProgressLine> progress(std::in_place, "loading", ProgressLine::Unit::kBytes);
  options.progress = [&](uint64_t done, uint64_t total) {
    progress->Update(done, total);
    return !Interrupted();
  };
  const KeptTuning kept = UseTuning(options.isa);
  if (!kept.unused.empty() && !kept.stale) Warn(StrCat(kept.unused, "; the usual distances of prefetching are used"));
  LFM_TRY(auto loaded, engine::LoadedModel::Load(checkpoint, threads, options));
  progress.reset();  // its line is wiped before anything else is said
  WarnOfDisk(checkpoint);
  if (loaded->config().random_weights) {
    Warn("this model has random weights: speed and memory are real, its answers are random");
  }
  return loaded;
}

Result<int64_t> ModelArgs::Context() const {
  if (n_ctx && *n_ctx < 1) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("--ctx: ", *n_ctx, " is not a positive number of positions; leave -c away for the context that the ",
                        "model was made for")};
  }
  return n_ctx.value_or(0);
}

Result<int64_t> ModelArgs::ContextFor(engine::LoadedModel& loaded) const {
  LFM_TRY(const int64_t asked, Context());
  const int64_t n_max = loaded.config().context_length, wanted = asked > 0 ? asked : n_max;
  const model::StateLayout& layout = loaded.pages().layout();
  const MemoryState memory = ReadMemory();
  const int64_t n = model::PositionsThatFit(layout, wanted, memory);
  if (n >= wanted || asked > n_max) return asked;
  if (asked > 0 || n < kernels::kPagePositions) return model::CheckContextMemory(layout, wanted, 1, memory).error();
  Warn(StrCat("memory holds ", n, " positions of context, not the ", n_max, " that the model was made for"));
  return n;
}

}  // namespace lfm::cli
