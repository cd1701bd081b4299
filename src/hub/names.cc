// Reading of model names.
#include "hub/names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include "base/strings.h"
#include "hub/hash.h"
#include "hub/url.h"

namespace lfm::hub {
namespace {

constexpr std::array kShortNames = {
    ShortName{"lfm2-8b-a1b", "LiquidAI/LFM2-8B-A1B-GGUF"},
    ShortName{"lfm2.5-8b-a1b", "LiquidAI/LFM2.5-8B-A1B-GGUF"},
    ShortName{"lfm2-24b-a2b", "LiquidAI/LFM2-24B-A2B-GGUF"},
    ShortName{"lfm2-350m", "LiquidAI/LFM2-350M-GGUF"},
    ShortName{"lfm2-700m", "LiquidAI/LFM2-700M-GGUF"},
    ShortName{"lfm2-1.2b", "LiquidAI/LFM2-1.2B-GGUF"},
    ShortName{"lfm2-2.6b", "LiquidAI/LFM2-2.6B-GGUF"},
    ShortName{"lfm2-2.6b-exp", "LiquidAI/LFM2-2.6B-Exp-GGUF"},
    ShortName{"lfm2-1.2b-tool", "LiquidAI/LFM2-1.2B-Tool-GGUF"},
    ShortName{"lfm2-1.2b-rag", "LiquidAI/LFM2-1.2B-RAG-GGUF"},
    ShortName{"lfm2-1.2b-extract", "LiquidAI/LFM2-1.2B-Extract-GGUF"},
    ShortName{"lfm2-350m-extract", "LiquidAI/LFM2-350M-Extract-GGUF"},
    ShortName{"lfm2.5-350m", "LiquidAI/LFM2.5-350M-GGUF"},
    ShortName{"lfm2.5-1.2b-instruct", "LiquidAI/LFM2.5-1.2B-Instruct-GGUF"},
    ShortName{"lfm2.5-1.2b-thinking", "LiquidAI/LFM2.5-1.2B-Thinking-GGUF"},
    ShortName{"lfm2.5-1.2b-base", "LiquidAI/LFM2.5-1.2B-Base-GGUF"},
    ShortName{"lfm2.5-1.2b-jp", "LiquidAI/LFM2.5-1.2B-JP-GGUF"},
};

Error BadName(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, StrCat("the model name ", Quote(text, 120), " ", why)};
}

bool IsWordChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.'; }

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string KnownNames() {
  std::string names;
  for (size_t i = 0; i < 7; ++i) names += StrCat(i ? ", " : "", kShortNames[i].name);
  return names + ", ...";
}

Status SetType(std::string_view type, std::string_view text, ModelName& name) {
  const bool ok = !type.empty() && type.size() <= 64 && std::all_of(type.begin(), type.end(), IsWordChar);
  if (!ok) return BadName(text, "has no type after ':' (such as Q4_K_M)");
  name.type = UpperCase(type);
  return Ok();
}

bool IsHubHost(std::string_view host) { return host == "huggingface.co" || host == "www.huggingface.co" || host == "hf.co"; }

// "org/name[:TYPE][@REV][:TYPE]", "org/name/FILE[@REV]", "short[...]".
Result<ModelName> ParseRepoName(std::string_view body, std::string_view text) {
  ModelName name;
  name.kind = ModelName::Kind::kRepo;
  std::string_view left = body, revision;
  if (const size_t at = body.find('@'); at != std::string_view::npos) {
    left = body.substr(0, at);
    revision = body.substr(at + 1);
    if (const size_t colon = revision.find(':'); colon != std::string_view::npos) {
      LFM_RETURN_IF_ERROR(SetType(revision.substr(colon + 1), text, name));
      revision = revision.substr(0, colon);
    }
    LFM_RETURN_IF_ERROR(CheckRevision(revision));
    name.revision = revision;
  }
  if (const size_t colon = left.find(':'); colon != std::string_view::npos) {
    LFM_RETURN_IF_ERROR(SetType(left.substr(colon + 1), text, name));
    left = left.substr(0, colon);
  }
  const size_t slash = left.find('/');
  if (slash == std::string_view::npos) {
    const std::string wanted = UpperCase(left);
    for (const ShortName& known : kShortNames) {
      if (UpperCase(known.name) == wanted) {
        name.repo = known.repo;
        return name;
      }
    }
    return Error{ErrorCode::kNotFound,
                 StrCat("no model is known as ", Quote(text, 120), "; use org/name, a path, or ", "one of ", KnownNames())};
  }
  const std::string_view owner = left.substr(0, slash);
  if (IsHubHost(owner)) return BadName(text, "names the hub's address twice");
  if (owner == "datasets" || owner == "spaces" || owner == "api") return BadName(text, "is no model");
  const size_t second = left.find('/', slash + 1);
  name.repo = left.substr(0, second);
  LFM_RETURN_IF_ERROR(CheckRepoId(name.repo));
  if (second != std::string_view::npos) {
    name.file = left.substr(second + 1);
    LFM_RETURN_IF_ERROR(CheckRepoFile(name.file));
    if (!name.type.empty()) return BadName(text, "names a file and a type; leave one out");
  }
  return name;
}

// A page of the hub: /org/name[:TYPE], /org/name/{tree,blob,resolve,raw}/REV[/FILE].
Result<ModelName> ParseHubPath(std::string_view path, std::string_view text) {
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  const std::vector<std::string_view> parts = Split(path, '/');
  if (parts.size() < 2) return BadName(text, "names no repository; it should be like hf.co/LiquidAI/LFM2-8B-A1B-GGUF");
  if (parts.size() == 2) return ParseRepoName(path, text);
  const std::string_view verb = parts[2];
  if (verb != "tree" && verb != "blob" && verb != "resolve" && verb != "raw") return ParseRepoName(path, text);
  LFM_TRY(ModelName name, ParseRepoName(path.substr(0, parts[0].size() + 1 + parts[1].size()), text));
  if (parts.size() == 3) return name;
  name.revision = PercentDecode(parts[3]);
  LFM_RETURN_IF_ERROR(CheckRevision(name.revision));
  if (parts.size() > 4) {
    const size_t at = static_cast<size_t>(parts[4].data() - path.data());
    if (verb == "tree") return BadName(text, "is a folder's page; name the repository or one file");
    name.file = PercentDecode(path.substr(at));
    LFM_RETURN_IF_ERROR(CheckRepoFile(name.file));
  }
  return name;
}

Result<ModelName> ParseAddress(std::string_view text, std::string_view endpoint) {
  LFM_TRY(const Url url, ParseUrl(text));
  const auto hub = ParseUrl(endpoint);
  const bool at_endpoint = hub.ok() && hub.value().Origin() == url.Origin() && !IsHubHost(url.host);
  if (IsHubHost(url.host)) return ParseHubPath(url.path, text);
  if (at_endpoint) {
    std::string_view path = url.path;
    const std::string prefix = hub.value().path == "/" ? "" : hub.value().path;
    if (path.rfind(prefix, 0) == 0) path.remove_prefix(prefix.size());
    const std::vector<std::string_view> parts = Split(path, '/');  // "", org, name, verb, ...
    const bool page = parts.size() == 3 ? !EndsInGguf(path)
                                        : parts.size() > 3 && (parts[3] == "resolve" || parts[3] == "blob" ||
                                                               parts[3] == "tree" || parts[3] == "raw");
    if (page) return ParseHubPath(path, text);
  }
  ModelName name;
  name.kind = ModelName::Kind::kUrl;
  name.url = StrCat(url.scheme, text.substr(url.scheme.size(), text.find('#') - url.scheme.size()));
  if (url.path.back() == '/') return BadName(text, "is the address of a folder; name a file");
  if (url.fragment.rfind("sha256=", 0) == 0) {
    name.sha256 = url.fragment.substr(7);
    std::transform(name.sha256.begin(), name.sha256.end(), name.sha256.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (HashKindOf(name.sha256) != HashKind::kSha256) return BadName(text, "has a #sha256= that is not 64 hex digits");
  } else if (!url.fragment.empty()) {
    return BadName(text, "has a '#' part that is not #sha256=HEX");
  }
  return name;
}

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

}  // namespace

std::string UpperCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::span<const ShortName> ShortNames() { return kShortNames; }

std::string ModelName::ToString() const {
  if (kind == Kind::kUrl) return sha256.empty() ? url : StrCat(url, "#sha256=", sha256);
  if (kind == Kind::kPath) return path;
  if (file.find_first_of(":@%?#") != std::string::npos) {  // only a page's address can say this
    return StrCat("https://huggingface.co/", repo, "/blob/", PercentEncode(revision, false), "/", PercentEncode(file, true));
  }
  std::string text = repo;
  if (!file.empty()) text += "/" + file;
  if (!type.empty()) text += ":" + type;
  if (revision != "main") text += "@" + revision;
  return text;
}

Result<ModelName> ParseModelName(std::string_view text, std::string_view endpoint) {
  if (text.empty()) return BadName(text, StrCat("is empty; use org/name, a path, or one of ", KnownNames()));
  if (text.size() > 4096) return BadName(text.substr(0, 60), "is longer than 4 KiB");
  if (text.find('\0') != std::string_view::npos) return BadName(text, "holds a zero byte");
  if (StartsWith(text, "https://") || StartsWith(text, "http://")) return ParseAddress(text, endpoint);
  for (const std::string_view host : {"huggingface.co/", "www.huggingface.co/", "hf.co/"}) {
    if (StartsWith(text, host)) return ParseHubPath(text.substr(host.size()), text);
  }
  if (StartsWith(text, "hf://")) {
    std::string_view body = text.substr(5);
    if (StartsWith(body, "models/")) body.remove_prefix(7);
    if (body.find('/') == std::string_view::npos) return BadName(text, "should be like hf://org/name");
    return ParseRepoName(body, text);
  }
  ModelName name;
  if (StartsWith(text, "file://")) {
    std::string_view path = text.substr(7);
    if (StartsWith(path, "localhost/")) path.remove_prefix(9);
    if (!StartsWith(path, "/")) return BadName(text, "should be like file:///folder/model.gguf");
    name.path = PercentDecode(path);
    if (name.path.find('\0') != std::string::npos) return BadName(text, "holds a zero byte");
    return name;
  }
  if (text.find("://") != std::string_view::npos) {
    return BadName(text, "has an unknown scheme; use https://, http://, hf:// or file://");
  }
  const bool path_like = StartsWith(text, "/") || StartsWith(text, "./") || StartsWith(text, "../") || StartsWith(text, "~/") ||
                         text == "." || text == "..";
  const bool file_here = EndsInGguf(text) && std::count(text.begin(), text.end(), '/') < 2;
  if (path_like || file_here) {
    name.path = text;
    return name;
  }
  return ParseRepoName(text, text);
}

Status CheckRepoId(std::string_view repo) {
  const std::vector<std::string_view> parts = Split(repo, '/');
  bool ok = parts.size() == 2 && repo.find("--") == std::string_view::npos && repo.find("..") == std::string_view::npos;
  for (const std::string_view part : parts) {
    ok = ok && !part.empty() && part.size() <= 96 && std::all_of(part.begin(), part.end(), IsWordChar) && part.front() != '-' &&
         part.front() != '.' && part.back() != '-' && part.back() != '.';
  }
  if (!ok) return BadName(repo, "is not org/name with letters, digits, '-', '_' and '.'");
  return Ok();
}

Status CheckRevision(std::string_view revision) {
  bool ok = !revision.empty() && revision.size() <= 200;
  for (const std::string_view part : Split(revision, '/')) {
    ok = ok && !part.empty() && part.front() != '.' && part.front() != '-' && part.back() != '.' &&
         part.find("..") == std::string_view::npos &&
         std::all_of(part.begin(), part.end(), [](char c) { return IsWordChar(c) || c == '+' || c == '='; });
  }
  if (!ok) return BadName(revision, "is no revision (a branch, tag or commit)");
  return Ok();
}

Status CheckRepoFile(std::string_view path) {
  bool ok = !path.empty() && path.size() <= 1024;
  for (const std::string_view part : Split(path, '/')) {
    ok = ok && !part.empty() && part != "." && part != ".." && part.size() <= 255;
  }
  for (const char c : path) ok = ok && static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != '\\';
  if (path.size() > 1 && path[1] == ':') ok = false;  // "C:..."
  if (ToValidUtf8(path) != path) ok = false;
  if (!ok) {
    return Error{ErrorCode::kCorrupt, StrCat("the file name ", Quote(path, 120),
                                             " is unsafe (absolute, '..', backslash or control "
                                             "characters); it is not fetched")};
  }
  return Ok();
}

bool EndsInGguf(std::string_view path) { return path.size() > 5 && UpperCase(path.substr(path.size() - 5)) == ".GGUF"; }

Shard ShardOfFileName(std::string_view path) {
  Shard shard;
  shard.stem = EndsInGguf(path) ? path.substr(0, path.size() - 5) : path;
  const std::string& stem = shard.stem;  // "x-00002-of-00003"
  if (stem.size() < 16) return shard;
  const std::string tail = stem.substr(stem.size() - 15);
  const auto digits = [&](size_t at) {
    return std::all_of(tail.begin() + static_cast<ptrdiff_t>(at), tail.begin() + static_cast<ptrdiff_t>(at) + 5,
                       [](char c) { return c >= '0' && c <= '9'; });
  };
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || !digits(1) || !digits(10)) return shard;
  const int index = std::atoi(tail.substr(1, 5).c_str()), count = std::atoi(tail.substr(10).c_str());
  if (index < 1 || count < 1 || index > count) return shard;
  shard.index = index;
  shard.count = count;
  shard.stem.resize(stem.size() - 15);
  return shard;
}

std::string TypeOfFileName(std::string_view path) {
  if (!EndsInGguf(path)) return "";
  std::string stem = UpperCase(ShardOfFileName(path).stem);
  if (const size_t slash = stem.rfind('/'); slash != std::string::npos) stem.erase(0, slash + 1);
  const size_t at = stem.find_last_of("-.");
  if (at == std::string::npos) return "";
  const std::string token = stem.substr(at + 1);
  const auto digit_at = [&](size_t i) { return token.size() > i && token[i] >= '0' && token[i] <= '9'; };
  const bool quantized = (token[0] == 'Q' && digit_at(1)) ||
                         ((StartsWith(token, "IQ") || StartsWith(token, "TQ")) && digit_at(2)) || StartsWith(token, "MXFP4");
  const bool plain = token == "F16" || token == "BF16" || token == "F32" || token == "FP16" || token == "FP32";
  if (!quantized && !plain) return "";
  const bool ud = at >= 3 && stem.compare(at - 3, 3, "-UD") == 0;
  return (ud ? "UD-" : "") + token;
}

}  // namespace lfm::hub
