// The tuning as a file: a small JSON document, read as something that anybody may have written.
#include "report/tuning.h"

#include <algorithm>
#include <fstream>

#include "base/strings.h"
#include "base/topology.h"

namespace lfm::report {
namespace {

constexpr const char* kTuningFormat = "lfm prefetching 1";
constexpr size_t kMostKeyBytes = 1000;

// The kinds of /proc/cpuinfo's lines that tell processors apart, on x86 and on ARM.
constexpr std::string_view kCpuNumbers[] = {"cpu family",  "model",    "stepping",    "CPU implementer",
                                            "CPU variant", "CPU part", "CPU revision"};

Error NoTuning(std::string_view what) { return {ErrorCode::kInvalidArgument, StrCat("this is no tuning: ", what)}; }

Result<std::string> KeyPart(const Json& json, std::string_view name) {
  const Json& part = json[name];
  if (!part.is_string() || part.AsString().size() > kMostKeyBytes) return NoTuning(StrCat(name, " is missing or too long"));
  return part.AsString();
}

Result<int32_t> Distance(const Json& json, std::string_view name) {
  const int64_t bytes = json[name].is_integer() ? json[name].AsInt(-1) : -1;
  if (bytes < 0 || bytes > kernels::kMostAhead) {
    return NoTuning(StrCat(name, " is not between 0 and ", kernels::kMostAhead));
  }
  return static_cast<int32_t>(bytes);
}

Result<TunedType> ReadType(const Json& json) {
  TunedType tuned;
  const auto type = TensorTypeFromName(json["type"].AsString());
  if (!type || !kernels::IsTunable(*type)) return NoTuning("a type is missing, unknown or not tuned");
  tuned.type = *type;
  LFM_TRY(tuned.prefetch.to_second, Distance(json, "to_second"));
  LFM_TRY(tuned.prefetch.to_first, Distance(json, "to_first"));
  return tuned;
}

std::string_view WithoutBlanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

}  // namespace

std::string CpuKey(const std::string& root) {
  std::string key = ReadCpuName(root);
  std::ifstream file(root + "/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {  // the first processor's
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view name = WithoutBlanks(std::string_view(line).substr(0, colon));
    if (std::find(std::begin(kCpuNumbers), std::end(kCpuNumbers), name) == std::end(kCpuNumbers)) continue;
    key += StrCat(", ", name, " ", WithoutBlanks(std::string_view(line).substr(colon + 1)));
  }
  for (const Cache& cache : ReadCaches(root)) {
    if (cache.kind != "Instruction") key += StrCat(", L", cache.level, " ", cache.bytes >> 10, " KiB");
  }
  return key.substr(0, kMostKeyBytes);
}

Json PrefetchJson(const kernels::Prefetch& prefetch) {
  return Json::MakeObject({{"to_second", Json(prefetch.to_second)}, {"to_first", Json(prefetch.to_first)}});
}

std::string TuningText(const Tuning& tuning) {
  Json json = Json::MakeObject({{"format", Json(kTuningFormat)},
                                {"cpu", Json(tuning.key.cpu)},
                                {"isa", Json(tuning.key.isa)},
                                {"program", Json(tuning.key.program)}});
  Json types = Json::MakeArray();
  for (const TunedType& tuned : tuning.types) {
    Json one = Json::MakeObject({{"type", Json(InfoOf(tuned.type).name)}});
    const Json distances = PrefetchJson(tuned.prefetch);
    for (const auto& [name, value] : distances.members()) one.Set(name, value);
    types.Append(std::move(one));
  }
  json.Set("types", std::move(types));
  return json.Dump(2) + "\n";
}

Result<Tuning> ReadTuning(std::string_view text) {
  LFM_TRY(const Json json, ParseJson(text, {8, kMostTuningBytes}));
  if (json["format"].AsString() != kTuningFormat) return NoTuning("it is of another format");
  Tuning tuning;
  LFM_TRY(tuning.key.cpu, KeyPart(json, "cpu"));
  LFM_TRY(tuning.key.isa, KeyPart(json, "isa"));
  LFM_TRY(tuning.key.program, KeyPart(json, "program"));
  if (!json["types"].is_array()) return NoTuning("it has no list of types");
  for (const Json& one : json["types"].items()) {
    LFM_TRY(const TunedType tuned, ReadType(one));
    const bool twice =
        std::any_of(tuning.types.begin(), tuning.types.end(), [&](const TunedType& other) { return other.type == tuned.type; });
    if (twice) return NoTuning("a type stands there twice");
    tuning.types.push_back(tuned);
  }
  return tuning;
}

void Apply(const Tuning& tuning) {
  const std::string& isa = tuning.key.isa;
  for (const TensorType type : kernels::kTypeOrder) {
    const auto tuned =
        std::find_if(tuning.types.begin(), tuning.types.end(), [&](const TunedType& one) { return one.type == type; });
    const bool usual = tuned == tuning.types.end();
    kernels::SetPrefetch(isa, type, usual ? kernels::UsualPrefetch(kernels::LanesOf(isa), type) : tuned->prefetch);
  }
}

Json TuningReportJson(const TuningReport& report) {
  const TuningKey& key = report.tuning.key;
  Json json = Json::MakeObject(
      {{"cpu", Json(key.cpu)}, {"isa", Json(key.isa)}, {"program", Json(key.program)}, {"threads", Json(report.n_threads)}});
  Json types = Json::MakeArray();
  for (const TypeTrials& one : report.types) {
    Json tried = Json::MakeArray();
    for (size_t i = 0; i < report.tried.size(); ++i) {
      Json trial = PrefetchJson(report.tried[i]);
      tried.Append(std::move(trial.Set("bytes_per_s", one.bytes_per_s[i])));
    }
    Json type = Json::MakeObject({{"type", Json(InfoOf(one.type).name)},
                                  {"usual", PrefetchJson(one.usual)},
                                  {"best", PrefetchJson(one.best)},
                                  {"gain", Json(one.gain)},
                                  {"gain_few", one.gain_few > 0 ? Json(one.gain_few) : Json()},
                                  {"chosen", PrefetchJson(one.chosen())}});
    types.Append(std::move(type.Set("tried", std::move(tried))));
  }
  json.Set("types", std::move(types));
  return json;
}

}  // namespace lfm::report
