// Addresses, taken apart by libcurl: to compare origins, encode names into paths and refuse what a model's address never
// holds. Without libcurl (LFM_PULL=OFF) no address parses.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lfm::hub {

// The parts of an http(s) address. `port` is always filled; `path` begins with "/".
struct Url {
  std::string scheme, host;  // lower case
  int port = 0;
  std::string path, query, fragment;  // as written, without '?' and '#'

  // "https://host:port", equal for equal origins.
  std::string Origin() const;
};

// Parses an absolute http or https address of at most 8 KiB. Refuses credentials, spaces and control
// characters.
Result<Url> ParseUrl(std::string_view text);

// Whether both parse and share scheme, host and port.
bool SameOrigin(std::string_view a, std::string_view b);

// Whether a secret may be sent there: https, or http to this very machine.
bool IsConfidential(const Url& url);

// Percent-encodes all but unreserved characters; '/' stays when keep_slashes.
std::string PercentEncode(std::string_view text, bool keep_slashes);
// Undoes %XX; a '%' that begins none stays.
std::string PercentDecode(std::string_view text);

}  // namespace lfm::hub
