// The state of an unfinished file: its bytes in FILE.lfm.incomplete, what of it is there in a small text
// beside it. The name differs from huggingface_hub's own, whose older versions would append to it or take it
// for whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lfm::hub {

// What identifies the remote content: a download goes on only when all of it is as before.
struct RemoteIdentity {
  uint64_t size = 0;
  std::string etag;      // of the hub or, for a plain address, of the server; may be ""
  std::string modified;  // Last-Modified, for servers without etags
};

// Parts of equal size, each filled from its beginning. Not thread-safe.
struct PartialState {
  RemoteIdentity identity;
  uint64_t part_bytes = 0;
  std::vector<uint64_t> done;  // [n_parts] bytes there, from the part's beginning

  static PartialState Fresh(const RemoteIdentity& identity, uint64_t part_bytes);
  uint64_t PartBegin(size_t i) const { return i * part_bytes; }
  uint64_t PartSize(size_t i) const;
  uint64_t TotalDone() const;
  bool Complete() const { return TotalDone() == identity.size; }

  std::string Serialize() const;
  // Reads what Serialize wrote. Untrusted: counts and bounds are checked.
  static Result<PartialState> Parse(std::string_view text);
};

// The state stored for a partial file of this identity, if both files are there and agree with it.
std::optional<PartialState> LoadPartial(const std::string& data_path, const std::string& state_path,
                                        const RemoteIdentity& identity);
// Removes both files.
void RemovePartial(const std::string& data_path, const std::string& state_path);

}  // namespace lfm::hub
