// Unfinished files.
#include "hub/partial.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "hub/posix.h"

namespace lfm::hub {
namespace {

constexpr uint64_t kMaxParts = uint64_t{1} << 20;

uint64_t AsSize(const Json& json) {
  const int64_t value = json.AsInt(-1);
  return value < 0 ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(value);
}

}  // namespace

PartialState PartialState::Fresh(const RemoteIdentity& identity, uint64_t part_bytes) {
  PartialState state;
  state.identity = identity;
  state.part_bytes = std::max({part_bytes, identity.size / kMaxParts + 1, uint64_t{1}});
  state.done.assign((identity.size + state.part_bytes - 1) / state.part_bytes, 0);
  return state;
}

uint64_t PartialState::PartSize(size_t i) const { return std::min(part_bytes, identity.size - PartBegin(i)); }

uint64_t PartialState::TotalDone() const {
  uint64_t total = 0;
  for (const uint64_t part : done) total += part;
  return total;
}

std::string PartialState::Serialize() const {
  Json json;
  json.Set("version", 1);
  json.Set("size", identity.size);
  json.Set("etag", identity.etag);
  json.Set("modified", identity.modified);
  json.Set("part_bytes", part_bytes);
  Json parts = Json::MakeArray();
  for (const uint64_t part : done) parts.Append(part);
  json.Set("done", std::move(parts));
  return json.Dump() + "\n";
}

Result<PartialState> PartialState::Parse(std::string_view text) {
  LFM_TRY(const Json json, ParseJson(text, {.max_depth = 4, .max_bytes = size_t{32} << 20}));
  const Error bad{ErrorCode::kCorrupt, "the state of the partial file is damaged"};
  PartialState state;
  state.identity.size = AsSize(json["size"]);
  state.identity.etag = json["etag"].AsString();
  state.identity.modified = json["modified"].AsString();
  state.part_bytes = AsSize(json["part_bytes"]);
  const auto& parts = json["done"].items();
  constexpr uint64_t kMax = uint64_t{1} << 50;
  if (json["version"].AsInt() != 1 || state.identity.size > kMax || state.part_bytes == 0 || state.part_bytes > kMax ||
      parts.size() > kMaxParts + 1 || parts.size() != (state.identity.size + state.part_bytes - 1) / state.part_bytes) {
    return bad;
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    state.done.push_back(AsSize(parts[i]));
    if (state.done.back() > state.PartSize(i)) return bad;
  }
  return state;
}

std::optional<PartialState> LoadPartial(const std::string& data_path, const std::string& state_path,
                                        const RemoteIdentity& identity) {
  const auto text = ReadWholeFile(state_path, size_t{32} << 20);
  if (!text.ok() || FileSize(data_path) != identity.size) return std::nullopt;
  auto state = PartialState::Parse(text.value());
  if (!state.ok()) return std::nullopt;
  const RemoteIdentity& was = state.value().identity;
  const bool known = !identity.etag.empty() || !identity.modified.empty();
  if (!known || was.size != identity.size || was.etag != identity.etag || was.modified != identity.modified) {
    return std::nullopt;
  }
  return std::move(state).value();
}

void RemovePartial(const std::string& data_path, const std::string& state_path) {
  unlink(state_path.c_str());  // first: data without a state are never trusted
  unlink(data_path.c_str());
  unlink((state_path + ".new").c_str());
}

}  // namespace lfm::hub
