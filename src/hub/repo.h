// The hub's API: which commit a revision is, and which files it holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hub/client.h"
#include "hub/environment.h"

namespace lfm::hub {

struct RepoFile {
  std::string path;   // checked by CheckRepoFile
  uint64_t size = 0;  // of the content, not of an LFS pointer
  std::string etag;   // SHA-256 of LFS and Xet files, else git's blob id: the blob's name in the cache; may be ""
};

// What the hub knows of a repository's weights without a file being fetched; empty where it does not say.
struct RepoAbout {
  std::string commit;        // 40 hexadecimal digits
  std::string model_type;    // of config.json: "lfm2"
  std::string architecture;  // of GGUF files
  std::string dtype;         // the type that most weights in safetensors have, where it is none that lfm reads: "U8"
};

struct RepoListing {
  std::string repo, commit;  // 40 hexadecimal digits
  RepoAbout about;
  std::vector<RepoFile> files;
};

// Asks the hub for a revision's commit and files (all pages). Needs at least two requests.
Result<RepoListing> ListRepo(HttpClient& client, const Environment& environment, const std::string& repo,
                             const std::string& revision, const RetryPolicy& policy, const std::atomic<bool>* cancel = nullptr);

// The address of a file's content at a commit.
std::string ResolveUrl(const Environment& environment, const std::string& repo, const std::string& commit,
                       const std::string& file);

// Parts of the above, on untrusted text. Linear time.
// An answer of /api/models/REPO/revision/REV; an error without a commit ("sha").
Result<RepoAbout> ParseRevisionAnswer(std::string_view json);
// The files (not folders) in an answer of /api/models/REPO/tree/REV.
Result<std::vector<RepoFile>> ParseTree(std::string_view json);
// The address with rel="next" in a Link header, or "".
std::string NextLink(std::string_view header);
// An ETag header without W/ and quotes; "" when the rest could not name a file.
std::string NormalizeEtag(std::string_view header);
// Whether this is a full commit id: 40 lower-case hexadecimal digits.
bool IsCommit(std::string_view text);

}  // namespace lfm::hub
