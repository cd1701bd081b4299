#include "cli/api_args.h"

#include <filesystem>
#include <system_error>

#include "base/file.h"
#include "base/strings.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/version.h"
#include "formats/checkpoint.h"
#include "report/limits.h"
#include "report/machine.h"
#include "server/model_facts.h"

namespace lfm::cli {
namespace {

constexpr const char* kDemo = "lfm-demo.gguf";

// Tokens a second that these limits allow one answer, at the beginning of its context; 0: not known.
Result<double> TokensPerSecondLimit(const RunningApi& running, const engine::LoadOptions& load,
                                    const report::Roofline& roofline) {
  LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(running.model->path()));
  report::StepShape shape;
  shape.compute = load.compute;
  const double least = report::LeastSeconds(report::CountWork(checkpoint, running.model->config(), shape), roofline);
  return least > 0 ? 1 / least : 0.0;
}

Error BadFlag(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// In the folder models/ of the working directory, or of the tree that this program was built or installed in.
std::string FindDemo() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& folder : {fs::path("models"), program / "../../models", program / "../share/lfm"}) {
    if (fs::exists(folder / kDemo, error)) return (folder / kDemo).lexically_normal().string();
  }
  return "";
}

Result<int> InRange(const char* flag, const std::optional<int64_t>& value, int otherwise, int64_t least, int64_t most) {
  if (!value) return otherwise;
  if (*value < least || *value > most) return BadFlag(StrCat(flag, ": ", *value, " is not between ", least, " and ", most));
  return static_cast<int>(*value);
}

}  // namespace

void ApiArgs::Declare(Args& args) {
  model.DeclareModel(args);
  args.Texts("--alias", aliases, "NAME", "a further name of the model in requests; may be repeated");
  args.Flag("--any-model", any_model, "answer whatever model a request names, or none");
  args.Text("--template", chat_template, "FILE", "a chat template instead of the model's own");
  args.Text("--prices", prices, "FILE", "prices of models as JSON (docs/server-api.md); answers then say what they cost");
  model.DeclareCompute(args);
  model.DeclareContext(args);
  args.Integer("--parallel", n_parallel, "N", "answers made together at most (default 64)");
  args.Integer("--queue", n_queue, "N", "requests that wait at most; more are refused (default 256)");
  args.Integer("--cache-bytes", cache_bytes, "N", "memory for conversations, running and kept (default: half of what is free)");
  args.Text("--prefix-cache", prefix_cache, "FILE", "keep the prompts that were read over a restart");
  args.Flag("--no-prefix-cache", no_prefix_cache, "read every prompt whole");
  args.Integer("--step-ms", step_ms, "N",
               "a step in which answers wait for somebody's prompt may take so long (default: 2.75 times one without prompts)");
  args.Flag("--stats", stats,
            "measure first what the machine allows (a second): the page and /metrics then say how near to it steps come");
  args.Real("--temp,--temperature", sampling.temperature, "X", "temperature where a request has none");
  args.Integer("--top-k", sampling.top_k, "N", "the same for top_k");
  args.Real("--top-p", sampling.top_p, "X", "the same for top_p");
  args.Real("--min-p", sampling.min_p, "X", "the same for min_p");
  args.Real("--repeat-penalty", sampling.repetition_penalty, "X", "the same for repetition_penalty");
  args.Unsigned("--seed", sampling.seed, "N", "the seed of requests that have none (default: a random one each)");
  args.Integer("-n,--max-tokens", sampling.max_tokens, "N", "tokens of an answer where a request has no limit");
}

Result<std::string> ApiArgs::Path() const {
  if (model.model) return model.Path();
  std::string demo = FindDemo();
  if (demo.empty()) return BadFlag(StrCat("no model is named, and the demo model (", kDemo, ") is not here; use -m"));
  return demo;
}

Result<engine::EngineOptions> ApiArgs::Options() const {
  engine::EngineOptions options;
  LFM_TRY(options.n_ctx, model.Context());
  LFM_TRY(options.max_running, InRange("--parallel", n_parallel, options.max_running, 1, 1024));
  LFM_TRY(options.max_queued, InRange("--queue", n_queue, options.max_queued, 1, 1'000'000));
  if (step_ms) {
    LFM_TRY(options.step_ms, InRange("--step-ms", step_ms, 0, 1, 60'000));
  }
  if (cache_bytes && *cache_bytes <= 0) return BadFlag(StrCat("--cache-bytes: ", *cache_bytes, " is no number of bytes"));
  options.cache_bytes = static_cast<uint64_t>(cache_bytes.value_or(0));
  options.prefix_cache = !no_prefix_cache;
  return options;
}

Result<server::ServedModel> ApiArgs::Served(const RunningApi& running) const {
  LFM_TRY(const formats::Checkpoint checkpoint, formats::OpenCheckpoint(running.model->path()));
  server::ServedOptions options;
  options.aliases = aliases;
  options.any_name = any_model;
  options.n_ctx = running.engine->n_ctx();
  options.version = std::string(Version());
  options.price_file = prices;
  LFM_TRY(server::ServedModel served, server::DescribeServed(*running.model, checkpoint, options));
  if (running.text) served.text = running.text.get();
  served.own_template = running.text != nullptr;
  SamplingArgs given = sampling;
  if (given.max_tokens && *given.max_tokens < 0) given.max_tokens.reset();  // llama.cpp's word for no limit
  LFM_TRY(const engine::GenerationParams params, given.Params(served.sampling, served.vocab_size));
  served.sampling = params.sampling;
  served.has_seed = sampling.seed.has_value();
  served.max_tokens = given.max_tokens.value_or(-1);
  return served;
}

Status ApiArgs::LoadCache(engine::Engine& engine) const {
  if (prefix_cache.empty() || !FileExists(prefix_cache)) return Ok();
  const Status read = engine.LoadPrefixCache(prefix_cache);
  if (read.ok()) return Ok();
  if (read.error().code == ErrorCode::kUnsupported) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("--prefix-cache ", read.error().message, "; move it away, or name another file")};
  }
  Warn(StrCat("the prefix cache begins empty: ", read.error().message));
  return Ok();
}

void ApiArgs::SaveCache(engine::Engine& engine) const {
  if (prefix_cache.empty()) return;
  if (const Status written = engine.SavePrefixCache(prefix_cache); !written.ok()) Warn(written.error().message);
}

Result<RunningApi> ApiArgs::Start() const {
  LFM_TRY(engine::EngineOptions options, Options());
  ModelArgs named = model;
  LFM_TRY(named.model, Path());
  RunningApi running;
  LFM_TRY(running.threads, named.MakeThreads());
  LFM_TRY(running.model, named.Load(*running.threads));
  LFM_RETURN_IF_ERROR(running.model->text_status());
  if (const int64_t most = running.model->config().context_length; options.n_ctx > most) {
    Warn(StrCat("the model was made for ", most, " positions; --ctx ", options.n_ctx, " is taken as that"));
    options.n_ctx = most;
  }
  if (!chat_template.empty()) {
    LFM_TRY(engine::TextModel text, engine::OpenTextModel(running.model->path()));
    LFM_TRY(text::ChatTemplate chat, TemplateOf(text.tokenizer, chat_template));
    text.chat_template = chat.source;
    text.chat = std::move(chat);
    text.named_chats.clear();
    running.text = std::make_unique<engine::TextModel>(std::move(text));
  }
  double limit = 0;
  if (stats) {  // before the engine has the threads
    LFM_TRY(const engine::LoadOptions load, named.Options());
    const report::Roofline roofline = report::MeasureRoofline(*running.model->network().kernels, *running.threads);
    LFM_TRY(limit, TokensPerSecondLimit(running, load, roofline));
    options.limits = {roofline.read.sustained, roofline.int8_ops_per_s, roofline.f32_ops_per_s, roofline.cache_bytes};
  }
  LFM_TRY(running.engine, engine::Engine::Create(running.model, *running.threads, options));
  running.api = std::make_shared<server::Api>();
  LFM_TRY(running.api->model, Served(running));
  running.api->backend = std::make_shared<server::EngineBackend>(*running.engine);
  running.api->version = std::string(Version());
  running.api->limit_tokens_per_second = limit;
  running.api->n_parallel = running.engine->options().max_running;
  LFM_RETURN_IF_ERROR(LoadCache(*running.engine));
  return running;
}

}  // namespace lfm::cli
