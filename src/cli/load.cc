#include "cli/load.h"

#include <chrono>
#include <cstdio>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "server/load_run.h"

namespace lfm::cli {
namespace {

constexpr int64_t kMaxRequests = 1'000'000;

std::string Figure(double value, int places) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", places, value);
  return Padded(text, 11);
}

void PrintRow(const Json& row) {
  WriteOut(StrCat(Padded(std::to_string(row["max_concurrency"].AsInt()), 9),
                  Padded(StrCat(row["random_input_len"].AsInt(), "/", row["random_output_len"].AsInt()), 11),
                  Padded(StrCat(row["completed"].AsInt(), "/", row["num_prompts"].AsInt()), 11),
                  Figure(row["request_throughput"].AsDouble(), 2), Figure(row["output_throughput"].AsDouble(), 1),
                  Figure(row["median_ttft_ms"].AsDouble(), 1), Figure(row["p99_ttft_ms"].AsDouble(), 1),
                  Figure(row["median_itl_ms"].AsDouble(), 2), Figure(row["p99_itl_ms"].AsDouble(), 2),
                  Figure(row["median_e2el_ms"].AsDouble(), 1), "\n"));
}

}  // namespace

void LoadArgs::Declare(Args& args) {
  args.Text("--url", url, "URL", "measure a server instead: http://HOST:PORT; -p and -n are lengths of prompts and answers");
  args.Text("--clients", clients, "N,N", "with --url: requests at a time (default 1)");
  args.Real("--rate", rate, "X", "with --url: requests a second at random moments, at most --clients at a time");
  args.Integer("--requests", n_requests, "N", "with --url: requests of each client (default 4)");
  args.Integer("--shared-prefix", shared_prefix, "N", "with --url: tokens of the prompt that all requests share");
  args.Text("--api-key", api_key, "KEY", "with --url: the key (default: LFM_API_KEY)");
  args.Text("--served-model", model, "NAME", "with --url: the model to ask (default: the first one listed)");
  args.Unsigned("--seed", seed, "N", "with --url: the same prompts for the same seed (default: new ones each time)");
}

Result<int> LoadArgs::Run(const std::vector<int64_t>& prompts, const std::vector<int64_t>& gens,
                          const std::vector<int64_t>& n_clients, bool json) const {
  LFM_TRY(server::LoadTarget target, server::ParseLoadUrl(url));
  target.api_key = api_key.empty() ? Variable("LFM_API_KEY").value_or("") : api_key;
  target.model = model;
  if (rate && !(*rate > 0)) return Error{ErrorCode::kInvalidArgument, "--rate must be more than 0"};
  if (n_requests < 1 || n_requests > kMaxRequests) {
    return Error{ErrorCode::kInvalidArgument, StrCat("--requests: ", n_requests, " is not between 1 and ", kMaxRequests)};
  }
  LFM_RETURN_IF_ERROR(server::LoadClient::FindModel(target));
  ArmInterrupt();
  server::LoadCase test;
  test.rate = rate.value_or(0.0F);
  test.shared_prefix = shared_prefix;
  test.seed = seed.value_or(static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()));
  Json rows = Json::MakeArray();
  bool all_good = true;
  if (!json) {
    WriteOut("clients  in/out     answered   requests/s output/s   TTFT ms    p99        ITL ms     p99        whole ms\n");
  }
  for (const int64_t n_prompt : prompts) {
    for (const int64_t n_gen : gens) {
      for (const int64_t n : n_clients) {
        test.n_clients = static_cast<int>(n);
        test.n_requests = static_cast<int>(std::min(n * n_requests, kMaxRequests));
        test.prompt_tokens = n_prompt;
        test.answer_tokens = n_gen;
        ++test.seed;  // a prompt that was seen before would come from the server's cache
        LFM_TRY(const server::LoadResult result, server::RunLoad(target, test, Interrupted()));
        Json row = server::LoadResultJson(result);
        all_good = all_good && row["failed"].AsInt() == 0;
        if (const Json* error = row.Find("last_error")) Warn(error->AsString());
        if (!json) PrintRow(row);
        row.Set("model_id", target.model);
        rows.Append(std::move(row));
      }
    }
  }
  if (json) WriteJson(rows);
  return all_good ? kExitOk : kExitFailure;
}

}  // namespace lfm::cli
