// Everything of the hub's protocol and of the cache that is text from elsewhere: names, addresses, headers,
// the API's answers, states of partial files. The first byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hub/client.h"
#include "hub/download.h"
#include "hub/names.h"
#include "hub/partial.h"
#include "hub/repo.h"
#include "hub/url.h"

namespace {

using namespace lfm::hub;

void Require(bool condition) {
  if (!condition) std::abort();
}

// A name that was read prints as one that reads to the same, and never leads out of the cache.
void FuzzName(std::string_view text) {
  const auto name = ParseModelName(text, "http://127.0.0.1:8000");
  if (!name.ok() || name.value().kind == ModelName::Kind::kPath) return;
  const auto again = ParseModelName(name.value().ToString(), "http://127.0.0.1:8000");
  Require(again.ok() && again.value().ToString() == name.value().ToString());
  if (name.value().kind == ModelName::Kind::kRepo) {
    Require(CheckRepoId(name.value().repo).ok() && CheckRevision(name.value().revision).ok());
    Require(name.value().file.empty() || CheckRepoFile(name.value().file).ok());
  }
}

void FuzzTree(std::string_view text) {
  const auto files = ParseTree(text);
  if (!files.ok()) return;
  for (const RepoFile& file : files.value()) {
    Require(CheckRepoFile(file.path).ok() && file.path[0] != '/');
    Require(file.etag.empty() || file.etag.size() == 40 || file.etag.size() == 64);
    TypeOfFileName(file.path);
  }
}

void FuzzPartial(std::string_view text) {
  const auto state = PartialState::Parse(text);
  if (!state.ok()) return;
  Require(state.value().TotalDone() <= state.value().identity.size);
  const auto again = PartialState::Parse(state.value().Serialize());
  Require(again.ok() && again.value().done == state.value().done);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0: FuzzName(text); break;
    case 1: NextLink(text); break;
    case 2: FuzzTree(text); break;
    case 3: static_cast<void>(ParseRevisionAnswer(text)); break;
    case 4: FuzzPartial(text); break;
    case 5: static_cast<void>(ParseContentRange(text)); break;
    case 6: {
      const std::string etag = NormalizeEtag(text);
      Require(etag.find('/') == std::string::npos && etag != ".." && (etag.empty() || etag[0] != '.'));
      break;
    }
    default: {
      const auto url = ParseUrl(text);
      Require(!url.ok() || (url.value().port >= 1 && url.value().port <= 65535 && url.value().path[0] == '/'));
      static_cast<void>(RetryAfter({"", 429, {{"retry-after", std::string(text)}}}));
      Require(PercentDecode(PercentEncode(text, false)) == text);
    }
  }
  return 0;
}
