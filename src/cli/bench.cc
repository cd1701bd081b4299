// lfm bench: a grid of prefill and decode measurements, with llama-bench's field names and the machine's roofline.
#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/figures.h"
#include "cli/interrupt.h"
#ifdef LFM_SERVER
#include "cli/load.h"
#endif
#include "cli/model_args.h"
#include "cli/output.h"
#include "cli/values.h"
#include "report/bench.h"
#include "engine/describe.h"

namespace lfm::cli {
namespace {

constexpr int64_t kMaxSequences = 512, kMaxRepetitions = 1000, kMaxChunk = 4096;

class BenchCommand : public Command {
 public:
  void Declare(Args& args) override {
    model_.DeclareModel(args);
    args.Text("-p,--n-prompt", prompts_, "N,N", "tokens of prefill (default 512; 0: none)");
    args.Text("-n,--n-gen", gens_, "N,N", "tokens to decode (default 64; 0: none)");
    args.Text("-d,--n-depth", depths_, "N,N", "tokens in the cache before, not timed (default 0)");
    args.Text("-b,--batch", sequences_, "N,N", "sequences decoded together (default 1)");
    args.Integer("-r,--repetitions", repetitions_, "N", "repetitions (default 3)");
    args.Integer("--chunk", chunk_, "N", "tokens of a prefill step (default 512)");
    args.Flag("--check-bits", check_bits_, "decode sequences together and alone, and compare all logits bit by bit");
    args.Flag("--json", json_, "one JSON array of rows");
    args.Flag("--csv", csv_, "comma-separated values with a header line");
    args.Flag("--md", md_, "a Markdown table (the default)");
    model_.DeclareCompute(args);
#ifdef LFM_SERVER
    load_.Declare(args);
#endif
  }

  Result<int> Run() override {
#ifdef LFM_SERVER
    if (!load_.url.empty()) return RunLoad();
#endif
    if (int{json_} + int{csv_} + int{md_} > 1) {
      return Error{ErrorCode::kInvalidArgument, "--json, --csv and --md exclude each other; choose one"};
    }
    LFM_TRY(const std::vector<report::BenchCase> cases, Cases());
    if (repetitions_ < 1 || repetitions_ > kMaxRepetitions) {
      return Error{ErrorCode::kInvalidArgument,
                   StrCat("--repetitions: ", repetitions_, " is not between 1 and ", kMaxRepetitions)};
    }
    if (chunk_ < 1 || chunk_ > kMaxChunk) {
      return Error{ErrorCode::kInvalidArgument, StrCat("--chunk: ", chunk_, " is not between 1 and ", kMaxChunk)};
    }
    LFM_TRY(const auto threads, model_.MakeThreads());
    ArmInterrupt();
    LFM_TRY(const auto loaded, model_.Load(*threads));
    if (check_bits_) return CheckBits(*loaded, *threads);
    std::vector<report::BenchRow> rows;
    for (const report::BenchCase& test : cases) {
      if (ErrorsGoToTerminal()) NoteInPlace(StrCat("measuring ", test.name(), " ..."));
      LFM_TRY(report::BenchRow row,
              report::RunBench(*loaded, *threads, test, repetitions_, chunk_, true, [] { return Interrupted().load(); }));
      rows.push_back(std::move(row));
    }
    if (ErrorsGoToTerminal()) NoteInPlace("");
    Print(*loaded, *threads, rows);
    return kExitOk;
  }

 private:
#ifdef LFM_SERVER
  Result<int> RunLoad() const {
    LFM_TRY(const auto prompts, List(prompts_, "-p", 1, 1 << 20));
    LFM_TRY(const auto gens, List(gens_, "-n", 1, 1 << 20));
    LFM_TRY(const auto clients, List(load_.clients, "--clients", 1, 4096));
    return load_.Run(prompts, gens, clients, json_);
  }
#endif

  static Result<std::vector<int64_t>> List(const std::string& text, const char* flag, int64_t least, int64_t most) {
    std::vector<int64_t> values;
    size_t begin = 0;
    while (begin <= text.size()) {
      const size_t end = std::min(text.find(',', begin), text.size());
      const std::string item = text.substr(begin, end - begin);
      const bool digits = !item.empty() && item.size() < 10 && item.find_first_not_of("0123456789") == std::string::npos;
      const int64_t value = digits ? std::stoll(item) : -1;
      if (value < least || value > most) {
        return Error{ErrorCode::kInvalidArgument,
                     StrCat(flag, ": ", Quote(item), " is not a number between ", least, " and ", most)};
      }
      values.push_back(value);
      begin = end + 1;
    }
    return values;
  }

  Result<std::vector<report::BenchCase>> Cases() const {
    LFM_TRY(const auto prompts, List(prompts_, "-p", 0, 1 << 20));
    LFM_TRY(const auto gens, List(gens_, "-n", 0, 1 << 20));
    LFM_TRY(const auto depths, List(depths_, "-d", 0, 1 << 20));
    LFM_TRY(const auto sequences, List(sequences_, "-b", 1, kMaxSequences));
    std::vector<report::BenchCase> cases;
    for (const int64_t depth : depths) {
      for (const int64_t n : prompts) {
        if (n > 0) cases.push_back({n, 0, depth, 1});
      }
      for (const int64_t n : gens) {
        for (const int64_t n_seq : sequences) {
          if (n > 0) cases.push_back({0, n, depth, n_seq});
        }
      }
    }
    if (cases.empty() && !check_bits_) {
      return Error{ErrorCode::kInvalidArgument, "nothing to measure: -p and -n are both 0"};
    }
    return cases;
  }

  Result<int> CheckBits(engine::LoadedModel& loaded, Threads& threads) const {
    LFM_TRY(const auto sequences, List(sequences_, "-b", 1, kMaxSequences));
    const int64_t n_seq = std::max<int64_t>(2, sequences.back());
    LFM_TRY(const bool same, report::CheckBits(loaded, threads, n_seq));
    if (json_) {
      WriteJson(Json::MakeObject({{"n_seq", Json(n_seq)}, {"same_bits", Json(same)}}));
    } else {
      WriteOut(StrCat(n_seq, " sequences decoded together and alone: ", same ? "the same bits\n" : "DIFFERENT bits\n"));
    }
    return same ? kExitOk : kExitFailure;
  }

  static Json RowJson(const engine::LoadedModel& loaded, const Threads& threads, const report::BenchRow& row) {
    Json json = Json::MakeObject();
    Json samples = Json::MakeArray();
    for (const double ts : row.samples_ts) samples.Append(ts);
    const model::Config& config = loaded.config();
    json.Set("model_filename", loaded.path()).Set("model_name", config.name).Set("model_type", config.file_type);
    json.Set("random_weights", config.random_weights);
    json.Set("n_threads", threads.size()).Set("isa", loaded.network().kernels->isa);
    json.Set("compute", loaded.network().compute == model::Compute::kF32 ? "f32" : "auto");
    json.Set("test", row.test.name()).Set("n_prompt", row.test.n_prompt).Set("n_gen", row.test.n_gen);
    json.Set("n_depth", row.test.n_depth).Set("n_seq", row.test.n_seq);
    json.Set("avg_ts", row.avg_ts).Set("stddev_ts", row.stddev_ts).Set("samples_ts", std::move(samples));
    json.Set("gb_per_s", row.gb_per_s).Set("gop_per_s", row.gop_per_s);
    json.Set("roofline_ts", row.roofline_ts).Set("roofline_percent", row.roofline_percent);
    json.Set("read_gb_per_s", row.roofline.read.sustained / 1e9);
    json.Set("read_gb_per_s_best", row.roofline.read.best / 1e9);
    json.Set("int8_gop_per_s", row.roofline.int8_ops_per_s / 1e9);
    json.Set("f32_gop_per_s", row.roofline.f32_ops_per_s / 1e9);
    Json phases = Json::MakeObject();
    const double n = static_cast<double>(std::max<int64_t>(1, row.profile.n_tokens));
    for (size_t i = 0; i < model::kPhases; ++i) {
      phases.Set(std::string(model::kPhaseNames[i]), 1e3 * row.profile.seconds[i] / n);
    }
    phases.Set("waiting", 1e3 * row.profile.waiting_seconds / n);
    json.Set("ms_per_token", std::move(phases));
    return json;
  }

  static std::string CsvField(const Json& value) {
    const std::string text = value.is_string() ? Plain(value.AsString()) : value.Dump();
    if (text.find_first_of(",\"\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
  }

  void Print(const engine::LoadedModel& loaded, const Threads& threads, const std::vector<report::BenchRow>& rows) const {
    Json all = Json::MakeArray();
    for (const report::BenchRow& row : rows) all.Append(RowJson(loaded, threads, row));
    if (json_) {
      WriteJson(all, 2);
      return;
    }
    if (csv_) {
      for (size_t i = 0; i < all.items().size(); ++i) {
        std::string head, line;
        for (const auto& [name, value] : all.items()[i].members()) {
          head += StrCat(head.empty() ? "" : ",", name);
          line += StrCat(line.empty() ? "" : ",", CsvField(value));
        }
        if (i == 0) WriteOut(head + "\n");
        WriteOut(line + "\n");
      }
      return;
    }
    const model::Config& config = loaded.config();
    WriteOut(StrCat("| model | type | threads | isa | test | seqs | tokens/s | GB/s | % of roofline |\n",
                    "| --- | --- | ---: | --- | --- | ---: | ---: | ---: | ---: |\n"));
    for (const report::BenchRow& row : rows) {
      WriteOut(StrCat("| ", Plain(config.name), " | ", Plain(config.file_type), " | ", threads.size(), " | ",
                      loaded.network().kernels->isa, " | ", row.test.name(), " | ", row.test.n_seq, " | ", Fixed(row.avg_ts, 2),
                      " ± ", Fixed(row.stddev_ts, 2), " | ", Fixed(row.gb_per_s, 1), " | ", Fixed(row.roofline_percent, 1),
                      " |\n"));
    }
    const report::Roofline& roofline = rows.back().roofline;
    WriteOut(StrCat("\nLimits, of the last row: memory between its steps ", Fixed(roofline.read.sustained / 1e9, 1),
                    " GB/s, int8 ", Fixed(roofline.int8_ops_per_s / 1e12, 2), " TOPS, f32 ",
                    Fixed(roofline.f32_ops_per_s / 1e12, 2), " TFLOPS", config.random_weights ? "; the weights are random" : "",
                    ".\n"));
  }

  ModelArgs model_;
#ifdef LFM_SERVER
  LoadArgs load_;
#endif
  std::string prompts_ = "512", gens_ = "64", depths_ = "0", sequences_ = "1";
  int64_t repetitions_ = 3, chunk_ = 512;
  bool check_bits_ = false, json_ = false, csv_ = false, md_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBench() { return std::make_unique<BenchCommand>(); }

}  // namespace lfm::cli
