// Reading of the hub's environment variables.
#include "hub/environment.h"

#include <algorithm>
#include <cctype>

#include "base/file.h"

namespace lfm::hub {
namespace {

std::string Trim(const std::string& text) {
  const auto space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  size_t begin = 0, end = text.size();
  while (begin < end && space(text[begin])) ++begin;
  while (end > begin && space(text[end - 1])) --end;
  return text.substr(begin, end - begin);
}

bool IsTrue(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); });
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

// Without line breaks, wherever they stand, and blanks around.
std::string CleanToken(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  return Trim(text);
}

// A token goes into a header line: one with a control character is no token.
bool IsToken(const std::string& text) {
  return !text.empty() && text.size() <= 4096 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

class Reader {
 public:
  explicit Reader(const GetVariable& get) : get_(get) {}

  // The variable, or "" when unset or empty.
  std::string Text(const char* name) const { return get_(name).value_or(""); }

  // The first variable that is set, else `otherwise`, as a path with ~ and variables replaced.
  std::string Path(std::initializer_list<const char*> names, const std::string& otherwise) const {
    std::string path = otherwise;
    for (const char* name : names) {
      if (const std::string text = Text(name); !text.empty()) {
        path = text;
        break;
      }
    }
    path = ExpandPath(path, get_);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  }

 private:
  const GetVariable& get_;
};

void ReadToken(const Reader& read, Environment& environment) {
  if (IsTrue(read.Text("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return;
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    const std::string text = read.Text(name), token = CleanToken(text);
    if (text.empty()) continue;
    if (token.empty()) break;  // blanks alone hide the other variable, but not the file
    if (IsToken(token)) environment.token = token, environment.token_source = name;
    return;
  }
  const std::string path = read.Path({"HF_TOKEN_PATH"}, environment.home + "/token");
  const auto text = ReadWholeFile(path, 1 << 16);
  if (!text.ok()) return;
  const std::string token = CleanToken(text.value());
  if (IsToken(token)) environment.token = token, environment.token_source = path;
}

}  // namespace

Environment ReadEnvironment(const GetVariable& get) {
  const Reader read(get);
  Environment environment;
  std::string endpoint = Trim(read.Text("HF_ENDPOINT"));
  while (!endpoint.empty() && endpoint.back() == '/') endpoint.pop_back();
  if (!endpoint.empty()) environment.endpoint = endpoint;
  const std::string caches = read.Path({"XDG_CACHE_HOME"}, "~/.cache");
  environment.home = read.Path({"HF_HOME"}, caches + "/huggingface");
  environment.cache = read.Path({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}, environment.home + "/hub");
  environment.files = read.Path({"LFM_CACHE"}, caches + "/lfm") + "/files";
  environment.ca_file = read.Path({"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}, "");
  environment.offline =
      IsTrue(read.Text("HF_HUB_OFFLINE").empty() ? read.Text("TRANSFORMERS_OFFLINE") : read.Text("HF_HUB_OFFLINE"));
  ReadToken(read, environment);
  return environment;
}

}  // namespace lfm::hub
