// Requests to the hub's API and parsing of its answers.
#include "hub/repo.h"

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"
#include "hub/hash.h"
#include "hub/names.h"
#include "hub/url.h"

namespace lfm::hub {
namespace {

constexpr int kMaxPages = 200;
constexpr size_t kMaxFiles = 100000;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 44;  // 16 TiB

Result<Json> ParseAnswer(std::string_view text, const char* what) {
  auto json = ParseJson(text, {.max_depth = 32, .max_bytes = size_t{16} << 20});
  if (json.ok()) return json;
  return Error{ErrorCode::kCorrupt,
               StrCat("the hub's ", what, " is no JSON (", json.error().message, "); check HF_ENDPOINT and the proxy")};
}

Result<RepoFile> ParseEntry(const Json& entry, size_t index) {
  RepoFile file;
  file.path = entry["path"].AsString();
  if (const Status safe = CheckRepoFile(file.path); !safe.ok()) {
    return safe.error().Within(StrCat("the hub's list of files, entry ", index));
  }
  const Json& lfs = entry["lfs"];
  const int64_t size = (lfs.is_object() ? lfs["size"] : entry["size"]).AsInt(-1);
  if (size < 0 || static_cast<uint64_t>(size) > kMaxFileBytes) {
    return Error{ErrorCode::kCorrupt, StrCat("the hub's list of files, entry ", index, " (", Quote(file.path),
                                             "): 'size' is missing or out of range")};
  }
  file.size = static_cast<uint64_t>(size);
  const std::string& oid = (lfs.is_object() ? lfs["oid"] : entry["oid"]).AsString();
  const HashKind kind = HashKindOf(oid);
  if (kind == (lfs.is_object() ? HashKind::kSha256 : HashKind::kGitBlob)) file.etag = oid;
  return file;
}

}  // namespace

namespace {

// Of {"BF16": 1170340608, "U8": ...}: the most common type, where it is none of those that the safetensors reader takes.
std::string ForeignType(const Json& parameters) {
  std::string most;
  int64_t n_most = 0;
  for (const auto& [name, count] : parameters.members()) {
    if (count.AsInt() <= n_most) continue;
    n_most = count.AsInt();
    most = name;
  }
  return most == "F32" || most == "F16" || most == "BF16" ? "" : most;
}

}  // namespace

bool IsCommit(std::string_view text) { return HashKindOf(text) == HashKind::kGitBlob; }

Result<RepoAbout> ParseRevisionAnswer(std::string_view text) {
  LFM_TRY(const Json json, ParseAnswer(text, "answer about the revision"));
  const std::string& sha = json["sha"].AsString();
  if (IsCommit(sha)) {
    return RepoAbout{sha, json["config"]["model_type"].AsString(), json["gguf"]["architecture"].AsString(),
                     ForeignType(json["safetensors"]["parameters"])};
  }
  return Error{ErrorCode::kCorrupt, StrCat("the hub's answer about the revision: 'sha' is ", Quote(sha),
                                           ", not 40 hexadecimal digits; check HF_ENDPOINT")};
}

Result<std::vector<RepoFile>> ParseTree(std::string_view text) {
  LFM_TRY(const Json json, ParseAnswer(text, "list of files"));
  if (!json.is_array()) {
    return Error{ErrorCode::kCorrupt, "the hub's list of files is no JSON array; check HF_ENDPOINT and the proxy"};
  }
  std::vector<RepoFile> files;
  for (size_t i = 0; i < json.items().size(); ++i) {
    const Json& entry = json.items()[i];
    if (entry["type"].AsString() != "file") continue;
    LFM_TRY(RepoFile file, ParseEntry(entry, i));
    files.push_back(std::move(file));
  }
  return files;
}

std::string NextLink(std::string_view header) {
  while (!header.empty()) {
    const size_t open = header.find('<');
    const size_t close = header.find('>', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return "";
    const std::string_view address = header.substr(open + 1, close - open - 1);
    const size_t comma = std::min(header.find(",", close), header.size());
    const std::string_view parameters = header.substr(close + 1, comma - close - 1);
    if (parameters.find("rel=\"next\"") != std::string_view::npos || parameters.find("rel=next") != std::string_view::npos) {
      return std::string(address);
    }
    header.remove_prefix(std::min(comma + 1, header.size()));
  }
  return "";
}

std::string NormalizeEtag(std::string_view header) {
  if (header.substr(0, 2) == "W/") header.remove_prefix(2);
  if (header.size() >= 2 && header.front() == '"' && header.back() == '"') header = header.substr(1, header.size() - 2);
  const bool ok =
      !header.empty() && header.size() <= 200 && header.front() != '.' && std::all_of(header.begin(), header.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
               c == '+' || c == '=' || c == ':';
      });
  return ok ? std::string(header) : "";
}

std::string ResolveUrl(const Environment& environment, const std::string& repo, const std::string& commit,
                       const std::string& file) {
  return StrCat(environment.endpoint, "/", repo, "/resolve/", PercentEncode(commit, false), "/", PercentEncode(file, true));
}

Result<RepoListing> ListRepo(HttpClient& client, const Environment& environment, const std::string& repo,
                             const std::string& revision, const RetryPolicy& policy, const std::atomic<bool>* cancel) {
  RepoListing listing;
  listing.repo = repo;
  const std::string api = StrCat(environment.endpoint, "/api/models/", repo);
  HttpRequest request;
  request.url = StrCat(api, "/revision/", PercentEncode(revision, false));
  request.token = environment.token;
  request.total_timeout_s = 60;
  request.cancel = cancel;
  const std::string what = StrCat(repo, revision == "main" ? "" : "@" + revision, " from ", environment.endpoint);
  LFM_TRY(const HttpResponse about, PerformWithRetries(client, request, what, policy));
  LFM_TRY(listing.about, ParseRevisionAnswer(about.body));
  listing.commit = listing.about.commit;

  request.url = StrCat(api, "/tree/", listing.commit, "?recursive=true&expand=false");
  for (int i_page = 0; !request.url.empty(); ++i_page) {
    if (i_page == kMaxPages || listing.files.size() > kMaxFiles) {
      return Error{ErrorCode::kLimit, StrCat(repo, " has more than ", kMaxFiles, " files or ", kMaxPages,
                                             " pages of them; that is no model of this family")};
    }
    LFM_TRY(const HttpResponse page, PerformWithRetries(client, request, "the files of " + what, policy));
    LFM_TRY(std::vector<RepoFile> files, ParseTree(page.body));
    std::move(files.begin(), files.end(), std::back_inserter(listing.files));
    const std::string next = NextLink(page.head().Find("link").value_or(""));
    // A mirror may pass on links to the hub itself: then the secret, which is for the mirror, stays behind.
    if (!SameOrigin(next, environment.endpoint)) request.token.clear();
    request.url = next;
  }
  return listing;
}

}  // namespace lfm::hub
