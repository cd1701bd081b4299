#include "cli/grammar_bench.h"

#include <time.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <span>
#include <vector>

#include "base/file.h"
#include "base/strings.h"
#include "engine/grammar_mask.h"

namespace lfm::cli {
namespace {

constexpr size_t kWorst = 10;  // files named for each kind of time

// Microseconds of processor time of this thread, so that other work on the machine does not count.
double Now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double Tenths(double us) { return static_cast<double>(static_cast<int64_t>(us * 10)) / 10; }

// The longest time of a file, and where it was.
struct Longest {
  double us = 0;
  std::string file;
  int64_t document = 0, token = 0;
};

struct Times {
  std::vector<double> us;
  std::vector<Longest> worst;  // of different files, the longest first

  void Add(double took, const std::string& file, int64_t document, int64_t token) {
    us.push_back(took);
    if (worst.size() == kWorst && took <= worst.back().us) return;
    const auto same = std::find_if(worst.begin(), worst.end(), [&](const Longest& one) { return one.file == file; });
    if (same != worst.end() && same->us >= took) return;
    if (same != worst.end()) worst.erase(same);
    const auto place = std::find_if(worst.begin(), worst.end(), [&](const Longest& one) { return one.us < took; });
    worst.insert(place, {took, file, document, token});
    if (worst.size() > kWorst) worst.pop_back();
  }

  Json WorstToJson(bool with_place) const {
    Json out = Json::MakeArray();
    for (const Longest& one : worst) {
      Json entry = Json::MakeObject();
      entry.Set("us", Tenths(one.us)), entry.Set("file", one.file);
      if (with_place) entry.Set("document", one.document), entry.Set("token", one.token);
      out.Append(std::move(entry));
    }
    return out;
  }

  Json ToJson() {
    std::sort(us.begin(), us.end());
    Json out = Json::MakeObject();
    double sum = 0;
    for (const double t : us) sum += t;
    const auto at = [&](double share) {
      return us.empty() ? 0 : us[std::min(us.size() - 1, static_cast<size_t>(share * static_cast<double>(us.size())))];
    };
    out.Set("n", static_cast<int64_t>(us.size()));
    out.Set("mean", Tenths(us.empty() ? 0 : sum / static_cast<double>(us.size())));
    out.Set("p50", Tenths(at(0.5)));
    out.Set("p99", Tenths(at(0.99)));
    out.Set("p99.9", Tenths(at(0.999)));
    out.Set("max", Tenths(at(1)));
    return out;
  }
};

class Bench {
 public:
  explicit Bench(const text::Tokenizer& tokenizer)
      : tokenizer_(tokenizer), vocabulary_(engine::MakeGrammarVocabulary(tokenizer, tokenizer.n_tokens())),
        mask_(vocabulary_->n_words()) {}

  Status File(const std::string& path) {
    LFM_TRY(const Json row, ReadRow(path));
    if (row.Find("schema") == nullptr) return Ok();
    ++n_schemas_;
    const grammar::Spec spec = SpecOf(row);
    file_ = path, document_ = 0;
    const double start = Now();
    const auto compiled = grammar::Compile(spec);
    compile_.Add(Now() - start, file_, 0, 0);
    if (!compiled.ok()) {
      ++n_refused_;
      if (compiled.error().code == ErrorCode::kLimit) Wrong(compiled.error().message);
      return Ok();
    }
    grammar::State state = (*compiled)->Start();
    const Status masked = state.Mask(*vocabulary_, mask_);
    first_.Add(Now() - start, file_, 0, 0);
    if (!masked.ok()) Failed(masked.error());
    for (const Json& test : row["tests"].items()) Document(**compiled, test["data"].Dump(), test["valid"].AsBool());
    for (const Json& document : row["documents"].items()) Document(**compiled, document.AsString(), true);
    return Ok();
  }

  // Valid documents of all files, `n` at a time beside each other: a step is a mask and a token for each of them.
  Status Steps(std::span<const std::string> files, size_t n) {
    struct Sequence {
      grammar::State state;
      std::vector<int32_t> ids;
      size_t at = 0;
    };
    std::deque<Sequence> waiting;
    std::vector<Sequence> open;
    size_t next_file = 0;
    for (;;) {
      while (open.size() + waiting.size() < n && next_file < files.size()) {
        LFM_TRY(const Json row, ReadRow(files[next_file++]));
        const auto compiled = grammar::Compile(SpecOf(row));
        if (row.Find("schema") == nullptr || !compiled.ok()) continue;
        for (const Json& test : row["tests"].items()) {
          if (!test["valid"].AsBool()) continue;
          waiting.push_back({(*compiled)->Start(), tokenizer_.Encode(test["data"].Dump(), false, false)});
        }
        for (const Json& document : row["documents"].items())
          waiting.push_back({(*compiled)->Start(), tokenizer_.Encode(document.AsString(), false, false)});
      }
      while (open.size() < n && !waiting.empty()) open.push_back(std::move(waiting.front())), waiting.pop_front();
      if (open.size() < n) return Ok();
      const double start = Now();
      for (Sequence& one : open) {
        const bool ok = one.at < one.ids.size() && one.state.Mask(*vocabulary_, mask_).ok();
        const auto accepted = one.state.Accept(*vocabulary_, ok ? one.ids[one.at] : -1);
        one.at = ok && accepted.ok() && *accepted ? one.at + 1 : one.ids.size();
      }
      steps_.us.push_back(Now() - start);
      std::erase_if(open, [](const Sequence& one) { return one.at >= one.ids.size(); });
    }
  }

  Json Figures() {
    Json out = Json::MakeObject();
    out.Set("vocabulary", static_cast<int64_t>(vocabulary_->n_tokens()));
    out.Set("schemas", n_schemas_), out.Set("refused", n_refused_), out.Set("failed", n_failed_);
    out.Set("valid_rejected", n_rejected_), out.Set("invalid_accepted", n_accepted_);
    out.Set("compile_us", compile_.ToJson()), out.Set("first_mask_us", first_.ToJson()), out.Set("mask_us", masks_.ToJson());
    if (!steps_.us.empty()) out.Set("step_us", steps_.ToJson());
    Json worst = Json::MakeObject();
    worst.Set("compile_us", compile_.WorstToJson(false)), worst.Set("first_mask_us", first_.WorstToJson(false));
    worst.Set("mask_us", masks_.WorstToJson(true));
    out.Set("worst", std::move(worst)), out.Set("wrong", wrong_);
    return out;
  }

 private:
  static Result<Json> ReadRow(const std::string& path) {
    LFM_TRY(const std::string text, ReadWholeFile(path));
    auto row = ParseJson(text);
    if (!row.ok()) return row.error().Within(path);
    return std::move(*row);
  }
  static grammar::Spec SpecOf(const Json& row) {
    grammar::Spec spec;
    spec.kind = grammar::Kind::kJsonSchema, spec.schema = row["schema"], spec.order = grammar::Order::kAny;
    return spec;
  }
  void Document(const grammar::Grammar& grammar, const std::string& text, bool valid) {
    grammar::State state = grammar.Start();
    bool alive = true;
    int64_t token = 0;
    for (const int32_t id : tokenizer_.Encode(text, false, false)) {
      const double start = Now();
      const Status masked = state.Mask(*vocabulary_, mask_);
      if (valid) masks_.Add(Now() - start, file_, document_, token);
      ++token;
      const auto accepted = state.Accept(*vocabulary_, id);
      alive = masked.ok() && accepted.ok() && *accepted;
      if (!masked.ok() || !accepted.ok()) Failed(masked.ok() ? accepted.error() : masked.error());
      if (!alive) break;
    }
    alive = alive && state.accepting();
    if (valid && !alive) ++n_rejected_, Wrong("a valid document is rejected");
    if (!valid && alive) ++n_accepted_, Wrong("an invalid document is accepted");
    ++document_;
  }
  void Failed(const Error& error) { ++n_failed_, Wrong(error.message); }
  void Wrong(std::string_view what) {
    Json entry = Json::MakeObject();
    entry.Set("file", file_), entry.Set("document", document_), entry.Set("what", what);
    wrong_.Append(std::move(entry));
  }

  const text::Tokenizer& tokenizer_;
  const std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  std::vector<uint32_t> mask_;
  std::string file_;  // at work
  int64_t document_ = 0;
  Json wrong_ = Json::MakeArray();
  Times compile_, first_, masks_, steps_;
  int64_t n_schemas_ = 0, n_refused_ = 0, n_failed_ = 0, n_rejected_ = 0, n_accepted_ = 0;
};

}  // namespace

Result<Json> BenchGrammars(const std::string& folder, const text::Tokenizer& tokenizer, int64_t max_files, int64_t n_sequences) {
  std::vector<std::string> files;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(folder, error); !error && it != std::filesystem::end(it);
       it.increment(error)) {
    if (it->path().extension() == ".json") files.push_back(it->path().string());
  }
  if (error)
    return Error{ErrorCode::kInvalidArgument, StrCat("the folder ", Quote(folder), " cannot be read: ", error.message())};
  if (files.empty()) return Error{ErrorCode::kInvalidArgument, StrCat("no .json files are below ", Quote(folder))};
  std::sort(files.begin(), files.end());
  Bench bench(tokenizer);
  // A share of the files, spread over all of them.
  const size_t step = max_files > 0 ? std::max<size_t>(1, files.size() / static_cast<size_t>(max_files)) : 1;
  std::vector<std::string> some;
  for (size_t i = 0; i < files.size(); i += step) some.push_back(files[i]);
  for (const std::string& file : some) LFM_RETURN_IF_ERROR(bench.File(file));
  if (n_sequences > 0) LFM_RETURN_IF_ERROR(bench.Steps(some, static_cast<size_t>(n_sequences)));
  return bench.Figures();
}

std::string BenchText(const Json& figures) {
  std::string out =
      StrCat(figures["schemas"].AsInt(), " schemas, ", figures["refused"].AsInt(), " refused; valid documents rejected ",
             figures["valid_rejected"].AsInt(), ", invalid accepted ", figures["invalid_accepted"].AsInt(), ", failures ",
             figures["failed"].AsInt(), "; ", figures["vocabulary"].AsInt(), " tokens\n");
  for (const std::string_view name : {"compile_us", "first_mask_us", "mask_us", "step_us"}) {
    if (figures.Find(name) == nullptr) continue;
    const Json& row = figures[name];
    out += StrCat(name, ": n ", row["n"].AsInt(), ", mean ", row["mean"].AsDouble(), ", p50 ", row["p50"].AsDouble(), ", p99 ",
                  row["p99"].AsDouble(), ", p99.9 ", row["p99.9"].AsDouble(), ", max ", row["max"].AsDouble(), "\n");
  }
  return out;
}

}  // namespace lfm::cli
