// lfm usage: what the ledger of lfm serve says.
#include <chrono>

#include "base/file.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/serve_args.h"
#include "server/ledger.h"

namespace lfm::cli {
namespace {

using server::LedgerGroup;

// A pico-dollar is 10^-12 dollars: exact, and no more digits than needed.
std::string Dollars(int64_t pico) {
  std::string digits = std::to_string(pico);
  if (digits.size() < 13) digits.insert(0, 13 - digits.size(), '0');
  digits.insert(digits.size() - 12, ".");
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

std::string CsvField(const Json& value) {
  if (!value.is_string()) return value.Dump();
  const std::string& text = value.AsString();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

class UsageCommand : public Command {
 public:
  void Declare(Args& args) override {
    args.Text("--ledger", path_, "FILE", "the ledger (default: the one of lfm serve in ~/.local/state/lfm)");
    args.Text("--since", since_, "TIME", "2026-11-29, 2026-11-29T12:00:00Z (UTC), or so long ago: 7d, 12h, 30m");
    args.Choice("--by", by_, {"key", "day", "model"}, "sums instead of rows (the default of the table: by key)");
    args.Flag("--json", json_, "one JSON object a line");
    args.Flag("--csv", csv_, "comma-separated values with a header line");
  }

  Result<int> Run() override {
    if (json_ && csv_) return Error{ErrorCode::kInvalidArgument, "--json and --csv exclude each other; choose one"};
    const std::string path = path_.empty() ? DefaultLedgerPath() : path_;
    if (!FileExists(path)) {
      return Error{ErrorCode::kInvalidArgument, StrCat("there is no ledger at ", Quote(path, 200), "; --ledger FILE names one")};
    }
    server::LedgerFilter filter;
    if (!since_.empty()) {
      const auto now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
      auto since = server::ParseSince(since_, now.count());
      if (!since.ok()) return since.error().Within("--since");
      filter.since_us = *since;
    }
    LFM_TRY(server::LedgerReader reader, server::LedgerReader::Open(path));
    if (!by_ && (json_ || csv_)) return PrintRows(reader, filter);
    const LedgerGroup by = by_ == "day" ? LedgerGroup::kDay : by_ == "model" ? LedgerGroup::kModel : LedgerGroup::kKey;
    LFM_TRY(const auto sums, reader.Sums(filter, by));
    if (!json_ && !csv_) return PrintTable(sums, by);
    for (const server::LedgerSum& sum : sums) Print(server::LedgerSumJson(sum, by));
    return kExitOk;
  }

 private:
  Result<int> PrintRows(server::LedgerReader& reader, const server::LedgerFilter& filter) {
    LFM_RETURN_IF_ERROR(reader.ForEach(filter, [this](const server::LedgerRow& row) { Print(server::LedgerRowJson(row)); }));
    return kExitOk;
  }

  void Print(const Json& row) {
    if (json_) return WriteJson(row);
    std::string names, values;
    for (const auto& [name, value] : row.members()) {
      names += (names.empty() ? "" : ",") + name;
      values += (values.empty() ? "" : ",") + CsvField(value);
    }
    if (!header_done_) WriteOut(names + "\n");
    header_done_ = true;
    WriteOut(Plain(values) + "\n");
  }

  static Result<int> PrintTable(const std::vector<server::LedgerSum>& sums, LedgerGroup by) {
    const char* title = by == LedgerGroup::kKey ? "key" : by == LedgerGroup::kDay ? "day" : "model";
    WriteOut(StrCat(Padded(title, 26), Padded("requests", 12), Padded("prompt", 14), Padded("cached", 14),
                    Padded("completion", 14), "dollars\n"));
    server::LedgerSum all;
    const auto line = [](const std::string& name, const server::LedgerSum& sum) {
      WriteOut(StrCat(Padded(Plain(name, 80), 25), " ", Padded(std::to_string(sum.n_requests), 12),
                      Padded(std::to_string(sum.prompt_tokens), 14), Padded(std::to_string(sum.cached_tokens), 14),
                      Padded(std::to_string(sum.completion_tokens), 14), Dollars(sum.cost_pico_dollars), "\n"));
    };
    for (const server::LedgerSum& sum : sums) {
      line(!sum.label.empty() && by == LedgerGroup::kKey ? sum.label : sum.name.empty() ? "(no key)" : sum.name, sum);
      all.n_requests += sum.n_requests;
      all.prompt_tokens += sum.prompt_tokens;
      all.cached_tokens += sum.cached_tokens;
      all.completion_tokens += sum.completion_tokens;
      all.cost_pico_dollars += sum.cost_pico_dollars;
    }
    line("all", all);
    return kExitOk;
  }

  std::string path_, since_;
  std::optional<std::string> by_;
  bool json_ = false, csv_ = false, header_done_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeUsage() { return std::make_unique<UsageCommand>(); }

}  // namespace lfm::cli
