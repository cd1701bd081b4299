// The report of the doctor as one JSON document. Speeds are in bytes, operations and tokens per second.
#include <cmath>

#include "report/doctor.h"

namespace lfm::report {
namespace {

// Measurements have few digits that mean something.
double Rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - 3);
  return std::round(value / unit) * unit;
}

Json CpuJson(const MachineReport& machine) {
  Json json = Json::MakeObject();
  json.Set("name", machine.cpu_name);
  json.Set("hardware_threads", machine.cpus.n_online);
  json.Set("allowed_threads", machine.cpus.n_allowed);
  json.Set("cores", static_cast<int64_t>(machine.cpus.cores.size()));
  json.Set("fast_cores", machine.cpus.n_fast_cores());
  json.Set("smt", machine.cpus.has_smt());
  json.Set("cgroup_quota", machine.cpus.quota > 0 ? Json(machine.cpus.quota) : Json());
  json.Set("default_threads", DefaultThreadCount(machine.cpus));
  json.Set("threads", machine.n_threads);
  Json isas = Json::MakeArray();
  for (const std::string& isa : machine.isas) isas.Append(isa);
  json.Set("isa_detected", std::move(isas)).Set("isa_chosen", machine.isa);
  Json caches = Json::MakeArray();
  for (const Cache& cache : machine.caches) {
    Json one = Json::MakeObject();
    one.Set("level", cache.level).Set("kind", cache.kind).Set("bytes", cache.bytes).Set("count", cache.n_instances);
    caches.Append(std::move(one));
  }
  json.Set("caches", std::move(caches)).Set("numa_nodes", machine.n_numa_nodes);
  return json;
}

Json MemoryJson(const MachineReport& machine) {
  const MemoryState& memory = machine.memory;
  Json json = Json::MakeObject();
  json.Set("total_bytes", memory.total_bytes).Set("available_bytes", memory.available_bytes);
  json.Set("limit_bytes", memory.limit_bytes > 0 ? Json(memory.limit_bytes) : Json());
  json.Set("swap_bytes", memory.swap_bytes).Set("swap_used_bytes", memory.swap_used_bytes);
  json.Set("pressure_percent", memory.pressure_percent ? Json(*memory.pressure_percent) : Json());
  json.Set("huge_pages", machine.huge_pages.mode).Set("huge_page_bytes", machine.huge_pages.page_bytes);
  return json;
}

Json StateJson(const MachineReport& machine) {
  const Power& power = machine.power;
  Json json = Json::MakeObject();
  json.Set("frequency_driver", power.driver).Set("governor", power.governor);
  json.Set("energy_preference", power.preference).Set("power_profile", power.profile);
  json.Set("on_battery", power.on_battery);
  json.Set("others_percent", Rounded(machine.others_percent)).Set("stolen_percent", Rounded(machine.stolen_percent));
  return json;
}

Json LimitsJson(const MachineReport& machine) {
  Json memory = Json::MakeArray(), peaks = Json::MakeArray();
  for (const ThreadBandwidth& one : machine.bandwidths) {
    memory.Append(Json::MakeObject({{"threads", Json(one.n_threads)}, {"bytes_per_s", Json(Rounded(one.bytes_per_s))}}));
  }
  for (const IsaPeak& peak : machine.peaks) {
    peaks.Append(Json::MakeObject({{"isa", Json(peak.isa)},
                                   {"int8_ops_per_s", Json(Rounded(peak.int8_ops_per_s))},
                                   {"f32_ops_per_s", Json(Rounded(peak.f32_ops_per_s))}}));
  }
  Json json = Json::MakeObject();
  json.Set("memory", std::move(memory)).Set("arithmetic", std::move(peaks));
  return json;
}

Json KernelsJson(const MachineReport& machine) {
  Json list = Json::MakeArray();
  for (const IsaCheck& check : machine.checks) {
    for (const kernels::KernelCheck& one : check.operations) {
      list.Append(Json::MakeObject({{"isa", Json(check.isa)},
                                    {"operation", Json(one.operation)},
                                    {"pass", Json(one.n_differing == 0)},
                                    {"cases", Json(one.n_cases)},
                                    {"differing", Json(one.n_differing)}}));
    }
  }
  return list;
}

Json PrefetchingJson(const MachineReport& machine) {
  Json types = Json::MakeArray();
  if (machine.tuning) {
    for (const TunedType& one : machine.tuning->types) {
      Json type = Json::MakeObject({{"type", Json(InfoOf(one.type).name)}});
      types.Append(std::move(type.Set("prefetch", PrefetchJson(one.prefetch))));
    }
  }
  return Json::MakeObject(
      {{"tuned", Json(machine.tuning.has_value())}, {"unused_file", Json(machine.tuning_unused)}, {"types", std::move(types)}});
}

Json SpeedJson(const Speed& speed) {
  Json json = Json::MakeObject();
  json.Set("tokens", speed.n_tokens).Set("threads", speed.n_threads);
  json.Set("limit_tokens_per_s", Rounded(speed.limit_ts)).Set("limit", speed.limit_name);
  json.Set("tokens_per_s", speed.now_ts > 0 ? Json(Rounded(speed.now_ts)) : Json());
  const bool known = speed.now_ts > 0 && speed.limit_ts > 0;
  json.Set("percent_of_limit", known ? Json(Rounded(100 * speed.now_ts / speed.limit_ts)) : Json());
  return json;
}

Json WorkJson(const Work& work) {
  return Json::MakeObject({{"read_bytes", Json(std::round(work.read_bytes))},
                           {"int8_operations", Json(std::round(work.int8_operations))},
                           {"f32_operations", Json(std::round(work.f32_operations))}});
}

Json ModelJson(const ModelReport& model) {
  Json json = Json::MakeObject();
  json.Set("file", model.file_name).Set("architecture", model.description.config.architecture);
  json.Set("file_type", model.description.config.file_type).Set("file_bytes", model.description.file_bytes);
  json.Set("parameters", model.description.parameters).Set("active_parameters", model.description.active_parameters);
  json.Set("random_weights", model.description.config.random_weights).Set("packed", model.packed);
  json.Set("needed_bytes", model.needed_bytes);
  Json disk;
  if (model.disk) {
    disk.Set("bytes_per_s", Rounded(model.disk->bytes_per_s)).Set("read_bytes", model.disk->n_bytes);
    disk.Set("method", DiskMethodName(model.disk->method));
  }
  json.Set("disk", std::move(disk));
  json.Set("decode_work", WorkJson(model.decode_work)).Set("prefill_work", WorkJson(model.prefill_work));
  json.Set("decode", SpeedJson(model.decode)).Set("prefill", SpeedJson(model.prefill));
  Json others = Json::MakeArray();
  for (const Speed& speed : model.decode_by_threads) others.Append(SpeedJson(speed));
  json.Set("decode_by_threads", std::move(others)).Set("page_faults", model.n_page_faults);
  json.Set("not_measured", model.not_measured.empty() ? Json() : Json(model.not_measured));
  return json;
}

}  // namespace

Json DoctorJson(const MachineReport& machine, const ModelReport* model) {
  Json json = Json::MakeObject();
  json.Set("system", machine.system).Set("cpu", CpuJson(machine)).Set("memory", MemoryJson(machine));
  json.Set("state", StateJson(machine)).Set("limits", LimitsJson(machine)).Set("kernels", KernelsJson(machine));
  json.Set("prefetching", PrefetchingJson(machine));
  json.Set("model", model != nullptr ? ModelJson(*model) : Json());
  Json list = Json::MakeArray();
  for (const Advice& advice : Advise(machine, model)) {
    list.Append(Json::MakeObject({{"id", Json(advice.id)}, {"text", Json(advice.text)}}));
  }
  json.Set("advice", std::move(list));
  return json;
}

}  // namespace lfm::report
