// Requests from the network: the reader of heads and bodies, targets, Host and Origin headers, key files, points in time.
// The same bytes whole and in pieces must give the same requests. The first byte chooses where they are cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/guard.h"
#include "server/keys.h"
#include "server/ledger.h"
#include "server/request_reader.h"

namespace {

using namespace lfm::server;

void Require(bool condition) {
  if (!condition) std::abort();
}

ReaderLimits SmallLimits() {
  ReaderLimits limits;
  limits.max_target = 200;
  limits.max_head = 2000;
  limits.max_headers = 20;
  limits.max_body = 3000;
  return limits;
}

// What a connection would make of the bytes, as text.
std::string Read(std::string_view bytes, size_t step) {
  RequestReader reader(SmallLimits());
  std::string story, input;
  const auto settle = [&] {
    for (;;) {
      const RequestReader::State before = reader.state();
      const size_t used = reader.Feed(input);
      Require(used <= input.size());
      input.erase(0, used);
      if (reader.state() == RequestReader::State::kFailed) return false;
      if (reader.state() == RequestReader::State::kDone) {
        const HttpRequest& request = reader.request();
        Require(request.body.size() <= SmallLimits().max_body && request.headers.size() <= 20);
        Require(request.path == "*" || request.path.starts_with('/'));
        story += request.method + " " + request.path + " " + request.body + "\n";
        static_cast<void>(CheckOrigins(request, {}));
        static_cast<void>(CheckContentType(request));
        static_cast<void>(PresentedKey(request));
        reader.Next();
      } else if (used == 0 && reader.state() == before) {
        return true;
      }
    }
  };
  while (!bytes.empty()) {
    input += bytes.substr(0, step);
    bytes.remove_prefix(std::min(step, bytes.size()));
    if (!settle()) return story + "refused";
  }
  return story;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(static_cast<const char*>(static_cast<const void*>(data + 1)), size - 1);
  Require(Read(text, text.size() + 1) == Read(text, 1 + data[0] % 32));
  std::string path;
  Headers query;
  if (ParseTarget(text, path, query)) Require(path.find('\0') == std::string::npos);
  static_cast<void>(HostName(text));
  static_cast<void>(ParseKeys(text));
  static_cast<void>(ParseDollars(text));
  static_cast<void>(ParseSince(text, 1'800'000'000'000'000));
  return 0;
}
